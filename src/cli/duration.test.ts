import { InvalidArgumentError } from 'commander';
import { describe, expect, it } from 'vitest';
import { duration, waitingTime } from './duration.ts';

describe('a length of time', () => {
  it.each([
    ['90s', 90_000],
    ['12h', 43_200_000],
    ['90d', 7_776_000_000],
    ['4w', 2_419_200_000],
  ])('%s is %d ms', (text, ms) => {
    expect(duration(text)).toBe(ms);
  });

  it.each(['', '90', 'd', '1.5h', '-1s', '1 d', '1y', '1234567s'])('%j is none', (text) => {
    expect(() => duration(text)).toThrow(InvalidArgumentError);
  });

  it('that is waited for fits a timer', () => {
    expect(waitingTime('24d')).toBe(2_073_600_000);
    expect(() => waitingTime('4w')).toThrow('It must be 24d at most.');
  });
});
