import type { Objective } from '../api/v1alpha1/schema.ts';
import { type BaselineComparison, differenceFromBaseline, verdicts } from './baseline-comparison.ts';
import { type Candidate, meansOfSamples } from './candidate.ts';
import {
  type ComparableRun,
  candidateOf,
  comparisonOf,
  ofComparedRecord,
  type VariantRecord,
  variantRecords,
} from './comparable-run.ts';
import { type Moments, momentsOf } from './moments.ts';
import { paretoFront } from './pareto-front.ts';
import { previousVerdicts } from './previous-run.ts';
import { type SampleSummary, sampleSummary } from './sample-summary.ts';
import { type Contender, standings } from './standing.ts';
import { criticalValues } from './student-t.ts';

/** One metric over the successful trials of one variant. */
export interface MetricSummary extends SampleSummary {
  /** Null without a baseline, for the baseline itself, and when one of the two is not compared. */
  readonly vsBaseline: BaselineComparison | null;
  /**
   * The comparison with the same variant of the earlier run, on the repetitions that both have; null where no gate compares with that, or it has no
   * such variant.
   */
  readonly vsPreviousRun: BaselineComparison | null;
}

/** How one variant did. */
export interface ComparisonRow {
  /** Name of the variant. */
  readonly variant: string;
  readonly variantId: string;
  readonly parameters: Readonly<Record<string, string>>;
  readonly trials: VariantRecord['trials'];
  /** Every metric that was reported: those of the objective in its order, then the others by name. */
  readonly metrics: Readonly<Record<string, MetricSummary>>;
  /** In [0, 1] as `scoreOf` defines it; null for a variant that has a failed trial, or no successful one, and in a run whose shared data changed meanwhile. */
  readonly score: number | null;
  /** 1 is best; equal scores share a rank and leave out the following ones (1, 2, 2, 4). Null for a variant that cannot be best. */
  readonly rank: number | null;
  /** The look at which it was found to be behind, so that no more of it was run; null unless it was stopped early. */
  readonly stoppedAtLook: number | null;
  /** True when no other ranked variant is at least as good on every metric of the objective and better on one. */
  readonly pareto: boolean;
}

/**
 * One row per variant, the best first, then those that were stopped early; variants without a score come last, in their own order. A
 * variant has a score when it has a successful trial and no failed one, as in `MetricSamples`. A run that cannot be compared has no scores.
 */
export function comparisonMatrix(run: ComparableRun): readonly ComparisonRow[] {
  const { objective } = run.manifest.spec;
  const { baseline, confidence, tieBreak = [] } = comparisonOf(run);
  const records = variantRecords(run);
  const ranked = records.flatMap((record) => {
    const candidate = candidateOf(record, run);
    return candidate === undefined ? [] : [{ record, candidate }];
  });
  const candidates = ranked.map(({ candidate }) => candidate);
  const contenders = candidates.map(({ samples, isStopped = false }) => ({
    means: meansOfSamples(samples),
    isStopped,
  }));
  const front = rankedFront(objective, contenders);
  const critical = criticalValues(Number(confidence));
  const compare = comparisonWith(baseline, objective, Number(confidence), records, candidates);
  const comparePrevious = comparisonWithPrevious(run, candidates);
  const row = (
    record: VariantRecord,
    isCompared: boolean,
  ): Omit<ComparisonRow, 'score' | 'rank' | 'pareto'> => {
    const compareMetric = compare(record);
    return {
      variant: record.variant.name,
      variantId: record.variant.id,
      parameters: record.variant.parameters,
      trials: record.trials,
      stoppedAtLook: record.variant.stoppedAtLook ?? null,
      metrics: Object.fromEntries(
        orderedMetrics(record, objective).map(([name, values]) => {
          const summary = sampleSummary(values, critical);
          const vsBaseline = isCompared ? compareMetric(name, summary) : null;
          const vsPreviousRun = isCompared ? comparePrevious(record.variant.name, name) : null;
          return [name, { ...summary, vsBaseline, vsPreviousRun }];
        }),
      ),
    };
  };
  const unranked = new Set(records);
  const rows = standings(objective, tieBreak, contenders).flatMap(({ candidate, score, rank }) => {
    const record = ranked[candidate]?.record;
    if (record === undefined) return [];
    unranked.delete(record);
    return [{ ...row(record, true), score, rank, pareto: front.has(candidate) }];
  });
  const rest = [...unranked].map((record) => ({
    ...row(record, false),
    score: null,
    rank: null,
    pareto: false,
  }));
  return [...rows, ...rest];
}

