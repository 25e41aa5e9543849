import { type Interval, intervalAround } from './interval.ts';
import type { Moments } from './moments.ts';

/**
 * Student's t interval of a mean: mean ± t · s/√n with n − 1 degrees of freedom (NIST/SEMATECH e-Handbook of Statistical Methods,
 * 1.3.5.2). Undefined with fewer than two values.
 * @param critical of the confidence: `criticalValues`
 */
export function meanInterval(
  { n, mean, stddev }: Moments,
  critical: (df: number) => number,
): Interval | undefined {
  if (stddev === null) return undefined;
  // Without deviation there is nothing to look up.
  if (stddev === 0) return { low: mean, high: mean };
  return intervalAround(mean, (critical(n - 1) * stddev) / Math.sqrt(n));
}
