import type { RecordAttempt, RunEnd, StartAttempt } from '../core/plan.ts';
import type { RunDefinition } from '../core/run.ts';
import type { TrialCounts } from '../core/run-ledger.ts';
import type { Violation } from './invariant-watch.ts';
import type { AttemptPace } from './run-pace.ts';

/** Something that the loop did, for those who announce or count it. */
export type ControllerEvent =
  /** A run was picked up; it is new when no attempt of it is recorded. */
  | { readonly kind: 'RunOpened'; readonly run: RunDefinition; readonly isNew: boolean }
  /**
   * An attempt was started, or found started. `queuedMs` is how long its trial has waited since the run could begin; undefined for a retry.
   * `refillMs` is how long the slot was free that it takes; undefined when it takes one that was free all along.
   */
  | {
      readonly kind: 'AttemptStarted';
      readonly run: RunDefinition;
      readonly start: StartAttempt;
      readonly queuedMs: number | undefined;
      readonly refillMs: number | undefined;
    }
  /** The end of an attempt is committed. `counts` are those after it. */
  | {
      readonly kind: 'AttemptRecorded';
      readonly run: RunDefinition;
      readonly record: RecordAttempt;
      readonly counts: TrialCounts;
      readonly pace: AttemptPace;
    }
  /** The object has fields that this version does not know, and does not act on. */
  | { readonly kind: 'FieldsIgnored'; readonly run: RunDefinition; readonly fields: string }
  /** The run's deleted object was let go before the run could be stored as over. */
  | { readonly kind: 'RunAbandoned'; readonly run: Pick<RunDefinition, 'uid' | 'name' | 'namespace'> }
  /** Something was seen that must never be; see {@link InvariantWatch}. */
  | { readonly kind: 'InvariantViolated'; readonly run: RunDefinition; readonly violation: Violation }
  /** The end of a run is committed. `cancellingMs` is how long its user has wanted that; undefined when it came by itself. */
  | {
      readonly kind: 'RunEnded';
      readonly run: RunDefinition;
      readonly end: RunEnd;
      readonly counts: TrialCounts;
      readonly cancellingMs: number | undefined;
    };

/** Told of each event in the tick in which it happens; must not throw. */
export type ControllerListener = (event: ControllerEvent) => void;
