import { type Interval, intervalAround } from './interval.ts';
import type { Moments } from './moments.ts';
import { areEqualButForRounding, ROUNDING_SHARE } from './rounding.ts';
import { criticalValue, twoSidedPValue } from './student-t.ts';

/** How the means of two samples differ. */
export interface WelchDifference {
  /** Mean of the first minus mean of the second. */
  readonly difference: number;
  /** Standard error of the difference; 0 when neither sample varies. */
  readonly standardError: number;
  /** Degrees of freedom as Welch and Satterthwaite estimate them; infinite when neither sample varies. */
  readonly df: number;
}

/**
 * The ingredients of Welch's t-test, which does not suppose that both vary alike: B. L. Welch, "The generalization of 'Student's' problem
 * when several different population variances are involved" (Biometrika, 1947), and F. E. Satterthwaite (Biometrics Bulletin, 1946).
 * Undefined when a sample has fewer than two values: nothing tells how much it varies.
 */
export function welchDifference(one: Moments, other: Moments): WelchDifference | undefined {
  if (one.stddev === null || other.stddev === null) return undefined;
  const difference = one.mean - other.mean;
  const errors = [one.stddev / Math.sqrt(one.n), other.stddev / Math.sqrt(other.n)] as const;
  const standardError = Math.hypot(...errors);
  // What remains of the rounding of sums is no variation.
  if (standardError <= ROUNDING_SHARE * Math.max(Math.abs(one.mean), Math.abs(other.mean)))
    return {
      difference: areEqualButForRounding(one.mean, other.mean) ? 0 : difference,
      standardError: 0,
      df: Number.POSITIVE_INFINITY,
    };
  // By shares, because fourth powers of very large or small numbers cannot be told.
  const [share, otherShare] = [(errors[0] / standardError) ** 2, (errors[1] / standardError) ** 2];
  const df = 1 / (share ** 2 / (one.n - 1) + otherShare ** 2 / (other.n - 1));
  return { difference, standardError, df };
}

/** The two-sided p-value of Welch's t-test: 0 or 1 when neither sample varies, for then the difference is certain. */
export function welchPValue({ difference, standardError, df }: WelchDifference): number {
  if (standardError === 0) return difference === 0 ? 1 : 0;
  return twoSidedPValue(difference / standardError, df);
}

/** Where the difference of the means of many more values would be. Undefined when it is beyond the largest numbers. */
export function welchInterval(
  { difference, standardError, df }: WelchDifference,
  confidence: number,
): Interval | undefined {
  if (standardError === 0) return { low: difference, high: difference };
  return intervalAround(difference, criticalValue(confidence, df) * standardError);
}
