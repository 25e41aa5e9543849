import type { Comparison, Objective } from '../api/v1alpha1/schema.ts';
import { type ComparedSamples, type JudgedDifference, judged } from './baseline-comparison.ts';
import { type Candidate, positionOfMetric, repetitionsOf } from './candidate.ts';
import { momentsOf } from './moments.ts';

/** What a run is compared with of the earlier run that was chosen for it when it was registered. */
export interface PreviousRun {
  readonly uid: string;
  readonly startedAt: Date;
  /**
   * What it measured of the variants with the same parameters: by the name that the variant has in the later run, then by metric. At least
   * one value each. A copy, which outlives the earlier run.
   */
  readonly samples: ReadonlyMap<string, ReadonlyMap<string, PreviousSample>>;
}

/** The values of one metric, by repetition. */
export interface PreviousSample {
  readonly values: readonly number[];
  /** Which repetitions they are of; undefined when that was not kept, as it was not at first. */
  readonly repetitions: readonly number[] | undefined;
}

/** A verdict, and what it is on. */
export interface PreviousVerdict extends JudgedDifference, Pick<ComparedSamples, 'sample' | 'reference'> {}

/** The metrics that gates compare with the earlier run; none when it need not be looked for. */
export const metricsAgainstPreviousRun = ({ gates = [] }: Pick<Comparison, 'gates'>): readonly string[] =>
  gates.flatMap(({ metric, against }) => (against === 'PreviousRun' ? [metric] : []));

/**
 * The verdicts on every candidate that the earlier run has, on the metrics of the gates that compare with it: by candidate, then by metric.
 * All of them are {@link judged} together, each on its {@link sharedMoments}.
 */
export function previousVerdicts(
  objective: Objective,
  comparison: Pick<Comparison, 'confidence' | 'gates'>,
  { samples }: PreviousRun,
  candidates: readonly Candidate[],
): ReadonlyMap<string, ReadonlyMap<string, PreviousVerdict>> {
  const gated = metricsAgainstPreviousRun(comparison).map((metric) => ({
    metric,
    position: positionOfMetric(objective, metric),
  }));
  const comparisons = candidates.flatMap((candidate) =>
    gated.flatMap(({ metric, position }) => {
      const values = candidate.samples[position];
      const sample = samples.get(candidate.name)?.get(metric);
      const goal = objective.metrics[position]?.goal;
      if (values === undefined || sample === undefined || goal === undefined) return [];
      return [
        { name: candidate.name, metric, goal, ...sharedMoments(values, repetitionsOf(candidate), sample) },
      ];
    }),
  );
  const verdicts = judged(comparisons, Number(comparison.confidence));
  const byName = new Map<string, Map<string, PreviousVerdict>>();
  for (const [index, { name, metric, sample, reference }] of comparisons.entries()) {
    const verdict = verdicts[index];
    if (verdict === undefined) continue;
    const ofCandidate = byName.get(name) ?? new Map<string, PreviousVerdict>();
    byName.set(name, ofCandidate.set(metric, { ...verdict, sample, reference }));
  }
  return byName;
}

/**
 * Of the repetitions that both runs have. What drifts while a run is under way, as caches that warm up, would otherwise tell the first trials of a
 * variant, where one of the runs stopped it early or asked for fewer, from all of them. All values where it is not known which repetitions they
 * are of, and where none is shared.
 */
function sharedMoments(
  values: readonly number[],
  repetitions: readonly number[],
  previous: PreviousSample,
): Pick<ComparedSamples, 'sample' | 'reference'> {
  const before = new Map(
    previous.repetitions?.map((repetition, trial) => [repetition, previous.values[trial]]),
  );
  const pairs = repetitions.flatMap((repetition, trial) => {
    const [value, earlier] = [values[trial], before.get(repetition)];
    return value === undefined || earlier === undefined ? [] : [{ value, earlier }];
  });
  if (pairs.length === 0) return { sample: momentsOf(values), reference: momentsOf(previous.values) };
  return {
    sample: momentsOf(pairs.map(({ value }) => value)),
    reference: momentsOf(pairs.map(({ earlier }) => earlier)),
  };
}
