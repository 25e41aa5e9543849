import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type ProcessedKey, WorkQueue, type WorkQueueObserver } from './work-queue.ts';

const START = 1_000_000;
const LAST_POSSIBLE_RANDOM = 1 - Number.EPSILON;

/** A queue whose keys are processed as told, and what happened, with milliseconds since the start. */
function aQueue(
  options: {
    readonly concurrency?: number;
    readonly random?: number;
    readonly process?: (key: string, times: number) => Promise<ProcessedKey> | ProcessedKey;
    readonly observer?: WorkQueueObserver;
  } = {},
) {
  const log: string[] = [];
  const times = new Map<string, number>();
  const queue = new WorkQueue({
    process: async (key) => {
      const count = (times.get(key) ?? 0) + 1;
      times.set(key, count);
      log.push(`${Date.now() - START} ${key}`);
      return (await options.process?.(key, count)) ?? { requeueAt: undefined };
    },
    onError: (key, error, retryInMs) =>
      log.push(`${key} failed: ${error}, again in ${Math.round(retryInMs)} ms`),
    concurrency: options.concurrency ?? 1,
    now: Date.now,
    random: () => options.random ?? LAST_POSSIBLE_RANDOM,
    ...(options.observer === undefined ? {} : { observer: options.observer }),
  });
  return { queue, log };
}

const takesMs = (ms: number) => () =>
  new Promise<ProcessedKey>((resolve) => setTimeout(() => resolve({ requeueAt: undefined }), ms));

beforeEach(() => {
  vi.useFakeTimers({ now: START });
});
afterEach(() => {
  vi.useRealTimers();
});

describe('a key', () => {
  it('is processed once for all the times that it was added while it waited', async () => {
    const { queue, log } = aQueue({ process: takesMs(10) });
    queue.add('busy');
    for (let time = 0; time < 5; time += 1) queue.add('a');
    queue.add('b');
    queue.add('a');
    expect(queue.state().depth).toBe(2);
    await vi.runAllTimersAsync();
    expect(log).toEqual(['0 busy', '10 a', '20 b']);
    expect(queue.state().depth).toBe(0);
  });

  it('is processed once more when it is added while it is processed, and never twice at a time', async () => {
    const { queue, log } = aQueue({ concurrency: 4, process: takesMs(10) });
    queue.add('a');
    await vi.advanceTimersByTimeAsync(5);
    queue.add('a');
    queue.add('a');
    await vi.runAllTimersAsync();
    expect(log).toEqual(['0 a', '10 a']);
  });

  it('waits for a worker, first come, first served', async () => {
    const { queue, log } = aQueue({ concurrency: 2, process: takesMs(10) });
    for (const key of ['a', 'b', 'c', 'd', 'e']) queue.add(key);
    await vi.runAllTimersAsync();
    expect(log).toEqual(['0 a', '0 b', '10 c', '10 d', '20 e']);
  });

  it('may be added by what processes another', async () => {
    const { queue, log } = aQueue({
      process: (key) => {
        if (key === 'a') queue.add('b');
        return { requeueAt: undefined };
      },
    });
    queue.add('a');
    await vi.runAllTimersAsync();
    expect(log).toEqual(['0 a', '0 b']);
  });
});

describe('a key that comes back at a time', () => {
  it('comes at the earliest of the times that were asked for, once', async () => {
    const { queue, log } = aQueue();
    queue.addAt('a', START + 300);
    queue.addAt('a', START + 100);
    queue.addAt('a', START + 200);
    await vi.runAllTimersAsync();
    expect(log).toEqual(['100 a']);
  });

  it('comes at once when the time has passed', async () => {
    const { queue, log } = aQueue();
    queue.addAt('a', START - 5_000);
    await vi.runAllTimersAsync();
    expect(log).toEqual(['0 a']);
  });

  it('comes when its processing asked for it', async () => {
    const { queue, log } = aQueue({
      process: (_, times) => ({ requeueAt: times < 3 ? Date.now() + 50 : undefined }),
    });
    queue.add('a');
    await vi.runAllTimersAsync();
    expect(log).toEqual(['0 a', '50 a', '100 a']);
  });

  it('comes at the earlier time also if it is added meanwhile', async () => {
    const { queue, log } = aQueue();
    queue.addAt('a', START + 100);
    await vi.advanceTimersByTimeAsync(40);
    queue.add('a');
    await vi.runAllTimersAsync();
    expect(log).toEqual(['40 a', '100 a']);
  });

  it('does not come at once when the time is further away than a timer can be set', async () => {
    const { queue, log } = aQueue();
    queue.addAt('a', START + 365 * 24 * 3_600_000);
    await vi.advanceTimersByTimeAsync(24 * 3_600_000);
    expect(log).toEqual([]);
    await queue.stop(0);
  });
});

