import type { Outcome } from '../core/outcome.ts';
import type { StoredRun, StoredTrialDetails } from '../results/result-store.ts';
import { type RunReport, runReport } from './run-report.ts';

/** One attempt as reports that go into trials show it. Times are milliseconds since the epoch. */
export interface ReportedAttempt {
  /** Counts from 1. */
  readonly attempt: number;
  readonly outcome: Outcome;
  readonly reason: string;
  readonly message: string;
  /** Null for an attempt that never started. */
  readonly startedAt: number | null;
  readonly finishedAt: number;
  /** Where the attempt's output is: files, or a pod's name. */
  readonly logs: string | null;
}

/** One trial of a report. */
export interface ReportedTrial {
  /** Name of the variant. */
  readonly variant: string;
  readonly variantId: string;
  /** Counts from 0. */
  readonly repetition: number;
  readonly phase: StoredTrialDetails['phase'];
  /** Metrics of the accepted result; empty without one. */
  readonly metrics: ReadonlyMap<string, number>;
  /** True when the result was taken over from an earlier run, and nothing was run for it in this one. */
  readonly isReused: boolean;
  /** In the order in which they were made. */
  readonly attempts: readonly ReportedAttempt[];
}

/** A run's report with each of its trials, for formats that show more than the comparison. */
export interface TrialReport {
  readonly report: RunReport;
  /** Variant by variant in the order of the manifest, each repetition by repetition. Empty when the results cannot be read. */
  readonly trials: readonly ReportedTrial[];
}

/** The report of what is stored of a run, trials included. The same stored run gives the same report. */
export const trialReport = (stored: StoredRun): TrialReport => ({
  report: runReport(stored),
  trials: reportedTrials(stored),
});

function reportedTrials({ variants, trialDetails }: StoredRun): readonly ReportedTrial[] {
  const positions = new Map(variants.map(({ id, name }, position) => [id, { position, name }]));
  return trialDetails
    .flatMap((trial) => {
      const variant = positions.get(trial.variantId);
      return variant === undefined ? [] : [{ variant, trial }];
    })
    .sort(
      (one, other) =>
        one.variant.position - other.variant.position || one.trial.repetition - other.trial.repetition,
    )
    .map(({ variant, trial }) => ({
      variant: variant.name,
      variantId: trial.variantId,
      repetition: trial.repetition,
      phase: trial.phase,
      metrics: trial.metrics,
      isReused: trial.reusedFrom !== undefined,
      attempts: trial.attempts.map(reportedAttempt).sort((one, other) => one.attempt - other.attempt),
    }));
}

const reportedAttempt = (stored: StoredTrialDetails['attempts'][number]): ReportedAttempt => ({
  attempt: stored.attempt,
  outcome: stored.outcome,
  reason: stored.reason,
  message: stored.message,
  startedAt: stored.startedAt?.getTime() ?? null,
  finishedAt: stored.finishedAt.getTime(),
  logs: stored.logs ?? null,
});
