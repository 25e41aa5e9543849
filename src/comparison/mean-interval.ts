import { type Interval, intervalAround } from './interval.ts';
import type { Moments } from './moments.ts';
import { criticalValue } from './student-t.ts';

/**
 * Student's t interval of a mean: mean ± t · s/√n with n − 1 degrees of freedom (NIST/SEMATECH e-Handbook of Statistical Methods,
 * 1.3.5.2). Undefined with fewer than two values.
 */
export function meanInterval({ n, mean, stddev }: Moments, confidence: number): Interval | undefined {
  if (stddev === null) return undefined;
  // Without deviation there is nothing to look up.
  if (stddev === 0) return { low: mean, high: mean };
  return intervalAround(mean, (criticalValue(confidence, n - 1) * stddev) / Math.sqrt(n));
}
