import type { Comparison, Objective } from '../api/v1alpha1/schema.ts';
import { type Candidate, meansOfSamples, trialCount } from './candidate.ts';
import { momentsOf } from './moments.ts';
import { leadOn, scoreScale } from './score.ts';
import { standings } from './standing.ts';
import { trialLeads } from './trial-leads.ts';
import { welchDifference, welchPValue } from './welch.ts';

/** What the name of the best variant rests on. */
export type Evidence =
  /** Every other candidate scores less, and that is significant. */
  | 'Significant'
  /** `ties` cannot be told apart from it. */
  | 'Tied'
  /** It or another candidate has one trial only, and nothing tells how much that would vary. */
  | 'TooFewSamples'
  /** There is no other candidate. */
  | 'OnlyCandidate';

/** The best variant of a run, and how sure that is. */
export interface BestVariant {
  readonly name: string;
  readonly score: number;
  /** The others that cannot be told apart from it, the best first. */
  readonly ties: readonly string[];
  readonly evidence: Evidence;
}

/** By how many tests one candidate may be left out by chance: at each look and at the end. */
export const stagesOf = ({ earlyStopping }: Pick<Comparison, 'earlyStopping'>): number =>
  (earlyStopping?.looks ?? 0) + 1;

/**
 * The candidate with the highest score, and those that cannot be told apart from it: the scores of their trials, all on the run's one
 * scale, are compared with those of the best one's by Welch's t-test, at the comparison's confidence shared among the candidates
 * (Bonferroni), and among the looks when variants may be stopped early. Those that were are neither best nor ties. The truly best variant is
 * then the best or among the ties with at least that confidence, although the best one is picked by the same data: it would have to be beaten
 * significantly by one of the others to be left out. A candidate of one trial is a tie only when its score is equal but for rounding. Undefined
 * without candidates.
 */
export function bestVariant(
  objective: Objective,
  comparison: Pick<Comparison, 'confidence' | 'tieBreak' | 'earlyStopping'>,
  candidates: readonly Candidate[],
): BestVariant | undefined {
  const { confidence, tieBreak = [] } = comparison;
  const contenders = candidates.map(({ samples, isStopped = false }) => ({
    means: meansOfSamples(samples),
    isStopped,
  }));
  const means = contenders.map((contender) => contender.means);
  const [first, ...others] = standings(objective, tieBreak, contenders);
  const best = first === undefined || first.rank === null ? undefined : candidates[first.candidate];
  if (first === undefined || best === undefined) return undefined;
  const scale = scoreScale(objective, means);
  const bestMeans = means[first.candidate] ?? [];
  const bestMoments = momentsOf(trialLeads(scale, best, bestMeans));
  const alpha = (1 - Number(confidence)) / (stagesOf(comparison) * Math.max(1, others.length));
  const areTooFew = candidates.some((candidate) => trialCount(candidate) < 2);
  const ties = others.flatMap(({ candidate: index, rank }) => {
    const candidate = candidates[index];
    if (candidate === undefined || rank === null) return [];
    if (leadOn(scale, bestMeans, means[index] ?? []) === 0) return [candidate.name];
    const lead = welchDifference(bestMoments, momentsOf(trialLeads(scale, candidate, bestMeans)));
    return lead !== undefined && (lead.difference <= 0 || welchPValue(lead) > alpha) ? [candidate.name] : [];
  });
  return {
    name: best.name,
    score: first.score,
    ties,
    evidence: evidenceOf(others.length, areTooFew, ties.length),
  };
}

function evidenceOf(others: number, areTooFew: boolean, ties: number): Evidence {
  if (others === 0) return 'OnlyCandidate';
  if (areTooFew) return 'TooFewSamples';
  return ties > 0 ? 'Tied' : 'Significant';
}
