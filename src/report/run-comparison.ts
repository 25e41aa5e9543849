import { judged, type Verdict } from '../comparison/baseline-comparison.ts';
import type { ComparisonRow, MetricSummary } from '../comparison/comparison-matrix.ts';
import { areEqualButForRounding } from '../comparison/rounding.ts';
import { changedDataText } from './changed-data.ts';
import { summaryOf } from './comparison-columns.ts';
import type { ReportedRun, RunReport } from './run-report.ts';

/** One metric of one variant in both runs. */
export interface ComparedMetric {
  /** By the objective of the run; null for a metric that is not part of it. */
  readonly goal: 'minimize' | 'maximize' | null;
  /** Null when no trial of the variant reported the metric in this run. */
  readonly run: ComparedValue | null;
  readonly against: ComparedValue | null;
  /** The mean of the run less that of the other; null when one is not known. */
  readonly difference: number | null;
  /** The difference in percent of the other run's mean, which it is null for where that is 0. */
  readonly percent: number | null;
  /** Of Welch's t-test, adjusted for all comparisons of the objective's metrics; null for other metrics and with too few values. */
  readonly adjustedPValue: number | null;
  /**
   * By the goal and the run's confidence; null without a goal, when one of the means is not known, on a variant that has failed trials or was
   * stopped early, and where `whyNoVerdicts` says why.
   */
  readonly verdict: Verdict | null;
}

export type ComparedValue = Pick<MetricSummary, 'n' | 'mean' | 'stddev'>;

/** A variant that both runs have, by its name. */
export interface ComparedVariant {
  readonly variant: string;
  /** True when what the variant runs, which is its pod template and its parameters, differs between the runs. */
  readonly changed: boolean;
  readonly rank: { readonly run: number | null; readonly against: number | null };
  /** Trials that failed. When any did there are no verdicts: what survived would make the variant look better than it is. */
  readonly failed: { readonly run: number; readonly against: number };
  /**
   * The look at which the variant was stopped early; null in a run that did not stop it. When one did there are no verdicts: what drifts while a run is
   * under way would tell its first trials from all of the other run's.
   */
  readonly stoppedAtLook: { readonly run: number | null; readonly against: number | null };
  /** Those of the objective first. */
  readonly metrics: Readonly<Record<string, ComparedMetric>>;
}

/**
 * One run against another, usually an earlier one; as JSON it is what `--compare … -o json` prints. Fields are added to it, never
 * renamed or removed. Scores are left out: they say nothing across runs.
 */
export interface RunComparison {
  readonly run: ReportedRun;
  readonly against: ReportedRun;
  /** That of the run. */
  readonly objective: RunReport['objective'];
  /** Of the verdicts; that of the run. */
  readonly confidence: number;
  /** Why there is no verdict on any variant, which is that shared data of a run changed; the end of a sentence. Null where there may be some. */
  readonly whyNoVerdicts: string | null;
  /** In the order of the run's matrix, the best first. */
  readonly variants: readonly ComparedVariant[];
  /** Names of the variants that only one of the runs has. */
  readonly onlyInRun: readonly string[];
  readonly onlyInAgainst: readonly string[];
}

/**
 * The comparison of two runs, variant by variant. Verdicts are those that variants get against a baseline: all of them together are wrong
 * by chance with a probability of at most 1 − the run's confidence. Whether something else than chance and the variants differed between
 * the runs (the machine, its load), they cannot tell.
 */
export function runComparison(report: RunReport, other: RunReport): RunComparison {
  const others = new Map(other.matrix.map((row) => [row.variant, row]));
  const names = new Set(report.matrix.map(({ variant }) => variant));
  const pairs = report.matrix.flatMap((row) => {
    const otherRow = others.get(row.variant);
    return otherRow === undefined ? [] : [{ row, other: otherRow }];
  });
  const whyNoVerdicts = changedDataText([report.run, other.run]);
  const judgements = judgementsOf(whyNoVerdicts === null ? pairs.filter(isJudged) : [], report);
  return {
    run: report.run,
    against: other.run,
    objective: report.objective,
    confidence: report.comparison.confidence,
    whyNoVerdicts,
    variants: pairs.map((pair) => comparedVariant(pair, report.objective, judgements)),
    onlyInRun: report.matrix.flatMap(({ variant }) => (others.has(variant) ? [] : [variant])),
    onlyInAgainst: other.matrix.flatMap(({ variant }) => (names.has(variant) ? [] : [variant])),
  };
}

