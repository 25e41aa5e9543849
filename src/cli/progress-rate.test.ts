import { describe, expect, it } from 'vitest';
import { ProgressRate } from './progress-rate.ts';

describe('the rate at which trials end', () => {
  it('is not known before one has ended', () => {
    const rate = new ProgressRate();
    expect(rate.perSecond(0)).toBeUndefined();
    rate.note(0, 7);
    expect(rate.perSecond(5_000)).toBeUndefined();
  });

  it('counts from when it was first looked at, not from the start of the run', () => {
    const rate = new ProgressRate();
    rate.note(0, 100);
    rate.note(2_000, 106);
    expect(rate.perSecond(2_000)).toBe(3);
  });

  it('falls while nothing ends', () => {
    const rate = new ProgressRate();
    rate.note(0, 0);
    rate.note(1_000, 4);
    expect(rate.perSecond(8_000)).toBe(0.5);
  });

  it('is that of the last half minute when trials end fast', () => {
    const rate = new ProgressRate();
    for (let second = 0; second <= 100; second += 1) rate.note(second * 1_000, second);
    for (let second = 101; second <= 140; second += 1) rate.note(second * 1_000, 100 + (second - 100) * 5);
    expect(rate.perSecond(140_000)).toBe(5);
  });

  it('is that of the last ten trials when they end slowly', () => {
    const rate = new ProgressRate();
    for (let minute = 0; minute <= 60; minute += 1) rate.note(minute * 60_000, minute);
    expect(rate.perSecond(3_600_000)).toBeCloseTo(1 / 60);
  });
});
