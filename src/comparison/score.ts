import type { Objective } from '../api/v1alpha1/schema.ts';
import { areEqualButForRounding } from './rounding.ts';

/** A variant's means of the objective's metrics, or one trial's values of them, in the objective's order. */
export type ObjectiveMeans = readonly number[];

/** Scores are equal when they agree to this many decimals; sums in another order must not decide who is best. */
const SCORE_DECIMALS = 9;

/** What the values of one metric are scaled by. */
interface MetricScale {
  readonly goal: 'minimize' | 'maximize';
  readonly weight: number;
  /** The lowest and the highest mean of a candidate. */
  readonly lowest: number;
  readonly highest: number;
  /** True when all candidates have the same mean. */
  readonly areEqual: boolean;
}

/** What the candidates of a run make of numbers: by metric of the objective. */
export type ScoreScale = readonly MetricScale[];

/**
 * The score of every candidate, in [0, 1]: each metric's mean is scaled between the worst candidate (0) and the best (1), and the
 * scaled values are averaged with the objective's weights (simple additive weighting with min–max normalisation). A metric on
 * which all candidates agree gives everyone 1. Scores therefore compare the candidates of one run with each other and say nothing
 * across runs.
 *
 * The view `variant_scores` computes the same in SQL; test/integration/scoring.test.ts shows that they agree.
 */
export function scores(objective: Objective, candidates: readonly ObjectiveMeans[]): readonly number[] {
  const scale = scoreScale(objective, candidates);
  return candidates.map((means) => roundScore(scoreOn(scale, means)));
}

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
      lowest,
      highest,
      areEqual: areEqualButForRounding(lowest, highest),
    };
  });
}

/**
 * The score of values on a scale, not rounded. Values that are better than the best mean, or worse than the worst, as those of single
 * trials may be, are beyond 1 or 0. It is linear: the mean of the scores of a variant's trials is the score of its means.
 */
export function scoreOn(scale: ScoreScale, values: ObjectiveMeans): number {
  let sum = 0;
  let totalWeight = 0;
  for (const [position, { goal, weight, lowest, highest, areEqual }] of scale.entries()) {
    const value = bounded(values[position]);
    const fromWorst = goal === 'maximize' ? value - lowest : highest - value;
    sum += weight * (areEqual ? 1 : fromWorst / (highest - lowest));
    totalWeight += weight;
  }
  return sum / totalWeight;
}

/** The difference of larger magnitudes overflows. The views count them as this too. */
const LARGEST = 1e300;

const bounded = (value = Number.NaN): number => Math.max(-LARGEST, Math.min(LARGEST, value));

const roundScore = (score: number): number => Math.round(score * 10 ** SCORE_DECIMALS) / 10 ** SCORE_DECIMALS;