describe('a key whose processing fails', () => {
  const failing = (until: number) => (_: string, times: number) => {
    if (times <= until) throw new Error(`no ${times}`);
    return { requeueAt: undefined };
  };

  it('comes back after a wait that doubles up to 30 s', async () => {
    const { queue, log } = aQueue({ process: failing(12) });
    queue.add('a');
    await vi.runAllTimersAsync();
    const waits = log.flatMap((line) => /again in (\d+) ms/.exec(line)?.[1] ?? []);
    expect(waits).toEqual([
      ...['50', '100', '200', '400', '800', '1600', '3200', '6400', '12800', '25600'],
      ...['30000', '30000'],
    ]);
    expect(log.slice(0, 4)).toEqual([
      '0 a',
      'a failed: Error: no 1, again in 50 ms',
      '50 a',
      expect.any(String),
    ]);
  });

  it('waits a random part of that, and never less than a tenth', async () => {
    const half = aQueue({ random: 0.5, process: failing(2) });
    half.queue.add('a');
    const least = aQueue({ random: 0, process: failing(2) });
    least.queue.add('b');
    await vi.runAllTimersAsync();
    expect(half.log).toContainEqual(expect.stringMatching(/again in 25 ms/));
    expect(least.log).toContainEqual(expect.stringMatching(/again in 5 ms/));
  });

  it('waits from the beginning again after a success', async () => {
    const { queue, log } = aQueue({
      process: (_, times) => {
        if (times !== 3) throw new Error('no');
        return { requeueAt: undefined };
      },
    });
    queue.add('a');
    await vi.advanceTimersByTimeAsync(1_000);
    queue.add('a');
    await vi.advanceTimersByTimeAsync(10);
    expect(log.flatMap((line) => /again in (\d+) ms/.exec(line)?.[1] ?? [])).toEqual(['50', '100', '50']);
    await queue.stop(0);
  });

  it('is tried as soon as it is added again, whatever its wait', async () => {
    const { queue, log } = aQueue({ process: failing(1) });
    queue.add('a');
    await vi.advanceTimersByTimeAsync(1);
    queue.add('a');
    await vi.advanceTimersByTimeAsync(0);
    expect(log.at(-1)).toBe('1 a');
    await queue.stop(0);
  });

  it('keeps no other key waiting', async () => {
    const { queue, log } = aQueue({
      process: (key, times) => (key === 'a' ? failing(1)(key, times) : takesMs(1)()),
    });
    queue.add('a');
    queue.add('b');
    await vi.runAllTimersAsync();
    expect(log).toEqual(['0 a', 'a failed: Error: no 1, again in 50 ms', '0 b', '50 a']);
  });
});

describe('stopping', () => {
  it('waits for what is processed, and nothing more is', async () => {
    const { queue, log } = aQueue({ process: takesMs(20) });
    queue.add('a');
    queue.add('b');
    queue.addAt('c', START + 1);
    // Wanted again while it is processed, and not any more once all stops.
    queue.add('a');
    const stopped = queue.stop(1_000);
    expect(queue.state().depth).toBe(0);
    queue.add('a');
    queue.add('d');
    queue.addAt('e', START);
    await vi.runAllTimersAsync();
    await expect(stopped).resolves.toBe(true);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(log).toEqual(['0 a']);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('gives up when that takes longer than its deadline', async () => {
    const { queue } = aQueue({ process: takesMs(60_000) });
    queue.add('a');
    const stopped = queue.stop(100);
    await vi.advanceTimersByTimeAsync(200);
    await expect(stopped).resolves.toBe(false);
  });

  it('does not bring back what fails meanwhile', async () => {
    const { queue, log } = aQueue({
      process: async () => {
        await takesMs(10)();
        throw new Error('no');
      },
    });
    queue.add('a');
    const stopped = queue.stop(1_000);
    await vi.runAllTimersAsync();
    await expect(stopped).resolves.toBe(true);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(log).toEqual(['0 a', 'a failed: Error: no, again in 50 ms']);
  });
});

describe('who measures a queue', () => {
  it('is told of each key once as it is added, taken and processed, and how that ended', async () => {
    const told: string[] = [];
    const { queue } = aQueue({
      observer: {
        added: () => told.push('added'),
        taken: (waitedMs) => told.push(`taken after ${waitedMs}`),
        processed: (tookMs, how) => told.push(`${how} in ${tookMs}`),
      },
      process: async (key, times) => {
        await takesMs(10)();
        if (key === 'b' && times === 1) throw new Error('no');
        return { requeueAt: key === 'a' && times === 1 ? START + 1_000 : undefined };
      },
    });
    queue.add('a');
    queue.add('b');
    queue.add('b');
    await vi.advanceTimersByTimeAsync(4);
    expect(queue.state()).toEqual({ depth: 1, underWayMs: [4], concurrency: 1 });
    await vi.runAllTimersAsync();
    expect(told).toEqual([
      ...['added', 'taken after 0', 'added', 'Requeued in 10', 'taken after 10', 'Failed in 10'],
      ...['added', 'taken after 0', 'Settled in 10', 'added', 'taken after 0', 'Settled in 10'],
    ]);
    expect(queue.state()).toEqual({ depth: 0, underWayMs: [], concurrency: 1 });
  });
});
