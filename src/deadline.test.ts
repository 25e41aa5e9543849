import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { withDeadline } from './deadline.ts';

const LATE = new Error('late');
const forEver = (signal: AbortSignal) => sleep(600_000, undefined, { signal });

describe('work with a deadline', () => {
  it('gives what the work gives', async () => {
    expect(
      await withDeadline(
        undefined,
        10_000,
        () => LATE,
        async () => 'done',
      ),
    ).toBe('done');
  });

  it('ends when the time is over', async () => {
    await expect(withDeadline(undefined, 20, () => LATE, forEver)).rejects.toBe(LATE);
  });

  it('ends with the signal of the caller', async () => {
    const controller = new AbortController();
    const bounded = withDeadline(controller.signal, 60_000, () => LATE, forEver);
    const reason = new Error('no more');
    controller.abort(reason);
    await expect(bounded).rejects.toBe(reason);
  });

  it('fails as the work does when nothing has ended it', async () => {
    const failure = new Error('its own');
    await expect(
      withDeadline(
        undefined,
        60_000,
        () => LATE,
        () => Promise.reject(failure),
      ),
    ).rejects.toBe(failure);
  });
});
