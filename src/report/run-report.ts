import type { Comparison, Objective } from '../api/v1alpha1/schema.ts';
import type { Evidence } from '../comparison/best-variant.ts';
import { comparisonOf } from '../comparison/comparable-run.ts';
import { type ComparisonRow, comparisonMatrix } from '../comparison/comparison-matrix.ts';
import type { Conclusion } from '../comparison/conclusion.ts';
import type { GateResult } from '../comparison/gates.ts';
import { runConclusion } from '../comparison/run-conclusion.ts';
import type { Outcome } from '../core/outcome.ts';
import type { RunEnd } from '../core/plan.ts';
import type { EngineName } from '../core/run.ts';
import type { RunState, RunSummary, StoredRun } from '../results/result-store.ts';
import { type ReportedVerification, reportedVerification } from './run-verification.ts';

/** A trial that failed, by the attempt that decided it. */
export interface ReportedFailure {
  /** Name of the variant. */
  readonly variant: string;
  /** Counts from 0. */
  readonly repetition: number;
  /** Counts from 1; the attempts before it failed as well. */
  readonly attempt: number;
  readonly outcome: Outcome;
  readonly reason: string;
  readonly message: string;
  /** Where the attempt's output is: files, or a pod's name. */
  readonly logs: string | null;
}

/** A run as reports name it. Times are ISO 8601 in UTC. */
export interface ReportedRun {
  readonly uid: string;
  readonly name: string;
  readonly namespace: string | null;
  readonly workflowId: string;
  readonly engine: EngineName;
  readonly state: RunState;
  /** True when the process that ran a local run has gone without ending it. */
  readonly interrupted: boolean;
  /** Why the run is over; null while it is not. */
  readonly reason: RunEnd['reason'] | null;
  readonly message: string | null;
  readonly startedAt: string;
  readonly finishedAt: string | null;
  readonly trials: RunSummary['trials'];
}

/** The best variant as reports name it. */
export interface ReportedBest {
  readonly name: string;
  readonly score: number;
  /** The others that cannot be told apart from it, the best first. */
  readonly ties: readonly string[];
  /** What its name rests on; null when that is not known. */
  readonly evidence: Evidence | null;
}

/**
 * What every report of a run is made of; as JSON it is what `-o json` prints. Fields are added to it, never renamed or removed.
 */
export interface RunReport {
  readonly run: ReportedRun;
  /** Null when no variant can be called best. */
  readonly best: ReportedBest | null;
  readonly objective: readonly {
    readonly metric: string;
    readonly goal: 'minimize' | 'maximize';
    readonly weight: number;
    /** The run is stopped when a variant meets it, and all others of the objective; null without one. */
    readonly target: number | null;
  }[];
  /** How the variants were compared. */
  readonly comparison: {
    readonly baseline: string | null;
    readonly confidence: number;
    readonly tieBreak: readonly string[];
  };
  /** The earlier run that gates compare with, which may have been deleted since; null when none does, and when there was none. */
  readonly previousRun: { readonly uid: string; readonly startedAt: string } | null;
  /** What came of each limit of the gates; empty without gates, while the run is not over, and where its results cannot be read. */
  readonly gates: readonly GateResult[];
  /** Failed unless every limit is kept; null without gates, and while the run is not over. */
  readonly gate: 'Passed' | 'Failed' | null;
  /** One row per variant, the best first. */
  readonly matrix: readonly ComparisonRow[];
  /** At most {@link FAILURES_LIMIT} of the failed trials, those of the first repetitions first. */
  readonly failures: readonly ReportedFailure[];
  /** Failed trials in all. */
  readonly failureCount: number;
  readonly verification: ReportedVerification;
}

/** Failures that a report tells in full. Further ones are in the result store. */
export const FAILURES_LIMIT = 50;

/** The report of what is stored of a run, over or not. The same stored run gives the same report. */
export function runReport(stored: StoredRun): RunReport {
  const matrix = comparisonMatrix(stored);
  const failures = failuresOf(stored);
  const conclusion = runConclusion(stored);
  const isOver = stored.state !== 'Running';
  return {
    run: reportedRun(stored),
    best: conclusion.best ?? null,
    objective: reportedObjective(stored.manifest.spec.objective),
    comparison: reportedComparison(comparisonOf(stored)),
    previousRun:
      stored.previousRun === undefined
        ? null
        : { uid: stored.previousRun.uid, startedAt: stored.previousRun.startedAt.toISOString() },
    ...(isOver ? reportedGates(conclusion) : { gates: [], gate: null }),
    matrix,
    failures: failures.slice(0, FAILURES_LIMIT),
    failureCount: failures.length,
    verification: reportedVerification(stored),
  };
}

export const reportedObjective = ({ metrics }: Objective): RunReport['objective'] =>
  metrics.map(({ name, goal, weight, target }) => ({
    metric: name,
    goal,
    weight: Number(weight),
    target: target === undefined ? null : Number(target),
  }));

export const reportedComparison = ({
  baseline,
  confidence,
  tieBreak,
}: Comparison): RunReport['comparison'] => ({
  baseline: baseline ?? null,
  confidence: Number(confidence),
  tieBreak: tieBreak ?? [],
});

const reportedGates = ({ gates, gate }: Conclusion): Pick<RunReport, 'gates' | 'gate'> => ({
  gates,
  gate: gate ?? null,
});

export function reportedRun(summary: RunSummary): ReportedRun {
  return {
    uid: summary.uid,
    name: summary.name,
    namespace: summary.namespace ?? null,
    workflowId: summary.workflowId,
    engine: summary.engine,
    state: summary.state,
    interrupted: summary.isInterrupted,
    reason: summary.reason ?? null,
    message: summary.message ?? null,
    startedAt: summary.startedAt.toISOString(),
    finishedAt: summary.finishedAt?.toISOString() ?? null,
    trials: summary.trials,
  };
}

/** Repetition by repetition, so that the first failures of many variants come before the hundredth of one. */
function failuresOf({ variants, trialDetails }: StoredRun): readonly ReportedFailure[] {
  const positions = new Map(variants.map(({ id, name }, position) => [id, { position, name }]));
  return trialDetails
    .flatMap(({ variantId, repetition, phase, attempts }) => {
      const variant = positions.get(variantId);
      const [decisive] = attempts.toSorted((one, other) => other.attempt - one.attempt);
      return phase === 'Failed' && variant !== undefined && decisive !== undefined
        ? [{ variant, repetition, decisive }]
        : [];
    })
    .sort((one, other) => one.repetition - other.repetition || one.variant.position - other.variant.position)
    .map(({ variant, repetition, decisive }) => ({
      variant: variant.name,
      repetition,
      attempt: decisive.attempt,
      outcome: decisive.outcome,
      reason: decisive.reason,
      message: decisive.message,
      logs: decisive.logs ?? null,
    }));
}
