import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { joinedSignal } from './joined-signal.ts';

describe('a joined signal', () => {
  it.each([0, 1])('is aborted by each of the others, with its reason (%d)', (index) => {
    const controllers = [new AbortController(), new AbortController()];
    const { signal } = joinedSignal([undefined, ...controllers.map((controller) => controller.signal)]);
    expect(signal.aborted).toBe(false);
    controllers[index]?.abort('enough');
    expect(signal).toMatchObject({ aborted: true, reason: 'enough' });
  });

  it('of one that was aborted before is aborted', () => {
    expect(joinedSignal([AbortSignal.abort('before')]).signal).toMatchObject({
      aborted: true,
      reason: 'before',
    });
  });

  it('is aborted by itself as well, which the others are not told', () => {
    const controller = new AbortController();
    const { signal, abort } = joinedSignal([controller.signal]);
    abort('enough');
    expect(signal).toMatchObject({ aborted: true, reason: 'enough' });
    expect(controller.signal.aborted).toBe(false);
  });

  it('leaves the others alone once it is released', () => {
    const controller = new AbortController();
    const { signal, release } = joinedSignal([controller.signal]);
    release();
    controller.abort();
    expect(signal.aborted).toBe(false);
  });

  it('is aborted by a timeout that nobody else knows, though garbage is collected meanwhile', async () => {
    setFlagsFromString('--expose-gc');
    const collect: () => void = runInNewContext('gc');
    const { signal } = joinedSignal([AbortSignal.timeout(200)]);
    const aborted = once(signal, 'abort');
    for (let time = 0; time < 50 && !signal.aborted; time += 1) {
      collect();
      await sleep(20);
    }
    expect(signal.aborted).toBe(true);
    await aborted;
  });
});
