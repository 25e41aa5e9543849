import type { Objective } from '../api/v1alpha1/schema.ts';
import { finiteMean } from './finite-mean.ts';
import type { ObjectiveMeans } from './score.ts';

/**
 * The values of the objective's metrics that a variant's successful trials reported: by metric in the objective's order, then by trial. Each
 * trial reports all of them, so that the same place in each list is the same trial.
 */
export type ObjectiveSamples = readonly (readonly number[])[];

/** A variant that is compared with the others: it has a successful trial and no failed one. */
export interface Candidate {
  readonly name: string;
  readonly samples: ObjectiveSamples;
  /** Which repetitions its trials are, in the order of the samples. Default: the first ones. */
  readonly repetitions?: readonly number[];
  /** True for one that was stopped early: it was shown to be behind, so that it cannot be best. */
  readonly isStopped?: boolean;
}

/** The means of a candidate. */
export const meansOfSamples = (samples: ObjectiveSamples): ObjectiveMeans =>
  samples.map((values) => finiteMean([...values]));

/**
 * Which trials of a reference, by their position, something is compared with: undefined for all, or those of the same repetitions when it was
 * stopped early. What drifts while a run is under way, as caches that warm up, would otherwise tell the early trials of one from the late
 * ones of the other. All also when they share no repetition, which a look rules out: it compares the same ones.
 */
export function trialsToCompare(
  reference: readonly number[],
  { repetitions, isStopped }: { readonly repetitions: readonly number[]; readonly isStopped: boolean },
): readonly number[] | undefined {
  if (!isStopped) return undefined;
  const own = new Set(repetitions);
  const shared = reference.flatMap((repetition, trial) => (own.has(repetition) ? [trial] : []));
  return shared.length === 0 ? undefined : shared;
}

/**
 * Gives what is derived of that which a candidate is compared with of a reference, as {@link trialsToCompare} says. It is derived of all of the
 * reference once, and not for each candidate.
 */
export function ofComparedSamples<T>(
  reference: Candidate,
  derive: (samples: ObjectiveSamples) => T,
): (candidate: Candidate) => T {
  const whole = derive(reference.samples);
  const repetitions = repetitionsOf(reference);
  return (candidate) => {
    const { isStopped = false } = candidate;
    const trials = trialsToCompare(repetitions, { repetitions: repetitionsOf(candidate), isStopped });
    return trials === undefined
      ? whole
      : derive(reference.samples.map((values) => trials.map((trial) => values[trial] ?? Number.NaN)));
  };
}

/** Which repetitions its trials are, in the order of its samples. */
export const repetitionsOf = (candidate: Candidate): readonly number[] =>
  candidate.repetitions ?? Array.from({ length: trialCount(candidate) }, (_, trial) => trial);

/** Trials that a candidate has values of. */
export const trialCount = ({ samples: [first = [], ...others] }: Candidate): number =>
  others.reduce((least, values) => Math.min(least, values.length), first.length);

/** Where in the objective a metric is; the schema sees to it that it is there. */
export function positionOfMetric({ metrics }: Objective, metric: string): number {
  const position = metrics.findIndex(({ name }) => name === metric);
  if (position < 0) throw new RangeError(`metric ${metric} is not in the objective`);
  return position;
}
