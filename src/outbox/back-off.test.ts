import { expect, it } from 'vitest';
import { backOffMs, TRIES_LIMIT } from './back-off.ts';

/** From the first try of a message to its last one, when each fails at once. */
const hoursOfTries = (random: number): number =>
  Array.from({ length: TRIES_LIMIT - 1 }, (_, index) => backOffMs(index + 1, random)).reduce(
    (sum, pause) => sum + pause,
    0,
  ) / 3_600_000;

it('tries a message for one to two hours, as the reference says', () => {
  expect(hoursOfTries(1)).toBeGreaterThan(1);
  expect(hoursOfTries(0)).toBeGreaterThan(2);
  expect(hoursOfTries(0)).toBeLessThan(2.2);
});
