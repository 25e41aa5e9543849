import { canonicalJson } from '../core/canonical-json.ts';
import type { StoredAttempt, StoredRun, StoredTrialDetails } from '../results/result-store.ts';
import type { Finding } from './difference.ts';
import type { VariantPair } from './paired-variants.ts';

/** A trial as both runs have it. */
export interface TrialPair {
  /** Variant by the first run's name, and repetition: `lru, repetition 0`. */
  readonly label: string;
  readonly first: StoredTrialDetails;
  readonly second: StoredTrialDetails;
}

/** How the program of an attempt exited. */
export type ExitClass = 'exit code 0' | 'another exit code' | 'a signal' | 'no exit';

/** The trials of variants that both runs have, by their repetitions; how many each has is a finding. */
export function pairedTrials(
  first: StoredRun,
  second: StoredRun,
  variants: readonly VariantPair[],
): { readonly pairs: readonly TrialPair[]; readonly findings: readonly Finding[] } {
  const ofFirst = trialsByVariant(first);
  const ofSecond = trialsByVariant(second);
  const pairs: TrialPair[] = [];
  const findings: Finding[] = [];
  for (const variant of variants) {
    const one = ofFirst.get(variant.first.id) ?? [];
    const other = new Map((ofSecond.get(variant.second.id) ?? []).map((trial) => [trial.repetition, trial]));
    const { name } = variant.first;
    if (one.length !== other.size)
      findings.push({
        kind: 'RepetitionsDiffer',
        subject: null,
        text: `variant ${name} has ${one.length} and ${other.size} trials`,
      });
    for (const trial of one) {
      const counterpart = other.get(trial.repetition);
      if (counterpart !== undefined)
        pairs.push({ label: `${name}, repetition ${trial.repetition}`, first: trial, second: counterpart });
    }
  }
  return { pairs, findings };
}

function trialsByVariant({ trialDetails }: StoredRun): ReadonlyMap<string, readonly StoredTrialDetails[]> {
  const trials = new Map<string, StoredTrialDetails[]>();
  for (const trial of trialDetails) {
    const list = trials.get(trial.variantId);
    if (list === undefined) trials.set(trial.variantId, [trial]);
    else list.push(trial);
  }
  for (const list of trials.values()) list.sort((one, other) => one.repetition - other.repetition);
  return trials;
}

/** How trials ended otherwise: by the attempt that decided. How many attempts came before it is no difference. */
export function endFindings({ label, first, second }: TrialPair): readonly Finding[] {
  const [one, other] = [endOf(first), endOf(second)];
  return [
    ...(one.outcome === other.outcome
      ? []
      : [
          {
            kind: 'OutcomeDiffers' as const,
            subject: null,
            text: `${label}: ${one.outcome} and ${other.outcome}`,
          },
        ]),
    ...(one.exit === other.exit
      ? []
      : [
          {
            kind: 'ExitClassDiffers' as const,
            subject: null,
            text: `${label}: ${one.exit} and ${other.exit}`,
          },
        ]),
  ];
}

/** Outcomes that say nothing of the program. */
const WITHOUT_THE_PROGRAM: ReadonlySet<string> = new Set(['Infrastructure', 'Cancelled']);

/** True when the program came to an end of its own in neither run, so that they are the same in nothing but that. */
export const isUntried = ({ first, second }: TrialPair): boolean =>
  [first, second].every((trial) => WITHOUT_THE_PROGRAM.has(endOf(trial).outcome));

/** Of a trial that was taken over from an earlier run there are no attempts; its result is one that succeeded. */
function endOf({ phase, attempts, reusedFrom }: StoredTrialDetails): {
  readonly outcome: string;
  readonly exit: ExitClass;
} {
  const decisive = attempts.reduce<StoredAttempt | undefined>(
    (last, attempt) => (last === undefined || attempt.attempt > last.attempt ? attempt : last),
    undefined,
  );
  if (reusedFrom !== undefined || phase === 'Succeeded') return { outcome: 'Succeeded', exit: 'exit code 0' };
  return {
    outcome: phase === 'Failed' ? (decisive?.outcome ?? phase) : phase,
    exit: decisive === undefined ? 'no exit' : exitClassOf(decisive),
  };
}

/** By the reasons that the core gives: an exit code above 128 alone may be the program's own. */
export function exitClassOf({ exitCode, reason }: Pick<StoredAttempt, 'exitCode' | 'reason'>): ExitClass {
  if (exitCode === undefined) return 'no exit';
  if (exitCode === 0) return 'exit code 0';
  return reason === 'Signalled' || reason === 'OOMKilled' ? 'a signal' : 'another exit code';
}

/** Values of exact metrics that are not the same in trials that succeeded in both runs. */
export function exactMetricFindings(
  { label, first, second }: TrialPair,
  metrics: readonly string[],
): readonly Finding[] {
  if (first.phase !== 'Succeeded' || second.phase !== 'Succeeded') return [];
  return metrics.flatMap((metric): readonly Finding[] => {
    const [one, other] = [first.metrics.get(metric), second.metrics.get(metric)];
    if (one === other) return [];
    const text = `${label}: ${one ?? 'no value'} and ${other ?? 'no value'}`;
    return [{ kind: 'ExactMetricDiffers', subject: metric, text }];
  });
}

/** Outputs that are not the same JSON in trials that succeeded in both runs. What they hold is not told. */
export function outputFindings({ label, first, second }: TrialPair): readonly Finding[] {
  if (first.phase !== 'Succeeded' || second.phase !== 'Succeeded') return [];
  const [one, other] = [first.outputs ?? {}, second.outputs ?? {}];
  const names = [...new Set([...Object.keys(one), ...Object.keys(other)])].sort();
  const differing = names.filter(
    (name) =>
      Object.hasOwn(one, name) !== Object.hasOwn(other, name) ||
      canonicalJson(one[name]) !== canonicalJson(other[name]),
  );
  return differing.map((name) => ({ kind: 'OutputsDiffer', subject: name, text: label }));
}
