import type { AfterAttempt } from './after-attempt.ts';
import type { ObservedAttempt } from './attempt.ts';
import type { Judgement, Outcome } from './outcome.ts';
import type { PushedPart } from './pushed-result.ts';
import type { Explanation } from './status.ts';

/** Stores how an attempt ended, and what that means for its trial. */
export interface RecordAttempt {
  readonly kind: 'RecordAttempt';
  /** Index into the run's trials. */
  readonly trial: number;
  readonly attempt: number;
  readonly name: string;
  readonly judgement: Judgement;
  readonly startedAt: number | undefined;
  readonly finishedAt: number;
  readonly logs: string | undefined;
  /** Undefined for a run whose programs push no results. */
  readonly pushed?: PushedPart;
  readonly trialAfter: AfterAttempt;
  /**
   * What is shown of it says so, and may be the past, so the engine is asked first: of one that goes on past its deadline (`Late`), whether it has not ended
   * meanwhile; of one that is no longer shown (`Gone`), whether there is nothing of it indeed.
   */
  readonly presumed?: 'Late' | 'Gone';
}

/** Starts an attempt. */
export interface StartAttempt {
  readonly kind: 'StartAttempt';
  readonly trial: number;
  readonly attempt: number;
  readonly name: string;
  readonly reason: 'SlotAvailable' | 'Retry';
}

/**
 * Removes what an engine holds of an attempt, ending its program if it runs. Planned only for attempts whose end is already
 * committed, because until then the engine holds the only copy of the result; and for one that may never have started and for which
 * there is no slot any more (`StartUnanswered`). What would run again is removed whatever `spec.podCleanupPolicy` says (`MayRunAgain`).
 */
export interface RemoveAttempt {
  readonly kind: 'RemoveAttempt';
  /** Index into the run's trials. */
  readonly trial: number;
  readonly name: string;
  readonly reason:
    | 'ResultStored'
    | 'Superseded'
    | 'StartUnanswered'
    | 'MayRunAgain'
    | Exclude<Outcome, 'Succeeded' | 'TestFailed' | 'ResultInvalid'>;
}

/** Marks trials that need not be run. Like a record it is decided alone: what it changes is not known before it is committed. */
export interface SkipTrials {
  readonly kind: 'SkipTrials';
  readonly reason: 'StoppedEarly' | 'TargetMet';
  /** Indices into the run's trials. */
  readonly trials: readonly number[];
  /** Indices of the variants that are stopped early by this. */
  readonly stopped: readonly number[];
  /** The look at which they were found to be behind; undefined when none is stopped. */
  readonly look: number | undefined;
}

/** Ends the run. Trials that never started are Cancelled with it. */
export interface FinishRun {
  readonly kind: 'FinishRun';
  readonly end: RunEnd;
  /** What came of the gates; undefined without gates. */
  readonly gate: 'Passed' | 'Failed' | undefined;
}

export type Action = RecordAttempt | SkipTrials | StartAttempt | RemoveAttempt | FinishRun;

/** Why a run is over. */
export interface RunEnd {
  readonly state: 'Complete' | 'Failed' | 'Cancelled';
  readonly reason:
    | 'AllTrialsSucceeded'
    /** All but those that need not be run: variants were stopped early. */
    | 'StoppedEarly'
    /** A variant met the targets of the objective, so that the others need not be finished. */
    | 'TargetMet'
    | 'VariantsFailed'
    | 'InfrastructureFailed'
    | 'TooManyFailedVariants'
    | 'SharedDataChanged'
    | 'DeadlineExceeded'
    | 'CancelRequested'
    | 'Deleted'
    | 'InvalidSpec';
  readonly message: string;
}

/** What to do now, as data. */
export interface Plan {
  readonly actions: readonly Action[];
  /** Why trials that are due do not start, or what those that were started wait for; undefined when nothing is in the way. */
  readonly waiting: Explanation | undefined;
  /** When to decide again though nothing has happened (milliseconds since the epoch): a deadline or a back-off ends then. */
  readonly requeueAt: number | undefined;
}

/** What the engine holds of one run, by attempt name. */
export type ObservedAttempts = readonly ObservedAttempt[];
