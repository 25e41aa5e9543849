import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Message, Outbox } from '../results/outbox.ts';
import { keepLease, type MessageLease } from './message-lease.ts';

const LEASE_MS = 30_000;

describe('a lease', () => {
  /** When it was prolonged, or was to be. */
  let askedAt: number[];

  /** Of one message, over a store that answers so. */
  const kept = (extend: () => ReturnType<Outbox['extend']>): MessageLease =>
    keepLease(
      {
        extend: () => {
          askedAt.push(performance.now());
          return extend();
        },
      },
      [MESSAGE],
      { leaseMs: LEASE_MS, deadlineMs: 600_000, ending: new AbortController().signal },
    );

  /** When it lets go of its message. */
  const letGoAt = async ({ signal }: MessageLease): Promise<number> => {
    while (!signal.aborted) await vi.advanceTimersToNextTimerAsync();
    return performance.now();
  };

  beforeEach(() => {
    askedAt = [];
    vi.useFakeTimers({ now: 0 });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it.each([
    ['answers nothing', () => new Promise<never>(() => {})],
    ['refuses', () => Promise.reject(new Error('the store is away'))],
  ])('is let go of a sixth before its end when the store %s', async (_, extend) => {
    expect(await letGoAt(kept(extend))).toBe(25_000);
    expect(askedAt[0]).toBe(10_000);
  });

  it('that is prolonged is as long as the store keeps it: from when it was asked, not from its answer', async () => {
    const lease = kept(
      () =>
        new Promise((resolve) => {
          if (askedAt.length === 1) setTimeout(() => resolve(new Set([MESSAGE.id])), 4_000);
        }),
    );
    expect(await letGoAt(lease)).toBe(10_000 + 25_000);
  });

  it('that somebody else has by now is let go of at once', async () => {
    expect(await letGoAt(kept(async () => new Set()))).toBe(10_000);
  });
});

const MESSAGE: Message = {
  id: 1,
  runUid: 'a-run',
  kind: 'ResultStored',
  payload: {},
  claim: 1,
  tries: 1,
  createdAt: new Date(0),
  done: [],
};
