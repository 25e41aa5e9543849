import type { PreviousRun, PreviousSample } from '../comparison/previous-run.ts';
import type { StoredAttempt, StoredRun, StoredTrialDetails } from './result-store.ts';

/** A trial as JSON: its metrics as pairs in their order, since names are the program's, and times as ISO 8601 in UTC. */
export interface StoredTrialJson extends Omit<StoredTrialDetails, 'metrics' | 'attempts'> {
  readonly metrics: readonly (readonly [name: string, value: number])[];
  readonly attempts: readonly StoredAttemptJson[];
}

/** An attempt as JSON. */
export interface StoredAttemptJson extends Omit<StoredAttempt, 'startedAt' | 'finishedAt'> {
  readonly startedAt: string | undefined;
  readonly finishedAt: string;
}

/** The earlier run as JSON: its values by the name of the variant, then by metric, as pairs. */
export interface PreviousRunJson extends Omit<PreviousRun, 'startedAt' | 'samples'> {
  readonly startedAt: string;
  readonly samples: readonly (readonly [
    variant: string,
    metrics: readonly (readonly [metric: string, sample: PreviousSample])[],
  ])[];
}

/** Everything stored of a run as plain JSON: what `JSON.stringify` may be called with. Fields that are undefined are left out by it. */
export interface StoredRunJson
  extends Omit<StoredRun, 'startedAt' | 'finishedAt' | 'previousRun' | 'trialDetails'> {
  readonly startedAt: string;
  readonly finishedAt: string | undefined;
  readonly previousRun: PreviousRunJson | undefined;
  readonly trialDetails: readonly StoredTrialJson[];
}

/** The run as plain JSON, for a file or another process; {@link storedRunFromJson} makes the same run of it. */
export const storedRunToJson = (run: StoredRun): StoredRunJson => ({
  ...run,
  startedAt: run.startedAt.toISOString(),
  finishedAt: run.finishedAt?.toISOString(),
  previousRun: run.previousRun && previousRunToJson(run.previousRun),
  trialDetails: run.trialDetails.map((trial) => ({
    ...trial,
    metrics: [...trial.metrics],
    attempts: trial.attempts.map((attempt) => ({
      ...attempt,
      startedAt: attempt.startedAt?.toISOString(),
      finishedAt: attempt.finishedAt.toISOString(),
    })),
  })),
});

/** The run that {@link storedRunToJson} was given, from its JSON. What it is given is not checked. */
export const storedRunFromJson = (json: StoredRunJson): StoredRun => ({
  ...json,
  startedAt: new Date(json.startedAt),
  finishedAt: dateOf(json.finishedAt),
  previousRun: json.previousRun && previousRunFromJson(json.previousRun),
  trialDetails: json.trialDetails.map((trial) => ({
    ...trial,
    metrics: new Map(trial.metrics),
    attempts: trial.attempts.map((attempt) => ({
      ...attempt,
      startedAt: dateOf(attempt.startedAt),
      finishedAt: new Date(attempt.finishedAt),
    })),
  })),
});

const previousRunToJson = ({ startedAt, samples, ...run }: PreviousRun): PreviousRunJson => ({
  ...run,
  startedAt: startedAt.toISOString(),
  samples: [...samples].map(([variant, metrics]) => [variant, [...metrics]]),
});

const previousRunFromJson = ({ startedAt, samples, ...run }: PreviousRunJson): PreviousRun => ({
  ...run,
  startedAt: new Date(startedAt),
  samples: new Map(samples.map(([variant, metrics]) => [variant, new Map(metrics)])),
});

const dateOf = (time: string | undefined): Date | undefined =>
  time === undefined ? undefined : new Date(time);
