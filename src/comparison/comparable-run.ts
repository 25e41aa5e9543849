import { Defaults } from '../api/v1alpha1/constants.ts';
import type { Comparison, Objective } from '../api/v1alpha1/schema.ts';
import { type Candidate, trialsToCompare } from './candidate.ts';
import type { PreviousRun } from './previous-run.ts';

/** What of a run is compared; a stored run is one. Trials that have no accepted result have no metrics. */
export interface ComparableRun {
  readonly manifest: {
    readonly spec: {
      readonly objective: Objective;
      /** Absent in what was stored before there was such a field. */
      readonly comparison?: Comparison;
    };
  };
  readonly variants: readonly {
    readonly id: string;
    readonly name: string;
    readonly parameters: Readonly<Record<string, string>>;
    /** The look at which the variant was stopped early; undefined when it was not. */
    readonly stoppedAtLook?: number | undefined;
  }[];
  /** The earlier run that gates compare with; undefined when none does, and when there was none. */
  readonly previousRun?: PreviousRun | undefined;
  /** Why it is over; undefined while it is not. */
  readonly reason?: string | undefined;
  readonly trialDetails: readonly {
    readonly variantId: string;
    readonly repetition: number;
    readonly phase: 'Pending' | 'Succeeded' | 'Failed' | 'Cancelled' | 'Skipped';
    readonly metrics: ReadonlyMap<string, number>;
  }[];
}

/**
 * False for a run whose shared data changed meanwhile: which of its trials read what cannot be told, so nothing that it measured is called a result.
 * @param reason why the run is over; undefined while it is not
 */
export const canBeCompared = (reason: string | undefined): boolean => reason !== 'SharedDataChanged';

/** How a run is to be compared. */
export const comparisonOf = ({ manifest }: ComparableRun): Comparison =>
  manifest.spec.comparison ?? { confidence: Defaults.confidence };

/** What a run holds of one of its variants. */
export interface VariantRecord {
  readonly variant: ComparableRun['variants'][number];
  readonly trials: Readonly<
    Record<'total' | 'pending' | 'succeeded' | 'failed' | 'cancelled' | 'skipped', number>
  >;
  /** The successful trials, by repetition. */
  readonly successes: readonly SuccessfulTrial[];
  /** Their values by metric. */
  readonly samples: ReadonlyMap<string, readonly number[]>;
}

type SuccessfulTrial = Pick<ComparableRun['trialDetails'][number], 'repetition' | 'metrics'>;

/** A record of every variant, in their order. */
export function variantRecords({ variants, trialDetails }: ComparableRun): readonly VariantRecord[] {
  const records = new Map(
    variants.map((variant) => [
      variant.id,
      {
        variant,
        trials: { total: 0, pending: 0, succeeded: 0, failed: 0, cancelled: 0, skipped: 0 },
        successes: [] as SuccessfulTrial[],
      },
    ]),
  );
  for (const { variantId, repetition, phase, metrics } of trialDetails) {
    const record = records.get(variantId);
    if (record === undefined) continue;
    record.trials.total += 1;
    record.trials[countOf(phase)] += 1;
    if (phase === 'Succeeded') record.successes.push({ repetition, metrics });
  }
  return [...records.values()].map((record) => ({ ...record, samples: samplesOf(record.successes) }));
}

function samplesOf(trials: readonly SuccessfulTrial[]): ReadonlyMap<string, readonly number[]> {
  const samples = new Map<string, number[]>();
  for (const { metrics } of trials)
    for (const [name, value] of metrics) {
      const values = samples.get(name);
      if (values === undefined) samples.set(name, [value]);
      else values.push(value);
    }
  return samples;
}

/** As `ofComparedSamples`, of all metrics, by their names. */
export function ofComparedRecord<T>(
  reference: VariantRecord,
  derive: (samples: VariantRecord['samples']) => T,
): (record: VariantRecord) => T {
  const whole = derive(reference.samples);
  const { repetitions } = repeated(reference);
  return (record) => {
    const trials = trialsToCompare(repetitions, repeated(record));
    return trials === undefined
      ? whole
      : derive(samplesOf(trials.flatMap((trial) => reference.successes[trial] ?? [])));
  };
}

const repeated = ({ variant, successes }: Pick<VariantRecord, 'variant' | 'successes'>) => ({
  repetitions: successes.map(({ repetition }) => repetition),
  isStopped: variant.stoppedAtLook !== undefined,
});

/** The variant as one of those that are compared; undefined when it has a failed trial, or no successful one, and in a run that cannot be compared. */
export function candidateOf(
  { variant, trials, successes, samples }: VariantRecord,
  { manifest, reason }: Pick<ComparableRun, 'manifest' | 'reason'>,
): Candidate | undefined {
  const { metrics } = manifest.spec.objective;
  if (!canBeCompared(reason)) return undefined;
  if (trials.failed > 0 || trials.succeeded === 0) return undefined;
  const values = metrics.flatMap(({ name }) => {
    const list = samples.get(name);
    return list === undefined ? [] : [list];
  });
  if (values.length !== metrics.length) return undefined;
  return {
    name: variant.name,
    samples: values,
    ...repeated({ variant, successes }),
  };
}

function countOf(
  phase: ComparableRun['trialDetails'][number]['phase'],
): 'pending' | 'succeeded' | 'failed' | 'cancelled' | 'skipped' {
  switch (phase) {
    case 'Pending':
      return 'pending';
    case 'Succeeded':
      return 'succeeded';
    case 'Failed':
      return 'failed';
    case 'Cancelled':
      return 'cancelled';
    case 'Skipped':
      return 'skipped';
  }
}
