import type { BatchTest } from '../../api/v1alpha1/schema.ts';
import type { Outcome } from '../../core/outcome.ts';
import type { RunEnd } from '../../core/plan.ts';
import type { EngineName } from '../../core/run.ts';
import type { StoredTrial } from '../../core/run-ledger.ts';
import type { MessageKind, MessageState } from '../outbox.ts';
import type { RunState } from '../result-store.ts';
import type { VerificationState } from '../verification.ts';

/** The schema that holds everything. */
export const SCHEMA = 'batchtest';

/**
 * What is read of the tables and views, as migrations/ defines them. They are written by SQL functions only, whose arguments are
 * typed by the modules that call them, so nothing here tells of defaults and generated columns.
 */
export interface Tables {
  readonly runs: RunRow;
  readonly variants: VariantRow;
  readonly trials: TrialRow;
  readonly attempts: AttemptRow;
  readonly metrics: MetricRow;
  readonly objective_metrics: ObjectiveMetricRow;
  readonly previous_samples: PreviousSamplesRow;
  readonly artifacts: ArtifactRow;
  readonly outbox: OutboxRow;
  /** A view. */
  readonly run_summary: RunSummaryRow;
}

export interface ObjectiveMetricRow {
  readonly run_uid: string;
  readonly name: string;
}

export interface RunRow {
  readonly uid: string;
  readonly engine: EngineName;
  readonly workflow_id: string;
  readonly name: string;
  readonly state: RunState;
  readonly reason: RunEnd['reason'] | null;
  readonly message: string | null;
  readonly manifest: BatchTest;
  readonly directory: string | null;
  readonly seed: number;
  readonly fence: number;
  readonly cancel_requested: boolean;
  readonly started_at: Date;
  readonly previous_run_uid: string | null;
  readonly previous_run_started_at: Date | null;
  readonly deleting: boolean;
}

export interface RunSummaryRow {
  readonly uid: string;
  readonly name: string;
  readonly namespace: string | null;
  readonly workflow_id: string;
  readonly engine: EngineName;
  readonly state: RunState;
  readonly reason: RunEnd['reason'] | null;
  readonly message: string | null;
  readonly started_at: Date;
  readonly finished_at: Date | null;
  readonly total: number;
  readonly pending: number;
  readonly succeeded: number;
  readonly failed: number;
  readonly cancelled: number;
  readonly reused: number;
  readonly skipped: number;
  readonly is_interrupted: boolean;
}

interface VariantRow {
  readonly run_uid: string;
  readonly variant_id: string;
  readonly position: number;
  readonly name: string;
  readonly parameters: Readonly<Record<string, string>>;
  readonly stopped_at_look: number | null;
}

interface PreviousSamplesRow {
  readonly run_uid: string;
  readonly variant_id: string;
  readonly metric: string;
  readonly samples: readonly number[];
  readonly repetitions: readonly number[] | null;
}

interface TrialRow {
  readonly run_uid: string;
  readonly variant_id: string;
  readonly repetition: number;
  readonly position: number;
  readonly phase: StoredTrial['phase'];
  readonly recorded_attempts: number;
  readonly counted_attempts: number;
  readonly fails_variant: boolean;
  readonly reused_from: string | null;
  readonly accepted_attempt: number | null;
  readonly last_outcome: Outcome | null;
}

interface AttemptRow {
  readonly run_uid: string;
  readonly variant_id: string;
  readonly repetition: number;
  readonly attempt: number;
  readonly name: string;
  readonly outcome: Outcome;
  readonly reason: string;
  readonly message: string;
  readonly exit_code: number | null;
  readonly started_at: Date | null;
  readonly finished_at: Date;
  readonly logs: string | null;
  readonly outputs: Readonly<Record<string, unknown>> | null;
  readonly verification: Exclude<VerificationState, 'Missing'> | null;
}

interface MetricRow {
  readonly run_uid: string;
  readonly variant_id: string;
  readonly repetition: number;
  readonly attempt: number;
  readonly name: string;
  readonly value: number;
}

interface ArtifactRow {
  readonly run_uid: string;
  readonly variant_id: string;
  readonly repetition: number;
  readonly attempt: number;
  readonly position: number;
  readonly name: string;
  readonly uri: string;
  readonly state: VerificationState;
  readonly reason: string | null;
}

interface OutboxRow {
  readonly id: number;
  readonly run_uid: string;
  readonly kind: MessageKind;
  readonly state: MessageState;
  readonly tries: number;
  readonly created_at: Date;
  readonly due_at: Date;
  readonly last_error: string | null;
}
