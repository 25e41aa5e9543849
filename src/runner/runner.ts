import type { BatchTestManifest } from '../api/v1alpha1/schema.ts';
import type { BatchTestStatus } from '../api/v1alpha1/status.ts';
import type { ComparisonRow } from '../comparison/comparison-matrix.ts';
import type { RunEnd } from '../core/plan.ts';
import type { DryRun } from '../parity/dry-run.ts';
import type { RunStatus } from '../report/run-status.ts';
import type { StoredRun } from '../results/result-store.ts';
import type { StoredResults } from './stored-results.ts';
import type { UnreadRun } from './unread-run.ts';

export interface RunOptions {
  /** Aborting it cancels the run: live trials are ended, results already there are kept, and `run` resolves as Cancelled. */
  readonly signal?: AbortSignal;
  /**
   * UID of an interrupted local run to go on with, whose BatchTest is the same but for fields that may change while it runs, and `reusePolicy`, which counts
   * when a run begins. What is stored of it is not run again.
   */
  readonly resume?: string;
  /** Called with every change of the run's status, several times a second at most. */
  readonly onProgress?: (status: BatchTestStatus) => void;
  /** Called with a sentence for a person when the run waits for something that no status tells, once for each such thing. */
  readonly onNotice?: (notice: string) => void;
}

/** How a run of a cluster is waited for. */
export interface WaitOptions {
  /** Aborting it ends the waiting, such as `AbortSignal.timeout(60_000)`; the run goes on. */
  readonly signal?: AbortSignal;
  /** Told of the run as it is found, and of each change of it. */
  readonly onChange?: (status: RunStatus) => void;
  /** Told in a sentence for a person what the run, or the one who waits, waits for; once for each such thing. */
  readonly onNotice?: (notice: string) => void;
}

/** A run that is over. */
export interface RunResult {
  readonly uid: string;
  readonly end: RunEnd;
  /** Undefined when no variant may be called best: none succeeded in all that was run of it. */
  readonly bestVariantName: string | undefined;
  /** One row per variant, the best first. */
  readonly comparisonMatrix: readonly ComparisonRow[];
  /**
   * Everything that is stored of the run; what reports are made of. Undefined when the run's operator keeps its results in a
   * database that this process cannot read; then the matrix is empty and the name of the best is the object's.
   */
  readonly stored: StoredRun | undefined;
  /** What is known when nothing stored can be read, and why not; undefined in every other case. */
  readonly unread: UnreadRun | undefined;
}

/** Runs BatchTests somewhere, one or several at a time. */
export interface BatchTestRunner {
  /**
   * Runs a BatchTest to its end.
   * @throws ManifestError when the manifest is invalid; nothing was started then
   * @throws InvalidBatchTestError when its variants cannot be run as they are, such as two that are the same; nothing was started then
   * @throws InvalidDeliveryConfigError when notifications of a local run cannot be sent as is configured; nothing was started then
   * @throws RunNotResumableError when `resume` names no local run that can go on with this BatchTest
   * @throws UnsupportedLocallyError when only a cluster can run the manifest, and this runner has none; nothing was started then
   * @throws SharedDataError when data of `spec.sharedData` is not there or cannot be read locally; nothing was started then
   * @throws NameInUseError when the cluster runs another BatchTest under this name; it is left as it is
   * @throws ClusterUnavailableError when the cluster cannot be reached or refuses the BatchTest, or when no operator has ended it a minute after the shutdown
   * of the runner
   * @throws RunNotBegunError when it was cancelled before its BatchTest was created in the cluster; nothing of it is there then
   * @throws RunTakenOverError when another process has the local run by now, after its database was away
   * @throws ResultStoreUnavailableError when results cannot be stored for longer than a minute
   * @throws EmbeddedPostgresError when the results of a local run are to be kept in an embedded Postgres that is not available
   * @throws SchemaTooNewError when a later version of batchtest has migrated the database of a local run; nothing was started then
   */
  run(batchTest: BatchTestManifest, options?: RunOptions): Promise<RunResult>;
  /**
   * What both engines would make of a BatchTest, without running anything: what `batchtest parity FILE -o json` prints.
   * @throws ManifestError, InvalidBatchTestError as {@link run} does
   */
  dryRun(batchTest: BatchTestManifest): Promise<DryRun>;
  /**
   * Ends a run for good, whoever runs it; what is stored of it stays. Its trials end some time later.
   * @param run locally its UID, the beginning of one, or the name of its BatchTest; in a cluster the name
   * @returns what was done, as a sentence
   * @throws NoSuchRunError when there is no such run, or it is over
   */
  cancel(run: string): Promise<string>;
  /** What is stored of runs: reports, comparisons, parity. */
  readonly results: StoredResults;
  /** Ends what still runs and lets go of the result store. Nothing else is to be asked of the runner from then on. */
  shutdown(): Promise<void>;
}
