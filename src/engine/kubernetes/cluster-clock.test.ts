import { describe, expect, it } from 'vitest';
import { ClusterClock } from './cluster-clock.ts';

const NOON = Date.parse('2026-11-25T12:00:00Z');

describe('the clock of the cluster', () => {
  it('follows a monotonic clock, whatever happens to the own one', () => {
    let passed = 5;
    const clock = new ClusterClock(NOON, () => passed);
    passed += 1_500;
    expect(clock.now()).toBe(NOON + 1_500);
  });

  it('is set by an answer when the own clock is off, either way', () => {
    for (const off of [-600_000, 600_000]) {
      const clock = new ClusterClock(NOON + off, () => 0);
      clock.observe('Wed, 25 Nov 2026 12:00:00 GMT');
      expect(clock.now()).toBe(NOON + 500);
    }
  });

  it('is left alone by a difference that rounding and the wait for the answer explain', () => {
    const clock = new ClusterClock(NOON + 1_900, () => 0);
    clock.observe('Wed, 25 Nov 2026 12:00:00 GMT');
    expect(clock.now()).toBe(NOON + 1_900);
  });

  it('ignores a header that is no date', () => {
    const clock = new ClusterClock(NOON, () => 0);
    clock.observe('yesterday');
    expect(clock.now()).toBe(NOON);
  });
});