/**
 * The Pareto front among the contenders that may be ranked. One that was stopped early cannot be best, and must not take the best one off the
 * front by what it did in fewer trials.
 */
function rankedFront(objective: Objective, contenders: readonly Contender[]): ReadonlySet<number> {
  const ranked = [...contenders.keys()].filter((index) => contenders[index]?.isStopped === false);
  const front = paretoFront(
    objective,
    ranked.map((index) => contenders[index]?.means ?? []),
  );
  return new Set(ranked.filter((_, position) => front.has(position)));
}

/** The metrics of the objective in its order, then the others by name. */
function orderedMetrics(
  { samples }: VariantRecord,
  { metrics }: Objective,
): readonly (readonly [name: string, values: readonly number[]])[] {
  const first = metrics.map(({ name }) => name).filter((name) => samples.has(name));
  const others = [...samples.keys()].filter((name) => !first.includes(name)).sort();
  return [...first, ...others].map((name) => [name, samples.get(name) ?? []] as const);
}

/** Compares a metric of a candidate with that of the same variant of the earlier run; null where there is nothing to compare with. */
function comparisonWithPrevious(
  run: ComparableRun,
  candidates: readonly Candidate[],
): (variant: string, metric: string) => BaselineComparison | null {
  const { previousRun } = run;
  if (previousRun === undefined) return () => null;
  const { objective } = run.manifest.spec;
  const comparison = comparisonOf(run);
  const judged = previousVerdicts(objective, comparison, previousRun, candidates);
  return (variant, metric) => {
    const judgement = judged.get(variant)?.get(metric);
    if (judgement === undefined) return null;
    const { sample, reference, ...verdict } = judgement;
    return { ...differenceFromBaseline(sample, reference, Number(comparison.confidence)), ...verdict };
  };
}

const momentsByMetric = (samples: VariantRecord['samples']): ReadonlyMap<string, Moments> =>
  new Map([...samples].map(([metric, values]) => [metric, momentsOf(values)]));

/** Compares a metric of a candidate with the baseline's; null where there is nothing to compare with. */
function comparisonWith(
  baseline: string | undefined,
  objective: Objective,
  confidence: number,
  records: readonly VariantRecord[],
  candidates: readonly Candidate[],
): (record: VariantRecord) => (metric: string, summary: SampleSummary) => BaselineComparison | null {
  const isNotCompared = () => null;
  const reference = records.find(({ variant }) => variant.name === baseline);
  if (baseline === undefined || reference === undefined) return () => isNotCompared;
  if (!candidates.some(({ name }) => name === baseline)) return () => isNotCompared;
  const judged = verdicts(objective, confidence, baseline, candidates);
  const momentsFor = ofComparedRecord(reference, momentsByMetric);
  return (record) => {
    const variant = record.variant.name;
    if (variant === baseline) return isNotCompared;
    const moments = momentsFor(record);
    return (metric, summary) => {
      const against = moments.get(metric);
      if (against === undefined) return null;
      const difference = differenceFromBaseline(summary, against, confidence);
      const position = objective.metrics.findIndex(({ name }) => name === metric);
      return { ...difference, ...judged.get(variant)?.[position] };
    };
  };
}
