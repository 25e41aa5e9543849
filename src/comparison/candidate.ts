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
 * What a candidate is compared with of a reference: all of it, or what it has of the same repetitions when the candidate was stopped early. What
 * drifts while a run is under way, as caches that warm up, would otherwise tell the early trials of one from the late ones of the other. All
 * of it also when they share no repetition, which a look rules out: it compares the same ones.
 */
export function samplesToCompare(reference: Candidate, candidate: Candidate): ObjectiveSamples {
  if (candidate.isStopped !== true) return reference.samples;
  const own = new Set(repetitionsOf(candidate));
  const shared = repetitionsOf(reference).flatMap((repetition, trial) =>
    own.has(repetition) ? [trial] : [],
  );
  if (shared.length === 0) return reference.samples;
  return reference.samples.map((values) => shared.map((trial) => values[trial] ?? Number.NaN));
}

const repetitionsOf = (candidate: Candidate): readonly number[] =>
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