/** A variant in both runs. */
interface VariantPair {
  readonly row: ComparisonRow;
  readonly other: ComparisonRow;
}

/**
 * True for a variant that has no failed trial and was not stopped early in either run. What the same look left of it in both is no exception: the
 * trials that ran just then may have finished, and a report does not tell which repetitions it has.
 */
const isJudged = ({ row, other }: VariantPair): boolean =>
  [row, other].every(({ trials, stoppedAtLook }) => trials.failed === 0 && stoppedAtLook === null);

type Judgement = Pick<ComparedMetric, 'adjustedPValue' | 'verdict'>;

/** By pair, then by metric of the objective. */
type Judgements = ReadonlyMap<VariantPair, ReadonlyMap<string, Judgement>>;

function judgementsOf(pairs: readonly VariantPair[], { objective, comparison }: RunReport): Judgements {
  const comparisons = pairs.flatMap((pair) =>
    objective.flatMap(({ metric, goal }) => {
      const sample = summaryOf(pair.row, metric);
      const reference = summaryOf(pair.other, metric);
      return sample === undefined || reference === undefined
        ? []
        : [{ pair, metric, goal, sample, reference }];
    }),
  );
  const verdicts = judged(comparisons, comparison.confidence);
  const byPair = new Map<VariantPair, Map<string, Judgement>>(pairs.map((pair) => [pair, new Map()]));
  for (const [position, { pair, metric }] of comparisons.entries()) {
    const verdict = verdicts[position];
    if (verdict !== undefined) byPair.get(pair)?.set(metric, verdict);
  }
  return byPair;
}

function comparedVariant(
  pair: VariantPair,
  objective: RunReport['objective'],
  judgements: Judgements,
): ComparedVariant {
  const { row, other } = pair;
  const goals = new Map(objective.map(({ metric, goal }) => [metric, goal]));
  const names = new Set([...goals.keys(), ...Object.keys(row.metrics), ...Object.keys(other.metrics)]);
  const judgementOf = (name: string): Judgement =>
    judgements.get(pair)?.get(name) ?? { adjustedPValue: null, verdict: null };
  return {
    variant: row.variant,
    changed: row.variantId !== other.variantId,
    rank: { run: row.rank, against: other.rank },
    failed: { run: row.trials.failed, against: other.trials.failed },
    stoppedAtLook: { run: row.stoppedAtLook, against: other.stoppedAtLook },
    metrics: Object.fromEntries(
      [...names].map((name) => [
        name,
        comparedMetric(
          summaryOf(row, name),
          summaryOf(other, name),
          goals.get(name) ?? null,
          judgementOf(name),
        ),
      ]),
    ),
  };
}

function comparedMetric(
  run: MetricSummary | undefined,
  against: MetricSummary | undefined,
  goal: ComparedMetric['goal'],
  judgement: Judgement,
): ComparedMetric {
  const values = { goal, run: comparedValue(run), against: comparedValue(against) };
  if (run === undefined || against === undefined)
    return { ...values, difference: null, percent: null, adjustedPValue: null, verdict: null };
  const difference = areEqualButForRounding(run.mean, against.mean) ? 0 : run.mean - against.mean;
  return {
    ...values,
    difference: finiteOrNull(difference),
    percent: finiteOrNull((difference / Math.abs(against.mean)) * 100),
    ...judgement,
  };
}

const comparedValue = (summary: MetricSummary | undefined): ComparedValue | null =>
  summary === undefined ? null : { n: summary.n, mean: summary.mean, stddev: summary.stddev };

/** Division by a mean of 0 and differences of very large numbers have no finite result. */
const finiteOrNull = (value: number): number | null => (Number.isFinite(value) ? value : null);
