import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { RequestLimit } from './request-limit.ts';

describe('the limit of requests', () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] }));
  afterEach(() => void vi.useRealTimers());

  function requests(count: number) {
    const limit = new RequestLimit({ usual: 2, most: 4, patienceMs: 500 });
    const begun: number[] = [];
    const answers = new Map<number, () => void>();
    const done = Array.from({ length: count }, (_, index) =>
      limit.run(() => {
        begun.push(index);
        return new Promise<void>((resolve) => answers.set(index, resolve));
      }),
    );
    const answer = async (index: number) => {
      answers.get(index)?.();
      await done[index];
      await nextTurn();
    };
    const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);
    return { begun, answer, pass };
  }

  it('lets a few through, and the next with each answer', async () => {
    const { begun, answer } = requests(5);
    expect(begun).toEqual([0, 1]);
    await answer(1);
    expect(begun).toEqual([0, 1, 2]);
    await answer(0);
    await answer(2);
    expect(begun).toEqual([0, 1, 2, 3, 4]);
  });

  it('lets more through when no answer comes, in the order they came, and no more than the most', async () => {
    const { begun, answer, pass } = requests(6);
    await pass(499);
    expect(begun).toHaveLength(2);
    await pass(1);
    expect(begun).toEqual([0, 1, 2, 3]);
    await pass(60_000);
    expect(begun).toHaveLength(4);
    await answer(3);
    expect(begun).toEqual([0, 1, 2, 3, 4]);
  });

  it('takes an answer in between for no reason to wait anew', async () => {
    const { begun, answer, pass } = requests(5);
    await pass(400);
    await answer(0);
    expect(begun).toEqual([0, 1, 2]);
    await pass(100);
    expect(begun).toEqual([0, 1, 2, 3, 4]);
  });

  it('is back at the few once nothing waits', async () => {
    const limit = new RequestLimit({ usual: 1, most: 2, patienceMs: 500 });
    const answers: (() => void)[] = [];
    const ask = () => limit.run(() => new Promise<void>((resolve) => answers.push(resolve)));
    const first = [ask(), ask()];
    await vi.advanceTimersByTimeAsync(500);
    expect(answers).toHaveLength(2);
    for (const answer of answers) answer();
    await Promise.all(first);
    const then = [ask(), ask()];
    expect(answers).toHaveLength(3);
    answers[2]?.();
    await then[0];
    await nextTurn();
    answers[3]?.();
    await Promise.all(then);
  });

  it('gives what the work gives, and its failure, and the slot to the next in either case', async () => {
    const limit = new RequestLimit({ usual: 1, most: 1, patienceMs: 500 });
    const failed = limit.run(() => Promise.reject(new Error('refused')));
    const next = limit.run(() => Promise.resolve(7));
    await expect(failed).rejects.toThrow('refused');
    expect(await next).toBe(7);
  });
});
