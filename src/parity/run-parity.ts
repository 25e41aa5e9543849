import { comparisonOf, variantRecords } from '../comparison/comparable-run.ts';
import { runConclusion } from '../comparison/run-conclusion.ts';
import { canonicalJson } from '../core/canonical-json.ts';
import { changedDataText } from '../report/changed-data.ts';
import { counted } from '../report/counted.ts';
import { type ReportedRun, reportedRun } from '../report/run-report.ts';
import { shortUid } from '../report/run-text.ts';
import type { StoredRun } from '../results/result-store.ts';
import { type DifferenceKind, type Finding, groupedFindings, type ParityDifference } from './difference.ts';
import { type MetricParity, metricParity, metricText, type RecordPair } from './metric-parity.ts';
import {
  endFindings,
  exactMetricFindings,
  isUntried,
  outputFindings,
  pairedTrials,
  type TrialPair,
} from './paired-trials.ts';
import { pairedVariants, type VariantPair } from './paired-variants.ts';
import { type ProgramDifference, programDifferences } from './program-differences.ts';
import { programView } from './program-view.ts';
import { bestParity, rankingFindings } from './ranking-parity.ts';

/** How strictly two runs are compared. */
export interface RunParityOptions {
  /** Metrics that a program that is the same gives exactly the same in each trial. Default: none. */
  readonly exact?: readonly string[];
  /** Compares the outputs of trials exactly as well. Default: false. */
  readonly exactOutputs?: boolean;
  /** How far the means of other metrics may be apart, in percent of the larger one. Default: 5. */
  readonly tolerancePercent?: number;
}

export const DEFAULT_TOLERANCE_PERCENT = 5;

/**
 * - `Different`: something differs.
 * - `Undecided`: nothing does for certain, and the values vary too much, or are too few, to say that nothing does.
 * - `Same`: everything that is compared is the same.
 */
export type ParityVerdict = 'Same' | 'Different' | 'Undecided';

/**
 * Two finished runs compared; as JSON it is what `batchtest parity RUN1 RUN2 -o json` prints. Fields are added to it, never renamed or removed.
 */
export interface RunParity {
  readonly first: ReportedRun;
  readonly second: ReportedRun;
  readonly verdict: ParityVerdict;
  readonly exact: readonly string[];
  readonly exactOutputs: boolean;
  readonly tolerancePercent: number;
  /** Of intervals and tests: that of the first run's manifest. */
  readonly confidence: number;
  /** Variants and trials that both runs have. */
  readonly compared: { readonly variants: number; readonly trials: number };
  readonly differences: readonly ParityDifference[];
  /** Why it is undecided; sentences. */
  readonly undecided: readonly string[];
  readonly metrics: readonly MetricParity[];
  /** What cannot be compared, and why; without effect on the verdict. */
  readonly notes: readonly string[];
}

/**
 * Compares two finished runs: what was run, what the program was told, how it ended, what it measured, what came of it. Pure: the same
 * stored runs give the same answer.
 */
export function runParity(
  first: StoredRun,
  second: StoredRun,
  { exact = [], exactOutputs = false, tolerancePercent = DEFAULT_TOLERANCE_PERCENT }: RunParityOptions = {},
): RunParity {
  const confidence = Number(comparisonOf(first).confidence);
  const variants = pairedVariants(first, second, ({ uid }) => shortUid(uid));
  const trials = pairedTrials(first, second, variants.pairs);
  const program = programFindings(first, second, variants.pairs);
  const metrics = metricParity(pairedRecords(first, second, variants.pairs), {
    exact,
    tolerance: tolerancePercent / 100,
    confidence,
  });
  const conclusions = [runConclusion(first), runConclusion(second)] as const;
  const best = bestParity(conclusions[0].best, conclusions[1].best, variants.pairs);
  const findings: readonly Finding[] = [
    ...variants.findings,
    ...trials.findings,
    ...objectiveFindings(first, second),
    ...program.findings,
    ...differing('RunEndDiffers', 'the runs ended as', first.state, second.state),
    ...trials.pairs.flatMap(endFindings),
    ...trials.pairs.flatMap((pair) => exactMetricFindings(pair, exact)),
    ...metrics.findings,
    ...(exactOutputs ? trials.pairs.flatMap(outputFindings) : []),
    ...(best.kind === 'Different' ? [{ kind: 'BestDiffers' as const, subject: null, text: best.text }] : []),
    ...rankingFindings(first, second, variants.pairs, confidence),
    ...differing(
      'GateDiffers',
      'the gates came out as',
      conclusions[0].gate ?? 'none',
      conclusions[1].gate ?? 'none',
    ),
  ];
  const changed = changedDataText([first, second]);
  const undecided = [
    ...(trials.pairs.length === 0 ? ['the runs have no trial in common'] : []),
    ...(changed === null ? [] : [changed]),
    ...untriedPairs(trials.pairs),
    ...undecidedMetrics(metrics.metrics),
    ...(best.kind === 'Undecided' ? [best.text] : []),
    ...unknownExact(trials.pairs, exact),
  ];
  return {
    first: reportedRun(first),
    second: reportedRun(second),
    verdict: findings.length > 0 ? 'Different' : undecided.length > 0 ? 'Undecided' : 'Same',
    exact,
    exactOutputs,
    tolerancePercent,
    confidence,
    compared: { variants: variants.pairs.length, trials: trials.pairs.length },
    differences: groupedFindings(findings),
    undecided,
    metrics: metrics.metrics,
    notes: program.notes,
  };
}

