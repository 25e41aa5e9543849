import type { Comparison, Gate, Objective, ObjectiveMetric } from '../api/v1alpha1/schema.ts';
import { type JudgedDifference, verdicts } from './baseline-comparison.ts';
import { type Candidate, meansOfSamples, ofComparedSamples, positionOfMetric } from './candidate.ts';
import { betterBy } from './goal.ts';
import { type PreviousRun, previousVerdicts } from './previous-run.ts';

/** What came of one limit of a gate. */
export interface GateResult {
  readonly metric: string;
  readonly rule: 'maxRegressionPercent' | 'min' | 'max';
  readonly limit: number;
  /** What a regression is measured against; null for `min` and `max`. */
  readonly against: Gate['against'] | null;
  /** UID of the earlier run that the variants were compared with; null when that is not asked for, or when there was none. */
  readonly previousRun: string | null;
  readonly result: 'Passed' | 'Failed' | 'NotEvaluable';
  /** A sentence for people, with the numbers. */
  readonly reason: string;
  /** The variants that do not keep the limit, the worst first. */
  readonly failing: readonly string[];
}

type Judgement = Pick<GateResult, 'result' | 'reason' | 'failing'>;

/**
 * What came of every limit, in the manifest's order. `min` and `max` are for the means of all candidates. `maxRegressionPercent` is for the
 * candidates other than the baseline, or for those that the earlier run has as well: one fails it whose mean is worse by more than that, in
 * percent of the baseline's (of the same repetitions, where the candidate was stopped early) or the earlier one (both of the repetitions that both
 * runs have), unless the verdict on it is NoDifference. So chance alone fails it with a probability of at most 1 − confidence, and one trial
 * per variant, of which no verdict is possible, is taken at its word.
 * @param previousRun the earlier run; undefined when there was none
 */
export function gateResults(
  objective: Objective,
  comparison: Comparison,
  candidates: readonly Candidate[],
  previousRun?: PreviousRun,
): readonly GateResult[] {
  const { baseline, confidence, gates = [] } = comparison;
  const isRelative = gates.some(
    ({ maxRegressionPercent, against }) => maxRegressionPercent !== undefined && against !== 'PreviousRun',
  );
  const judged =
    isRelative && baseline !== undefined
      ? verdicts(objective, Number(confidence), baseline, candidates)
      : new Map<string, readonly JudgedDifference[]>();
  const judgedByPrevious =
    previousRun === undefined ? undefined : previousVerdicts(objective, comparison, previousRun, candidates);
  const reference = candidates.find(({ name }) => name === baseline);
  const baselineMeansFor = reference && ofComparedSamples(reference, meansOfSamples);
  return gates.flatMap((gate) => {
    const position = positionOfMetric(objective, gate.metric);
    const metric = objective.metrics[position];
    if (metric === undefined) return [];
    const measured = candidates.map((candidate): MeasuredVariant => {
      const { name, samples } = candidate;
      const mean = meansOfSamples(samples)[position] ?? Number.NaN;
      const baselineMean = baselineMeansFor?.(candidate)[position];
      return { name, mean, baselineMean, verdict: judged.get(name)?.[position]?.verdict };
    });
    return limitsOf(gate).map(({ rule, limit }): GateResult => {
      const identity = { metric: gate.metric, rule, limit };
      if (rule !== 'maxRegressionPercent')
        return { ...identity, against: null, previousRun: null, ...bound(rule, limit, measured) };
      if (gate.against !== 'PreviousRun')
        return {
          ...identity,
          against: 'Baseline',
          previousRun: null,
          ...regression(metric, limit, baseline ?? '', measured),
        };
      const compared = measured.flatMap(({ name }) => {
        const since = judgedByPrevious?.get(name)?.get(gate.metric);
        if (since === undefined) return [];
        return [{ name, mean: since.sample.mean, verdict: since.verdict, reference: since.reference.mean }];
      });
      return {
        ...identity,
        against: 'PreviousRun',
        previousRun: previousRun?.uid ?? null,
        ...regressionSince(previousRun, metric, limit, compared, measured.length),
      };
    });
  });
}

/** Passed only when every limit is known to be kept: what cannot be evaluated lets nothing pass. Undefined without gates. */
export function overallGate(results: readonly GateResult[]): 'Passed' | 'Failed' | undefined {
  if (results.length === 0) return undefined;
  return results.every(({ result }) => result === 'Passed') ? 'Passed' : 'Failed';
}

interface MeasuredVariant {
  readonly name: string;
  readonly mean: number;
  /** What a regression since the baseline is measured by; undefined when the baseline is no candidate. */
  readonly baselineMean?: number | undefined;
  /** Undefined for the baseline, and when it was not compared. */
  readonly verdict: JudgedDifference['verdict'] | undefined;
}

const limitsOf = (gate: Gate): readonly Pick<GateResult, 'rule' | 'limit'>[] =>
  (['maxRegressionPercent', 'min', 'max'] as const).flatMap((rule) =>
    gate[rule] === undefined ? [] : [{ rule, limit: Number(gate[rule]) }],
  );

/** A variant and the mean that it is compared with. */
interface ComparedVariant extends MeasuredVariant {
  readonly reference: number;
}

function regression(
  { goal }: ObjectiveMetric,
  limit: number,
  baseline: string,
  measured: readonly MeasuredVariant[],
): Judgement {
  if (!measured.some(({ name }) => name === baseline))
    return notEvaluable(`the baseline ${baseline} has a failed trial, or no successful one`);
  const others = measured.filter(({ name }) => name !== baseline);
  if (others.length === 0) return notEvaluable(`there is no variant to compare with ${baseline}`);
  const compared = others.map((variant) => ({ ...variant, reference: variant.baselineMean ?? Number.NaN }));
  return regressionOf(goal, limit, compared, {
    than: baseline,
    zero: () => `the mean of the baseline ${baseline} is 0, of which there is no percentage`,
  });
}

