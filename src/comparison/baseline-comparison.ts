import type { Objective } from '../api/v1alpha1/schema.ts';
import { type Candidate, ofComparedSamples } from './candidate.ts';
import { hedgesG } from './hedges-g.ts';
import { holmAdjusted } from './holm.ts';
import type { Interval } from './interval.ts';
import { type Moments, momentsOf } from './moments.ts';
import { type WelchDifference, welchDifference, welchInterval, welchPValue } from './welch.ts';

/** What can be said of a variant's metric against the baseline's. */
export type Verdict = 'Better' | 'Worse' | 'NoDifference' | 'TooFewSamples';

/** How a metric of a variant differs from that of the baseline. */
export interface BaselineComparison {
  /** Mean of the variant minus mean of the baseline. */
  readonly difference: number;
  /** The difference in percent of the baseline's mean, regardless of that one's sign; null when that is 0. */
  readonly differencePercent: number | null;
  /** Where the difference would be with many more trials; null with fewer than two values on either side. */
  readonly interval: Interval | null;
  /** Hedges' g: the difference in standard deviations; null with too few values, or when none of them vary. */
  readonly effectSize: number | null;
  /** Of Welch's t-test, two-sided; null with too few values. */
  readonly pValue: number | null;
  /** The p-value adjusted for all comparisons of the run, which the verdict is made by; null for metrics that are not in the objective. */
  readonly adjustedPValue: number | null;
  /** Null for metrics that are not in the objective: nothing says which direction is better. */
  readonly verdict: Verdict | null;
}

/** The difference of two samples of one metric, without a verdict. */
export function differenceFromBaseline(
  sample: Moments,
  baseline: Moments,
  confidence: number,
): BaselineComparison {
  const welch = welchDifference(sample, baseline);
  const difference = sample.mean - baseline.mean;
  const percent = (100 * difference) / Math.abs(baseline.mean);
  return {
    difference,
    differencePercent: Number.isFinite(percent) ? percent : null,
    interval: (welch && welchInterval(welch, confidence)) ?? null,
    effectSize: hedgesG(sample, baseline) ?? null,
    pValue: welch === undefined ? null : welchPValue(welch),
    adjustedPValue: null,
    verdict: null,
  };
}

/** Two samples of one metric that are compared. */
export interface ComparedSamples {
  readonly goal: 'minimize' | 'maximize';
  readonly sample: Moments;
  readonly reference: Moments;
}

/**
 * A verdict on each comparison. All of them together are wrong by chance with a probability of at most 1 − confidence: their p-values are
 * adjusted by {@link holmAdjusted}.
 */
export function judged(
  comparisons: readonly ComparedSamples[],
  confidence: number,
): readonly JudgedDifference[] {
  const differences = comparisons.map(({ sample, reference }) => welchDifference(sample, reference));
  const tested = differences.filter((difference) => difference !== undefined);
  const adjusted = holmAdjusted(tested.map(welchPValue));
  const adjustedOf = new Map(tested.map((difference, index) => [difference, adjusted[index] ?? 1]));
  return comparisons.map(({ goal }, index) => {
    const difference = differences[index];
    const pValue = difference === undefined ? undefined : adjustedOf.get(difference);
    if (difference === undefined || pValue === undefined)
      return { adjustedPValue: null, verdict: 'TooFewSamples' };
    return { adjustedPValue: pValue, verdict: verdictOf(difference, pValue, 1 - confidence, goal) };
  });
}

/** A verdict and the adjusted p-value that it is made by. */
export type JudgedDifference = Pick<BaselineComparison, 'adjustedPValue'> & { readonly verdict: Verdict };

/**
 * The verdicts on every candidate but the baseline: by candidate, then by metric in the objective's order. The baseline's own are missing.
 * All of them are {@link judged} together, each against what {@link ofComparedSamples} gives. Empty when the baseline is no candidate.
 */
export function verdicts(
  { metrics }: Objective,
  confidence: number,
  baseline: string,
  candidates: readonly Candidate[],
): ReadonlyMap<string, readonly JudgedDifference[]> {
  const reference = candidates.find(({ name }) => name === baseline);
  if (reference === undefined) return new Map();
  const momentsFor = ofComparedSamples(reference, (samples) => samples.map(momentsOf));
  const compared = candidates.filter(({ name }) => name !== baseline);
  const comparisons = compared.flatMap((candidate) => {
    const { name, samples } = candidate;
    const moments = momentsFor(candidate);
    return samples.flatMap((values, metric) => {
      const against = moments[metric];
      const goal = metrics[metric]?.goal;
      return against === undefined || goal === undefined
        ? []
        : [{ name, goal, sample: momentsOf(values), reference: against }];
    });
  });
  const verdictsInOrder = judged(comparisons, confidence);
  const byName = new Map<string, JudgedDifference[]>(compared.map(({ name }) => [name, []]));
  for (const [index, { name }] of comparisons.entries()) {
    const verdict = verdictsInOrder[index];
    if (verdict !== undefined) byName.get(name)?.push(verdict);
  }
  return byName;
}

function verdictOf(
  { difference }: WelchDifference,
  pValue: number,
  alpha: number,
  goal: 'minimize' | 'maximize',
): Verdict {
  if (difference === 0 || pValue > alpha) return 'NoDifference';
  return difference > 0 === (goal === 'maximize') ? 'Better' : 'Worse';
}
