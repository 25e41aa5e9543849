import type { BatchTest } from '../api/v1alpha1/schema.ts';
import type { PreviousRun } from '../comparison/previous-run.ts';
import type { AfterAttempt } from '../core/after-attempt.ts';
import type { Judgement, Outcome } from '../core/outcome.ts';
import type { RunEnd } from '../core/plan.ts';
import type { ProgramStart, PushedPart, PushedResult } from '../core/pushed-result.ts';
import type { ReportedResult } from '../core/result-protocol.ts';
import type { BegunRun, EngineName, RunDefinition } from '../core/run.ts';
import type { StoredComparison, StoredTrial, TrialPhase } from '../core/run-ledger.ts';
import type { VerificationCounts } from '../core/verification-counts.ts';
import type { Outbox } from './outbox.ts';
import type { Verification, VerificationState } from './verification.ts';

export type RunState = 'Running' | RunEnd['state'];

/** A run that is registered in the store and may be written to. */
export interface OpenedRun extends StoredComparison {
  /**
   * A fencing token: each opening of a run gets a higher one, and writes with an older one are refused. So an operator that lost
   * its leadership without noticing cannot write over its successor.
   */
  readonly fence: number;
  /** Every trial of the run. */
  readonly trials: readonly StoredTrial[];
  /** Why the run is over; undefined while it is not. */
  readonly end: RunEnd | undefined;
  /** What it was begun as, when it was registered before. */
  readonly begun: Pick<BegunRun, 'manifest' | 'variants'> | undefined;
  /** How long ago it was registered. Not when: by the clock of the store, which need not be that of whoever opens the run. */
  readonly registeredMsAgo: number;
}

/** The end of one attempt and what it means for its trial. Stored in one transaction. */
export interface AttemptRecord {
  readonly runUid: string;
  readonly fence: number;
  readonly variantId: string;
  readonly repetition: number;
  /** Counts from 1. */
  readonly attempt: number;
  readonly name: string;
  readonly judgement: Judgement;
  readonly startedAt: Date | undefined;
  readonly finishedAt: Date;
  readonly logs: string | undefined;
  /** Undefined for a run whose programs push no results. */
  readonly pushed?: PushedPart;
  readonly trialAfter: AfterAttempt;
}

/** A result as a program pushed it, read and checked. */
export interface ResultPush {
  readonly runUid: string;
  /** Where the program runs; undefined for a local run. Must be the run's own. */
  readonly namespace: string | undefined;
  readonly start: ProgramStart;
  /** Lower-case hexadecimal SHA-256 of what was pushed. */
  readonly sha256: string;
  readonly result: ReportedResult;
}

export type PushOutcome =
  /** Committed, now or before. */
  | { readonly kind: 'Stored' }
  /** It is not taken, and will not be later. The message is a sentence for a person. */
  | {
      readonly kind: 'Refused';
      readonly reason: 'NoSuchRun' | 'PushNotEnabled' | 'RunOver' | 'AttemptEnded' | 'OtherResultStored';
      readonly message: string;
    };

export type RecordOutcome =
  /** Committed now. */
  | { readonly kind: 'Recorded' }
  /** This attempt was stored before; nothing was changed. `trial` is what the store holds of its trial. */
  | { readonly kind: 'AlreadyRecorded'; readonly trial: StoredTrial }
  /** Nothing was changed: what was pushed is not what the verdict rests on, which has to be given anew. */
  | { readonly kind: 'PushedMeanwhile' }
  /** Somebody else opened the run since; this writer must write nothing more to it. */
  | { readonly kind: 'Fenced' }
  /** The transition is not allowed: the trial has an accepted result, or the run is over, or there is no such trial. */
  | { readonly kind: 'Refused'; readonly reason: string };

/** Trials that need not be run, and variants that are stopped early. Stored in one transaction. */
export interface SkipRecord {
  readonly runUid: string;
  readonly fence: number;
  /** Each is pending, or marked as skipped already. */
  readonly trials: readonly Pick<StoredTrial, 'variantId' | 'repetition'>[];
  readonly stoppedVariantIds: readonly string[];
  /** The look at which these variants were found to be behind; undefined when none is stopped. */
  readonly look: number | undefined;
}

export type SkipOutcome =
  /** Committed, now or before. */
  | { readonly kind: 'Skipped' }
  /** Somebody else opened the run since; this writer must write nothing more to it. */
  | { readonly kind: 'Fenced' }
  /** One of the trials has ended, or the run is over. */
  | { readonly kind: 'Refused'; readonly reason: string };

/**
 * What came of ending a run: committed now; over already; opened by somebody else since, so that this writer must write nothing more to it; or not what the caller takes it
 * for, as when the store was set back: to before the run was opened, or to before the ends of some trials were committed. Nothing is stored then.
 */
export type FinishOutcome = 'Finished' | 'AlreadyFinished' | 'Fenced' | 'NoSuchRun' | 'TrialsUnfinished';

