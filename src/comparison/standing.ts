import type { Objective } from '../api/v1alpha1/schema.ts';
import { positionOfMetric } from './candidate.ts';
import { betterBy } from './goal.ts';
import { type ObjectiveMeans, scoreOf, shortfalls } from './score.ts';

/** A candidate's place among the others. */
export interface Standing {
  /** Index of the candidate. */
  readonly candidate: number;
  readonly score: number;
  /** 1 is best; equal scores share a rank and leave out the following ones (1, 2, 2, 4). Null for a candidate that was stopped early. */
  readonly rank: number | null;
}

/** What a candidate's place depends on. */
export interface Contender {
  readonly means: ObjectiveMeans;
  readonly isStopped: boolean;
}

/**
 * The candidates, the best first, and behind all others those that were stopped early. Among equal scores {@link leadAmongEquals} decides, then the
 * order in which the candidates are given, which is the manifest's.
 */
export function standings(
  objective: Objective,
  tieBreak: readonly string[],
  candidates: readonly Contender[],
): readonly Standing[] {
  const lead = leadAmongEquals(objective, tieBreak);
  const short = shortfalls(
    objective,
    candidates.map(({ means }) => means),
  );
  const order = candidates.map((contender, candidate) => ({
    ...contender,
    candidate,
    shortfall: short[candidate] ?? 1,
  }));
  order.sort(
    (one, other) =>
      Number(one.isStopped) - Number(other.isStopped) ||
      one.shortfall - other.shortfall ||
      lead(other.means, one.means) ||
      one.candidate - other.candidate,
  );
  let rank = 0;
  return order.map(({ shortfall, candidate, isStopped }, position) => {
    const score = scoreOf(shortfall);
    if (isStopped) return { candidate, score, rank: null };
    if (shortfall !== order[position - 1]?.shortfall) rank = position + 1;
    return { candidate, score, rank };
  });
}

/**
 * Positive when the first of two candidates with equal scores is preferred: by the first metric of `tieBreak` that differs, then by the first other
 * one in the objective's order; 0 when none does. With all metrics in it, it never prefers one that is worse on a metric and better on none: a
 * difference that is too small for the score, beside a range made by another variant, still counts.
 */
export function leadAmongEquals(
  objective: Objective,
  tieBreak: readonly string[],
): (one: ObjectiveMeans, other: ObjectiveMeans) => number {
  const deciding = new Set([
    ...tieBreak.map((metric) => positionOfMetric(objective, metric)),
    ...objective.metrics.keys(),
  ]);
  return (one, other) => {
    for (const position of deciding) {
      const goal = objective.metrics[position]?.goal ?? 'minimize';
      const gain = betterBy(goal, one[position] ?? Number.NaN, other[position] ?? Number.NaN);
      if (gain !== 0) return gain;
    }
    return 0;
  };
}
