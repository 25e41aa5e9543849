import type { Comparison, Objective } from '../api/v1alpha1/schema.ts';
import { type JudgedDifference, judged } from './baseline-comparison.ts';
import { type Candidate, positionOfMetric } from './candidate.ts';
import { momentsOf } from './moments.ts';

/** What a run is compared with of the earlier run that was chosen for it when it was registered. */
export interface PreviousRun {
  readonly uid: string;
  readonly startedAt: Date;
  /**
   * What it measured of the variants with the same parameters: by the name that the variant has in the later run, then by metric. At least
   * one value each. A copy, which outlives the earlier run.
   */
  readonly samples: ReadonlyMap<string, ReadonlyMap<string, readonly number[]>>;
}

/** The metrics that gates compare with the earlier run; none when it need not be looked for. */
export const metricsAgainstPreviousRun = ({ gates = [] }: Pick<Comparison, 'gates'>): readonly string[] =>
  gates.flatMap(({ metric, against }) => (against === 'PreviousRun' ? [metric] : []));

/**
 * The verdicts on every candidate that the earlier run has, on the metrics of the gates that compare with it: by candidate, then by metric.
 * All of them are {@link judged} together.
 */
export function previousVerdicts(
  objective: Objective,
  comparison: Pick<Comparison, 'confidence' | 'gates'>,
  { samples }: PreviousRun,
  candidates: readonly Candidate[],
): ReadonlyMap<string, ReadonlyMap<string, JudgedDifference>> {
  const gated = metricsAgainstPreviousRun(comparison).map((metric) => ({
    metric,
    position: positionOfMetric(objective, metric),
  }));
  const comparisons = candidates.flatMap((candidate) =>
    gated.flatMap(({ metric, position }) => {
      const values = candidate.samples[position];
      const previous = samples.get(candidate.name)?.get(metric);
      const goal = objective.metrics[position]?.goal;
      return values === undefined || previous === undefined || goal === undefined
        ? []
        : [
            {
              name: candidate.name,
              metric,
              goal,
              sample: momentsOf(values),
              reference: momentsOf(previous),
            },
          ];
    }),
  );
  const verdicts = judged(comparisons, Number(comparison.confidence));
  const byName = new Map<string, Map<string, JudgedDifference>>();
  for (const [index, { name, metric }] of comparisons.entries()) {
    const verdict = verdicts[index];
    if (verdict === undefined) continue;
    const ofCandidate = byName.get(name) ?? new Map<string, JudgedDifference>();
    byName.set(name, ofCandidate.set(metric, verdict));
  }
  return byName;
}
