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

/** Everything stored of a run as plain JSON: what `JSON.stringify` may be called with. Fields that are undefined are left out by it. */
export interface StoredRunJson extends Omit<StoredRun, 'startedAt' | 'finishedAt' | 'trialDetails'> {
  readonly startedAt: string;
  readonly finishedAt: string | undefined;
  readonly trialDetails: readonly StoredTrialJson[];
}

/** The run as plain JSON, for a file or another process; {@link storedRunFromJson} makes the same run of it. */
export const storedRunToJson = (run: StoredRun): StoredRunJson => ({
  ...run,
  startedAt: run.startedAt.toISOString(),
  finishedAt: run.finishedAt?.toISOString(),
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

const dateOf = (time: string | undefined): Date | undefined =>
  time === undefined ? undefined : new Date(time);
