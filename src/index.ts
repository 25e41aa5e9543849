/**
 * The programmatic API of BatchTest, described in docs/reference/typescript.md. What runs, stores or asks somebody is a method of a runner; the functions
 * beside `createRunner` are pure.
 */
export type { BatchTest, BatchTestManifest } from './api/v1alpha1/schema.ts';
export type { BatchTestStatus, Condition } from './api/v1alpha1/status.ts';
export { ManifestError, validManifest } from './api/v1alpha1/valid-manifest.ts';
export type { ComparisonRow, MetricSummary } from './comparison/comparison-matrix.ts';
export { InvalidBatchTestError } from './core/errors.ts';
export type { RunEnd } from './core/plan.ts';
export type { VerificationCounts } from './core/verification-counts.ts';
export { type DeliveryConfig, InvalidDeliveryConfigError } from './outbox/delivery-config.ts';
export { DIFFERENCE_KINDS, type DifferenceKind, type ParityDifference } from './parity/difference.ts';
export { type DryRun, dryRun, type ProgramParity } from './parity/dry-run.ts';
export type { FieldParity, Treatment } from './parity/field-parity.ts';
export type { MetricParity } from './parity/metric-parity.ts';
export {
  type ParityVerdict,
  type RunParity,
  type RunParityOptions,
  runParity,
} from './parity/run-parity.ts';
export type { CheckedObject, ServerCheck } from './parity/server-check.ts';
export { type RunComparison, runComparison } from './report/run-comparison.ts';
export { type ReportedRun, type RunReport, runReport } from './report/run-report.ts';
export { type RunPhase, type RunStatus, runStatus } from './report/run-status.ts';
export type { ReportedVerification } from './report/run-verification.ts';
export type { ListedMessage, MessageKind, MessageState } from './results/outbox.ts';
export {
  EmbeddedPostgresError,
  type EmbeddedPostgresFailure,
} from './results/postgres/embedded/embedded-postgres-error.ts';
export {
  type PrunedRun,
  type PruneSelection,
  ResultStoreUnavailableError,
  type RunSummary,
  SchemaTooNewError,
  type StoredArtifactProblem,
  type StoredAttempt,
  type StoredRun,
  type StoredTrialDetails,
} from './results/result-store.ts';
export { type StoredRunJson, storedRunFromJson, storedRunToJson } from './results/stored-run-json.ts';
export type { ClusterRunner } from './runner/cluster-runner.ts';
export { createRunner, type RunnerContext } from './runner/create-runner.ts';
export {
  ClusterUnavailableError,
  NameInUseError,
  NoSuchRunError,
  RunNotBegunError,
  RunNotResumableError,
  RunTakenOverError,
  SharedDataError,
  UnsupportedLocallyError,
} from './runner/errors.ts';
export { presets } from './runner/presets.ts';
export type { BatchTestRunner, RunOptions, RunResult, WaitOptions } from './runner/runner.ts';
export type {
  KubernetesRunnerConfig,
  LocalRunnerConfig,
  ResultStoreConfig,
  RunnerConfig,
} from './runner/runner-config.ts';
export type { StoredResults } from './runner/stored-results.ts';
export type { UnreadProblem, UnreadRun } from './runner/unread-run.ts';
export type { WatchOutcome } from './runner/watched-run.ts';