function pairedRecords(
  first: StoredRun,
  second: StoredRun,
  pairs: readonly VariantPair[],
): readonly RecordPair[] {
  const ofFirst = new Map(variantRecords(first).map((record) => [record.variant.id, record]));
  const ofSecond = new Map(variantRecords(second).map((record) => [record.variant.id, record]));
  return pairs.flatMap((pair) => {
    const [one, other] = [ofFirst.get(pair.first.id), ofSecond.get(pair.second.id)];
    return one === undefined || other === undefined ? [] : [{ first: one, second: other }];
  });
}

const differing = (kind: DifferenceKind, what: string, one: string, other: string): readonly Finding[] =>
  one === other ? [] : [{ kind, subject: null, text: `${what} ${one} and ${other}` }];

/** A weight may be written as a string or as a number. */
function objectiveFindings(first: StoredRun, second: StoredRun): readonly Finding[] {
  const textOf = ({ manifest }: StoredRun): string =>
    canonicalJson(
      manifest.spec.objective.metrics
        .map(({ name, goal, weight }) => ({ name, goal, weight: Number(weight) }))
        .toSorted((one, other) => (one.name < other.name ? -1 : 1)),
    );
  if (textOf(first) === textOf(second)) return [];
  const text =
    'the objectives have other metrics, goals or weights, so that their best variants are not comparable';
  return [{ kind: 'ObjectiveDiffers', subject: null, text }];
}

/**
 * What the programs were told is not stored; it follows from the stored manifests by the functions that the engines use.
 */
function programFindings(
  first: StoredRun,
  second: StoredRun,
  pairs: readonly VariantPair[],
): { readonly findings: readonly Finding[]; readonly notes: readonly string[] } {
  const findings: Finding[] = [];
  const notes = new Set<string>();
  for (const pair of pairs) {
    // The same variant for both: another name or other parameters are findings of their own.
    const trial = { variant: pair.first, repetition: 0 };
    const differences = programDifferences(
      programView(first.engine, first.manifest, trial),
      programView(second.engine, second.manifest, trial),
    );
    for (const difference of differences) {
      const subject = difference.kind === 'Variable' ? (difference.name ?? '') : null;
      if (difference.how === 'Unknown') notes.add(notComparedText(difference));
      else
        findings.push({
          kind: difference.kind === 'Variable' ? 'EnvironmentDiffers' : 'CommandDiffers',
          subject,
          text: `variant ${pair.first.name}: ${howText(difference, first, second)}`,
        });
    }
  }
  return { findings, notes: [...notes] };
}

function notComparedText({ kind, name }: ProgramDifference): string {
  switch (kind) {
    case 'Command':
      return 'the command was not compared: an image, a Secret, a ConfigMap or the pod has it';
    case 'Arguments':
      return 'the arguments were not compared: a Secret, a ConfigMap or the pod has a part of them';
    case 'Variable':
      return `the variable ${name} was not compared: an image, a Secret, a ConfigMap or the pod has it`;
  }
}

function howText({ kind, how }: ProgramDifference, first: StoredRun, second: StoredRun): string {
  if (kind === 'Command') return 'runs another command';
  if (kind === 'Arguments') return 'has other arguments';
  switch (how) {
    case 'OnlyFirst':
      return `is set in run ${shortUid(first.uid)} only`;
    case 'OnlySecond':
      return `is set in run ${shortUid(second.uid)} only`;
    case 'Differs':
    case 'Unknown':
      return 'has another value';
  }
}

/** By metric and by why it cannot be told. */
function undecidedMetrics(metrics: readonly MetricParity[]): readonly string[] {
  const groups = new Map<string, { readonly why: string; readonly parities: MetricParity[] }>();
  for (const parity of metrics) {
    if (parity.how !== 'Statistical' || parity.verdict !== 'Undecided') continue;
    const why = parity.interval === null ? 'too few trials to tell' : 'the values vary too much to tell';
    const key = `${parity.metric} ${why}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, { why, parities: [parity] });
    else group.parities.push(parity);
  }
  return [...groups.values()].flatMap(({ why, parities }) => {
    const [example] = parities;
    return example === undefined
      ? []
      : [`${example.metric} of ${counted(parities.length, 'variant')}: ${why}, as of ${metricText(example)}`];
  });
}

function untriedPairs(pairs: readonly TrialPair[]): readonly string[] {
  const untried = pairs.filter(isUntried).length;
  return untried === 0
    ? []
    : [`${counted(untried, 'trial')} came to an end of the program's own in neither run`];
}

/** An exact metric that no pair of trials has was not compared, which must not look like a success. */
function unknownExact(pairs: readonly TrialPair[], exact: readonly string[]): readonly string[] {
  const isCompared = (metric: string): boolean =>
    pairs.some(({ first, second }) => first.metrics.has(metric) && second.metrics.has(metric));
  return exact
    .filter((metric) => !isCompared(metric))
    .map((metric) => `no trial reported the exact metric ${metric} in both runs`);
}
