import type { Objective } from '../api/v1alpha1/schema.ts';
import { betterBy } from './goal.ts';
import { areEqualButForRounding, ROUNDING_SHARE } from './rounding.ts';

/** A variant's means of the objective's metrics, or one trial's values of them, in the objective's order. */
export type ObjectiveMeans = readonly number[];

/** Sums in another order must not decide who is best: so many digits of a shortfall count, and so many decimals of a score are told. */
const DIGITS = 9;

/** What the values of one metric are scaled by. */
interface MetricScale {
  readonly goal: 'minimize' | 'maximize';
  readonly weight: number;
  /** The best mean of a candidate. */
  readonly best: number;
  /** Between the worst and the best mean; 0 when all candidates have the same one. */
  readonly range: number;
}

/** What the candidates of a run make of numbers: by metric of the objective. */
export type ScoreScale = readonly MetricScale[];

/**
 * What every candidate's score is short of 1, which decides who is before whom: those with an equal shortfall have equal scores. A shortfall is
 * rounded to a number of digits and not of decimals. Beside a variant a billion times worse than the others, whose mean makes the range, the scores
 * of all others are 1 but for some last digit, while their shortfalls, however small, differ as their means do. Rounded numbers are a
 * transitive order, which comparing two at a time with a tolerance is not.
 *
 * The view `variant_scores` computes the same in SQL; test/integration/scoring.test.ts shows that they agree.
 */
export function shortfalls(objective: Objective, candidates: readonly ObjectiveMeans[]): readonly number[] {
  const scale = scoreScale(objective, candidates);
  const ideal = scale.map(({ best }) => best);
  return candidates.map((means) => Number(leadOn(scale, ideal, means).toPrecision(DIGITS)));
}

/**
 * The score of a candidate with this shortfall, in [0, 1]: each metric's mean is scaled between the worst candidate (0) and the best (1), and the
 * scaled values are averaged with the objective's weights (simple additive weighting with min–max normalisation). A metric on
 * which all candidates agree gives everyone 1. Scores therefore compare the candidates of one run with each other and say nothing
 * across runs.
 */
export const scoreOf = (shortfall: number): number =>
  Math.round((1 - shortfall) * 10 ** DIGITS) / 10 ** DIGITS;

/** The scale between the worst and the best mean of these candidates. */
export function scoreScale({ metrics }: Objective, candidates: readonly ObjectiveMeans[]): ScoreScale {
  return metrics.map(({ goal, weight }, position) => {
    let lowest = Number.POSITIVE_INFINITY;
    let highest = Number.NEGATIVE_INFINITY;
    for (const means of candidates) {
      const value = bounded(means[position]);
      if (value < lowest) lowest = value;
      if (value > highest) highest = value;
    }
    return {
      goal,
      weight: Number(weight),
      best: goal === 'maximize' ? highest : lowest,
      range: areEqualButForRounding(lowest, highest) ? 0 : highest - lowest,
    };
  });
}

/**
 * By how much the score of values on a scale is above that of others; 0 when rounding could make that difference. The values may be those of
 * single trials, which may be better than the best mean, or worse than the worst. It is made of the differences of the values: as the difference
 * of two scores it would lose what is small beside the range. It is linear: the mean of the leads of a variant's trials is the lead of its means.
 */
export function leadOn(scale: ScoreScale, values: ObjectiveMeans, others: ObjectiveMeans): number {
  let sum = 0;
  let magnitude = 0;
  let totalWeight = 0;
  for (const [position, { goal, weight, range }] of scale.entries()) {
    totalWeight += weight;
    const value = bounded(values[position]);
    const other = bounded(others[position]);
    const gain = range === 0 ? 0 : betterBy(goal, value, other);
    if (gain === 0) continue;
    sum += weight * (gain / range);
    magnitude += weight * (Math.max(Math.abs(value), Math.abs(other)) / range);
  }
  // What is won on one metric and lost on another may be the same but for rounding.
  return Math.abs(sum) <= ROUNDING_SHARE * magnitude ? 0 : sum / totalWeight;
}

/** The difference of larger magnitudes overflows. The views count them as this too. */
const LARGEST = 1e300;

const bounded = (value = Number.NaN): number => Math.max(-LARGEST, Math.min(LARGEST, value));