export interface RunSummary {
  readonly uid: string;
  readonly name: string;
  readonly namespace: string | undefined;
  readonly workflowId: string;
  readonly engine: EngineName;
  readonly state: RunState;
  /** True when the process that ran a local run has gone without ending it: it can be resumed. */
  readonly isInterrupted: boolean;
  /** Why the run is over, and a sentence about it; undefined while it is not. */
  readonly reason: RunEnd['reason'] | undefined;
  readonly message: string | undefined;
  readonly startedAt: Date;
  readonly finishedAt: Date | undefined;
  /** `reused` are those of the succeeded trials whose result was taken over from an earlier run. */
  readonly trials: Readonly<
    Record<'total' | 'pending' | 'succeeded' | 'failed' | 'cancelled' | 'skipped' | 'reused', number>
  >;
}

/** One attempt as stored. */
export interface StoredAttempt {
  readonly attempt: number;
  readonly name: string;
  readonly outcome: Outcome;
  readonly reason: string;
  readonly message: string;
  readonly exitCode: number | undefined;
  readonly startedAt: Date | undefined;
  readonly finishedAt: Date;
  readonly logs: string | undefined;
}

/** One trial with everything stored of it. */
export interface StoredTrialDetails {
  readonly variantId: string;
  readonly repetition: number;
  readonly phase: Exclude<TrialPhase, 'Active'>;
  /** Metrics of the accepted result; empty without one. */
  readonly metrics: ReadonlyMap<string, number>;
  /** Undefined as well when they are larger than 8 KiB, as those of a pushed result may be: the table `attempts` has them, of the run that measured them. */
  readonly outputs: Readonly<Record<string, unknown>> | undefined;
  /** The run that the result was taken over from; undefined when the trial was run. */
  readonly reusedFrom: string | undefined;
  readonly attempts: readonly StoredAttempt[];
}

/** What is stored of one run as far as its conclusion needs it: nothing of its attempts, with all that they said. */
export interface RunToConclude extends RunSummary {
  readonly manifest: BatchTest;
  readonly variants: readonly {
    readonly id: string;
    readonly name: string;
    readonly parameters: Readonly<Record<string, string>>;
    /** The look at which the variant was stopped early; undefined when it was not. */
    readonly stoppedAtLook: number | undefined;
  }[];
  /** The earlier run that gates compare with; undefined when none does, and when there was none. */
  readonly previousRun: PreviousRun | undefined;
  readonly trialDetails: readonly Pick<
    StoredTrialDetails,
    'variantId' | 'repetition' | 'phase' | 'metrics' | 'reusedFrom'
  >[];
}

/** Everything stored of one run; enough for every report, without the cluster or the process that ran it. */
export interface StoredRun extends RunToConclude {
  /** Where the manifest of a local run was; undefined in a cluster. */
  readonly directory: string | undefined;
  readonly seed: number;
  readonly trialDetails: readonly StoredTrialDetails[];
  /** `problems`: at most {@link ARTIFACT_PROBLEMS_LIMIT} of the artifacts that are not what their results tell, or that could not be read back. */
  readonly verification: {
    readonly counts: VerificationCounts;
    readonly problems: readonly StoredArtifactProblem[];
  };
}

export const ARTIFACT_PROBLEMS_LIMIT = 50;

/** An artifact that is not verified, and why. */
export interface StoredArtifactProblem {
  readonly variantId: string;
  readonly repetition: number;
  readonly attempt: number;
  readonly name: string;
  readonly uri: string;
  readonly state: Exclude<VerificationState, 'Verified'>;
  readonly reason: string;
}

/** Which runs may be meant by a reference, as several may have one name. */
export interface RunScope {
  /** Only runs of this namespace of a cluster; undefined: of any. */
  readonly namespace?: string | undefined;
  /** Only runs of this engine; undefined: of any. */
  readonly engine?: EngineName | undefined;
}

/** A run that is this process' own. */
export interface RunHold {
  /**
   * Sees that the run still is this process' own, and claims it again when the connection has broken that claimed it: to be asked again and again, as nothing
   * else tells. `by` names whoever has the run now, as far as is known.
   */
  keep(): Promise<
    { readonly kind: 'Held' } | { readonly kind: 'TakenOver'; readonly by: string | undefined }
  >;
  release(): Promise<void>;
}

/**
 * Which runs are deleted: all that ended before a time, but of each workflow, engine and namespace the newest `keep`; and where runs have gates against the
 * previous one, what the next run would be compared with; and local runs whose files one that stays has taken over.
 */
export interface PruneSelection {
  readonly endedBefore: Date;
  readonly workflowId: string | undefined;
  readonly keep: number;
  readonly dryRun: boolean;
  /** Default: every engine. */
  readonly engine?: EngineName;
  /** Namespaces of a cluster. Default: `All`, local runs included. */
  readonly namespaces?: readonly string[] | 'All';
}

export type PrunedRun = Pick<RunSummary, 'uid' | 'name' | 'engine'> & { readonly finishedAt: Date };

