import type { Comparison, EarlyStopping, Objective } from '../api/v1alpha1/schema.ts';
import { stagesOf } from './best-variant.ts';
import { finiteMean } from './finite-mean.ts';
import { momentsOf } from './moments.ts';
import { leadOn, type ObjectiveMeans, scoreScale } from './score.ts';
import { criticalValue } from './student-t.ts';
import { type WelchDifference, welchDifference, welchPValue } from './welch.ts';

/**
 * After how many repetitions of every variant each look is made, ascending: the first after `minRepetitions`, the others evenly spaced
 * between that and the end. Fewer than `looks` where there are not as many repetitions in between.
 */
export function lookRepetitions(
  { looks, minRepetitions }: EarlyStopping,
  repetitions: number,
): readonly number[] {
  const room = repetitions - minRepetitions;
  const planned = Array.from(
    { length: looks },
    (_, look) => minRepetitions + Math.floor((room * look) / looks),
  );
  return [...new Set(planned)].filter((count) => count < repetitions);
}

/** A variant that a look compares. */
export interface Contestant {
  /** Index of the variant. */
  readonly variant: number;
  /** The values of the objective's metrics by repetition: the same repetitions of every contestant. */
  readonly trials: readonly ObjectiveMeans[];
}

/**
 * The variants that are significantly behind the one with the highest score, by Welch's t-test on the scores of their trials: the test that
 * tells ties from the best at the end. The confidence is shared among the looks, the end and the variants of the run (Bonferroni), so that the
 * truly best one is stopped at any look, or left out at the end, with a probability of at most 1 − confidence. The scale of the scores is
 * that of the contestants. The same trials give the same answer.
 * @param variants of the run, stopped ones included
 */
export function behindAtLook(
  objective: Objective,
  comparison: Pick<Comparison, 'confidence' | 'earlyStopping'>,
  variants: number,
  contestants: readonly Contestant[],
): readonly number[] {
  const measured = contestants.map((contestant) => ({
    ...contestant,
    means: meansOfTrials(objective, contestant.trials),
  }));
  const [first, ...others] = measured;
  if (first === undefined) return [];
  const scale = scoreScale(
    objective,
    measured.map(({ means }) => means),
  );
  const leader = others.reduce(
    (best, other) => (leadOn(scale, other.means, best.means) > 0 ? other : best),
    first,
  );
  // Relative to the leader, as in trialLeads.
  const momentsFor = ({ trials }: Contestant) =>
    momentsOf(trials.map((values) => leadOn(scale, values, leader.means)));
  const leaderMoments = momentsFor(leader);
  const alpha = (1 - Number(comparison.confidence)) / (stagesOf(comparison) * Math.max(1, variants - 1));
  const isSignificant = significanceAt(alpha);
  return measured.flatMap((contestant) => {
    const lead = welchDifference(leaderMoments, momentsFor(contestant));
    return lead !== undefined && lead.difference > 0 && isSignificant(lead) ? [contestant.variant] : [];
  });
}

/** More than any sample of trials has, and few enough to compute with. */
const MANY_DEGREES_OF_FREEDOM = 1e6;

/**
 * Whether a p-value is at most alpha. The fewer degrees of freedom, the heavier the tails of t: what would not be enough with very many of them
 * is not enough with few, and needs no p-value. That is most of many variants, and a look is made between two events.
 */
function significanceAt(alpha: number): (lead: WelchDifference) => boolean {
  const least = criticalValue(1 - alpha, MANY_DEGREES_OF_FREEDOM);
  return (lead) => lead.difference >= least * lead.standardError * (1 - 1e-9) && welchPValue(lead) <= alpha;
}

const meansOfTrials = ({ metrics }: Objective, trials: readonly ObjectiveMeans[]): ObjectiveMeans =>
  metrics.map((_, position) => finiteMean(trials.map((values) => values[position] ?? Number.NaN)));
