import type { Objective } from '../api/v1alpha1/schema.ts';
import { betterBy } from './goal.ts';
import { type ObjectiveMeans, shortfalls } from './score.ts';

/**
 * The indices of the candidates that no other one dominates: no other one is at least as good on every metric and better on one. Weights
 * play no part. Candidates are looked at from the best score down, because then those on the front come early and the others are
 * compared with few (J. Chomicki et al., "Skyline with Presorting", 2003).
 */
export function paretoFront(
  objective: Objective,
  candidates: readonly ObjectiveMeans[],
): ReadonlySet<number> {
  const order = shortfalls(objective, candidates).map((shortfall, index) => ({ shortfall, index }));
  order.sort((one, other) => one.shortfall - other.shortfall);
  const goals = objective.metrics.map(({ goal }) => goal);
  let front: Member[] = [];
  for (const { index, shortfall } of order) {
    const means = candidates[index] ?? [];
    if (front.some((member) => dominates(goals, member.means, means))) continue;
    // They are rounded: an earlier one that is as good may be worse by less than can be told.
    if (front.at(-1)?.shortfall === shortfall)
      front = front.filter(
        (member) => member.shortfall !== shortfall || !dominates(goals, means, member.means),
      );
    front.push({ index, shortfall, means });
  }
  return new Set(front.map(({ index }) => index));
}

interface Member {
  readonly index: number;
  readonly shortfall: number;
  readonly means: ObjectiveMeans;
}

function dominates(
  goals: readonly ('minimize' | 'maximize')[],
  one: ObjectiveMeans,
  other: ObjectiveMeans,
): boolean {
  let isBetter = false;
  // The innermost loop of all: an iterator would take most of the time.
  for (let position = 0; position < goals.length; position += 1) {
    const goal = goals[position] ?? 'minimize';
    const gain = betterBy(goal, one[position] ?? Number.NaN, other[position] ?? Number.NaN);
    if (gain < 0) return false;
    if (gain > 0) isBetter = true;
  }
  return isBetter;
}