/** Digits of a run's UID in a sentence: enough to find it again. */
const UID_DIGITS = 8;

/**
 * A workflow has to begin somewhere, and a variant is new once: what there is nothing to compare with is kept, and the reason says so. If that
 * failed the run, no run could ever become the earlier one of another.
 */
function regressionSince(
  previousRun: PreviousRun | undefined,
  { goal, name: metric }: ObjectiveMetric,
  limit: number,
  compared: readonly ComparedVariant[],
  measured: number,
): Judgement {
  if (measured === 0) return notEvaluable('no variant has only successful trials');
  if (previousRun === undefined)
    return passed(
      'nothing to compare with: no earlier run of this workflow is complete and passed its gates',
    );
  const run = `run ${previousRun.uid.slice(0, UID_DIGITS)}`;
  if (compared.length === 0)
    return passed(`nothing to compare with: ${run} has no ${metric} of variants with these parameters`);
  const { reason, ...judgement } = regressionOf(goal, limit, compared, {
    than: `in ${run}`,
    zero: (variant) => `the mean of ${variant} in ${run} is 0, of which there is no percentage`,
  });
  const others = measured - compared.length;
  if (others === 0) return { reason, ...judgement };
  return { reason: `${reason}; ${others} of ${measured} variants are not in that run`, ...judgement };
}

/** What a regression is told by: what the variants are compared with, and what to say of one that is compared with 0. */
interface RegressionWording {
  readonly than: string;
  readonly zero: (variant: string) => string;
}

function regressionOf(
  goal: ObjectiveMetric['goal'],
  limit: number,
  compared: readonly ComparedVariant[],
  { than, zero }: RegressionWording,
): Judgement {
  const regressions = compared.map((variant) => {
    const worse = betterBy(goal, variant.reference, variant.mean);
    return { ...variant, percent: worse === 0 ? 0 : (100 * worse) / Math.abs(variant.reference) };
  });
  regressions.sort((one, other) => other.percent - one.percent);
  const beyond = regressions.filter(
    ({ mean, reference }) => betterBy(goal, worstAllowed(goal, reference, limit), mean) > 0,
  );
  const failing = beyond.filter(({ verdict }) => verdict !== 'NoDifference');
  const withoutPercentage = failing.find(({ reference }) => reference === 0);
  if (withoutPercentage !== undefined) return notEvaluable(zero(withoutPercentage.name));
  const [worst = regressions[0]] = failing.length > 0 ? failing : beyond;
  if (worst === undefined || worst.percent <= 0) return passed(`no variant is worse than ${than}`);
  const means = `${numberText(worst.mean)} against ${numberText(worst.reference)}`;
  const percent = percentText(worst.percent, (shown) => shown > limit === beyond.length > 0);
  const text = `${worst.name} is ${percent}worse than ${than} (${means}), ${limit} % allowed`;
  if (failing.length > 0) return failed(text, failing);
  return passed(beyond.length > 0 ? `${text}, but the difference is not significant` : text);
}

/** The mean that is worse than the reference by just as many percent of it. The percentage of two close numbers would lose digits. */
function worstAllowed(goal: ObjectiveMetric['goal'], reference: number, percent: number): number {
  const allowance = Math.abs(reference) * (percent / 100);
  return goal === 'minimize' ? reference + allowance : reference - allowance;
}

function bound(rule: 'min' | 'max', limit: number, measured: readonly MeasuredVariant[]): Judgement {
  const ordered = measured.toSorted((one, other) =>
    rule === 'min' ? one.mean - other.mean : other.mean - one.mean,
  );
  const [extreme] = ordered;
  if (extreme === undefined) return notEvaluable('no variant has only successful trials');
  const wanted = rule === 'min' ? 'maximize' : 'minimize';
  const failing = ordered.filter(({ mean }) => betterBy(wanted, limit, mean) > 0);
  const mean = numberText(
    extreme.mean,
    (shown) => (rule === 'min' ? shown < limit : shown > limit) === failing.length > 0,
  );
  const text = `the ${rule === 'min' ? 'lowest' : 'highest'} mean is ${mean} (${extreme.name}), ${limit} allowed`;
  return failing.length > 0 ? failed(text, failing) : passed(text);
}

const passed = (reason: string): Judgement => ({ result: 'Passed', reason, failing: [] });
const notEvaluable = (reason: string): Judgement => ({ result: 'NotEvaluable', reason, failing: [] });
const failed = (text: string, failing: readonly MeasuredVariant[]): Judgement => ({
  result: 'Failed',
  reason: failing.length === 1 ? text : `${text}; ${failing.length} variants fail`,
  failing: failing.map(({ name }) => name),
});

/** Nothing when the baseline's mean is 0. */
const percentText = (percent: number, tells: (shown: number) => boolean): string =>
  Number.isFinite(percent) ? `${numberText(percent, tells)} % ` : '';

/** What tells one number from every other. */
const ALL_DIGITS = 17;

/** Five significant digits, or as many more as the number needs to tell on which side of a limit it is. */
function numberText(value: number, tells: (shown: number) => boolean = () => true): string {
  let digits = 5;
  while (digits < ALL_DIGITS && !tells(Number(value.toPrecision(digits)))) digits += 1;
  return String(Number(value.toPrecision(digits)));
}
