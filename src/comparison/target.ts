import type { Objective } from '../api/v1alpha1/schema.ts';
import { betterBy } from './goal.ts';
import type { ObjectiveMeans } from './score.ts';

/** True when the objective has a target and the means meet every one: at most the target to minimize, at least the target to maximize, but for rounding. */
export function meetsTargets({ metrics }: Objective, means: ObjectiveMeans): boolean {
  const targets = metrics.flatMap(({ goal, target }, position) =>
    target === undefined ? [] : [{ goal, target: Number(target), mean: means[position] ?? Number.NaN }],
  );
  return targets.length > 0 && targets.every(({ goal, target, mean }) => betterBy(goal, mean, target) >= 0);
}

/** The targets of an objective for a person: `p95_ms at most 40, throughput at least 1000`. */
export const targetsText = ({ metrics }: Objective): string =>
  metrics
    .flatMap(({ name, goal, target }) =>
      target === undefined ? [] : [`${name} ${goal === 'minimize' ? 'at most' : 'at least'} ${target}`],
    )
    .join(', ');