/**
 * Where results live. What a promise of this store resolved for is committed and durable. Every implementation passes
 * result-store.testsuite.ts.
 *
 * Methods reject with {@link ResultStoreUnavailableError} when the store cannot be reached or cannot write now: the caller keeps what it
 * has and asks again. They reject with other errors only for defects.
 */
export interface ResultStore {
  /** What was committed and is to be told. */
  readonly outbox: Outbox;
  /** Reads back what was committed. */
  readonly verification: Verification;
  /**
   * Registers the run with its variants and trials, or takes over one that is registered. Idempotent but for the fence. Of a run that has gates
   * against an earlier one that is chosen here, once: the newest run of the same workflow, engine and namespace that is complete and did
   * not fail its gates. What it measured is copied.
   */
  openRun(run: RunDefinition): Promise<OpenedRun>;
  /** Idempotent: the same attempt twice is one row, and its first content stands. */
  recordAttempt(record: AttemptRecord): Promise<RecordOutcome>;
  /**
   * Stores what a program pushed, once per start of it, for as long as its attempt is not recorded. Not fenced: any process may call it, and the first content stands.
   * Idempotent: the same bytes again are Stored.
   */
  pushResult(push: ResultPush): Promise<PushOutcome>;
  /** What each of these starts has pushed, in their order; undefined for one that has pushed nothing. */
  readPushed(runUid: string, starts: readonly ProgramStart[]): Promise<readonly (PushedResult | undefined)[]>;
  /** Idempotent: what is marked stays as it is marked. */
  skipTrials(record: SkipRecord): Promise<SkipOutcome>;
  /**
   * Ends the run; trials that are still pending become Cancelled with it. Idempotent; the first end stands.
   * @param gate what came of the run's gates; undefined without gates
   * @param pending how many trials are pending, as far as the caller knows; undefined when that does not matter to the end
   */
  finishRun(
    runUid: string,
    fence: number,
    end: RunEnd,
    gate?: 'Passed' | 'Failed',
    pending?: number,
  ): Promise<FinishOutcome>;
  /**
   * The newest run whose UID (or a prefix of it of at least 6 characters) or name is `reference`; undefined when there is none. UIDs come before
   * names: who names a BatchTest like another one's UID is not taken for that.
   * @param scope the only runs that are looked at; default: all
   */
  findRun(reference: string, scope?: RunScope): Promise<RunSummary | undefined>;
  /** The newest runs first. */
  listRuns(options: { readonly limit: number; readonly workflowId?: string }): Promise<readonly RunSummary[]>;
  /** The local runs whose process has gone without ending them, however many newer ones there are. The newest first. */
  interruptedRuns(): Promise<readonly RunSummary[]>;
  loadRun(uid: string): Promise<StoredRun | undefined>;
  /** As {@link loadRun}, for whoever tells its conclusion and nothing of its attempts. */
  loadRunToConclude(uid: string): Promise<RunToConclude | undefined>;
  /**
   * Claims a run for this process, for as long as it lives or until it is released, so that nobody else runs it as well; undefined when another process
   * has it. Beyond that the fence of {@link openRun} protects what is stored.
   */
  holdRun(runUid: string): Promise<RunHold | undefined>;
  /** Asks the process that runs a local run to end it. */
  requestCancel(runUid: string): Promise<'Requested' | 'AlreadyFinished' | 'NoSuchRun'>;
  /** True once {@link requestCancel} was called for the run. */
  isCancelRequested(runUid: string): Promise<boolean>;
  /**
   * Deletes ended runs with everything of them, or only tells which it would delete. The oldest first; a large one in parts, and nobody sees it any more once the
   * first is gone. What keeps a run from being deleted keeps no other: the first failure is thrown at the end.
   */
  pruneRuns(selection: PruneSelection): Promise<readonly PrunedRun[]>;
  /**
   * Deletes runs that {@link pruneRuns} has told of, with everything of them; the UIDs of those that were there. Without any it only rejects as it would
   * with some, as for a user who may delete nothing.
   */
  deleteRuns(uids: readonly string[]): Promise<readonly string[]>;
  /** Resolves when the store answers and can be written to. */
  ping(): Promise<void>;
  close(): Promise<void>;
}

/** The store cannot be used now. `reason` is one CamelCase word; the message names no host, user or password. */
export class ResultStoreUnavailableError extends Error {
  override readonly name = 'ResultStoreUnavailableError';
  readonly reason: string;
  /** Host and port, for who runs the store: in a log and on a command line, in no status. Undefined once it was open. */
  readonly server: string | undefined;

  constructor(reason: string, message: string, options?: { cause?: unknown; server?: string | undefined }) {
    super(message, options);
    this.reason = reason;
    this.server = options?.server;
  }
}

/** The schema is that of a later version, of whose rules this one knows nothing. */
export class SchemaTooNewError extends Error {
  override readonly name = 'SchemaTooNewError';

  /** @param unknown the migrations that this version does not know */
  constructor(unknown: readonly string[]) {
    super(
      `the schema of the database is newer than this version of batchtest, which does not know ${unknown.join(', ')}: use the version that migrated it, or the backup from before`,
    );
  }
}
