import { holmAdjusted } from '../comparison/holm.ts';
import type { Interval } from '../comparison/interval.ts';
import { type Moments, momentsOf } from '../comparison/moments.ts';
import { twoSidedPValue } from '../comparison/student-t.ts';
import { type WelchDifference, welchDifference, welchInterval } from '../comparison/welch.ts';

/**
 * - `Equal`: the means differ by less than the margin.
 * - `Different`: they differ by more.
 * - `Undecided`: the values vary too much, or are too few, to tell.
 */
export type EquivalenceVerdict = 'Equal' | 'Different' | 'Undecided';

/** How the means of two samples compare with the margin within which they count as equal. */
export interface Equivalence {
  readonly first: Moments;
  readonly second: Moments;
  /** Mean of the first minus mean of the second. */
  readonly difference: number;
  /** Where the difference would be with many more trials; null with fewer than two values on either side. */
  readonly interval: Interval | null;
  /** The largest difference that counts as none: a share of the larger mean, in the unit of the values. */
  readonly margin: number;
  /** That the difference exceeds the margin by chance, adjusted for all pairs by Holm's procedure; null with too few values. */
  readonly adjustedPValue: number | null;
  readonly verdict: EquivalenceVerdict;
}

/** Two samples of one metric. Each has at least one value. */
export type SamplePair = readonly [first: readonly number[], second: readonly number[]];

/**
 * Compares pairs of samples with a tolerance. `Equal`: the two-sided confidence interval of the difference (Welch) lies within ± margin, which is
 * D. J. Schuirmann's procedure of two one-sided tests (Journal of Pharmacokinetics and Biopharmaceutics, 1987), here at half the error.
 * That all pairs are equal needs no adjustment: each of them has to be (R. L. Berger, Technometrics, 1982). `Different`: the interval lies
 * beyond the margin; adjusted by {@link holmAdjusted}, because a single such pair is enough. Symmetric in the samples of a pair.
 * @param tolerance share of the larger mean that counts as no difference, such as 0.05
 */
export function equivalences(
  pairs: readonly SamplePair[],
  tolerance: number,
  confidence: number,
): readonly Equivalence[] {
  const compared = pairs.map(([one, other]) => {
    const [first, second] = [momentsOf(one), momentsOf(other)];
    const margin = tolerance * Math.max(Math.abs(first.mean), Math.abs(second.mean));
    return { first, second, margin, welch: welchDifference(first, second) };
  });
  const tested = compared.flatMap(({ welch, margin }, index) =>
    welch === undefined ? [] : [{ index, pValue: pValueBeyond(welch, margin) }],
  );
  const adjusted = holmAdjusted(tested.map(({ pValue }) => pValue));
  const pValues = new Map(tested.map(({ index }, position) => [index, adjusted[position] ?? 1]));
  return compared.map(({ first, second, margin, welch }, index): Equivalence => {
    const adjustedPValue = pValues.get(index) ?? null;
    const interval = (welch && welchInterval(welch, confidence)) ?? null;
    return {
      first,
      second,
      difference: welch?.difference ?? first.mean - second.mean,
      interval,
      margin,
      adjustedPValue,
      verdict: verdictOf(interval, margin, adjustedPValue, 1 - confidence),
    };
  });
}

function verdictOf(
  interval: Interval | null,
  margin: number,
  adjustedPValue: number | null,
  alpha: number,
): EquivalenceVerdict {
  if (interval !== null && -margin <= interval.low && interval.high <= margin) return 'Equal';
  return adjustedPValue !== null && adjustedPValue <= alpha ? 'Different' : 'Undecided';
}

/** The p-value, two-sided as the interval is, of the hypothesis that the means differ by no more than the margin. */
function pValueBeyond({ difference, standardError, df }: WelchDifference, margin: number): number {
  const excess = Math.abs(difference) - margin;
  if (excess <= 0) return 1;
  return standardError === 0 ? 0 : twoSidedPValue(excess / standardError, df);
}
