import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { aBatchTest } from '../../test/builders/batch-test.ts';
import type { Outcome } from './outcome.ts';
import { isRetried, type RetryPolicy, retryAt } from './retry-policy.ts';

const NOW = 1_000_000;
const policyOf = (policy: Partial<RetryPolicy> = {}): RetryPolicy =>
  aBatchTest({ spec: { retryPolicy: policy } }).spec.retryPolicy;

describe('isRetried', () => {
  it.each<Outcome>(['Succeeded', 'TestFailed', 'ResultInvalid', 'TimedOut', 'Infrastructure', 'Cancelled'])(
    'is true for %s only when the policy names it',
    (outcome) => {
      expect(isRetried(policyOf(), outcome)).toBe(outcome === 'Infrastructure');
      expect(isRetried(policyOf({ outcomes: ['TimedOut', 'ResultInvalid'] }), outcome)).toBe(
        outcome === 'TimedOut' || outcome === 'ResultInvalid',
      );
    },
  );
});

describe('the wait before the next attempt', () => {
  const policies = fc
    .record({ backoffSeconds: fc.nat({ max: 3_600 }), maxBackoffSeconds: fc.nat({ max: 3_600 }) })
    .filter(({ backoffSeconds, maxBackoffSeconds }) => backoffSeconds <= maxBackoffSeconds);

  it('doubles with each failure up to its bound, and is shortened by at most a half', () => {
    fc.assert(
      fc.property(policies, fc.integer({ min: 1, max: 100_000 }), fc.string(), (bounds, failures, name) => {
        const exponential = Math.min(
          bounds.maxBackoffSeconds,
          bounds.backoffSeconds * 2 ** Math.min(failures - 1, 60),
        );
        const wait = retryAt({ ...policyOf(), ...bounds }, failures, name, NOW) - NOW;
        expect(wait).toBeGreaterThanOrEqual((exponential * 1_000) / 2);
        expect(wait).toBeLessThanOrEqual(exponential * 1_000);
      }),
    );
  });

  it('is none when there is no back-off, after however many failures', () => {
    for (const failures of [1, 2, 1_025, 5_000])
      expect(retryAt(policyOf({ backoffSeconds: 0 }), failures, 'n', NOW)).toBe(NOW);
  });

  it('is the same each time for the same attempt, and spread for what failed together', () => {
    const waits = Array.from(
      { length: 200 },
      (_, index) => retryAt(policyOf(), 1, `attempt-${index}`, NOW) - NOW,
    );
    expect(waits).toEqual(waits.map((_, index) => retryAt(policyOf(), 1, `attempt-${index}`, NOW) - NOW));
    const tenths = new Set(waits.map((wait) => Math.floor((wait - 1_000) / 100)));
    expect([...tenths].sort((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });
});
