import type { BatchTestSpec } from '../api/v1alpha1/schema.ts';
import type { ObservedAttempt } from '../core/attempt.ts';
import type { EngineName, RunDefinition } from '../core/run.ts';
import type { Trial } from '../core/trial.ts';

/** One attempt to be started. */
export interface AttemptRequest {
  readonly run: RunDefinition;
  readonly trial: Trial;
  /** Counts from 1. */
  readonly attempt: number;
  /** Unique for run, trial and attempt; what an engine recognises a second start by. */
  readonly name: string;
  /** How long it may take to start and to run. A bound that the engine may enforce as well, for when nobody watches. */
  readonly deadlineSeconds: number;
}

/** What {@link AttemptRequest} has as `deadlineSeconds`. */
export const attemptDeadlineSeconds = ({
  trialStartDeadlineSeconds,
  trialDeadlineSeconds,
}: Pick<BatchTestSpec, 'trialStartDeadlineSeconds' | 'trialDeadlineSeconds'>): number =>
  trialStartDeadlineSeconds + trialDeadlineSeconds;

export type StartOutcome =
  | { readonly kind: 'Started' }
  /** An attempt of this name and run is there already; nothing was started. */
  | { readonly kind: 'AlreadyStarted' }
  /** This attempt can never start: the cluster refuses its pod, or there is no such command. */
  | { readonly kind: 'Refused'; readonly reason: string; readonly message: string }
  /** Not now: a quota is used up, the server is overloaded. To be asked again after `retryAfterMs`. */
  | {
      readonly kind: 'Postponed';
      readonly reason: string;
      readonly message: string;
      readonly retryAfterMs: number;
      /** A server that failed may have started it all the same: it may be there unseen, as after a rejection. */
      readonly mayHaveStarted?: true;
    };

/**
 * Where attempts run. Level-triggered: `observe` always tells the whole truth as far as the engine knows it, and a change
 * notification says only that it is worth asking again.
 *
 * Every engine keeps these promises, which engine.testsuite.ts checks:
 * - From the moment `startAttempt` is called until it settles, and after it has answered Started or AlreadyStarted, `observe` shows
 *   the attempt until its end was seen and it was removed, or until somebody else removed it. A stale cache never hides it.
 * - Starting an attempt of the same name again starts nothing.
 * - What was seen of an attempt's end is not lost by the removal of its Job or process by somebody else.
 * - After `removeAttempts` a live attempt is shown as Stopping until nothing of it runs any more, and then not at all; an ended
 *   attempt is not shown again.
 */
export interface Engine {
  readonly name: EngineName;
  /** All attempts of a run that the engine holds, in no order. Cheap: called on every event. */
  observe(run: RunDefinition): readonly ObservedAttempt[];
  /** Until when `observe` is known to tell all of this run, in milliseconds since the epoch: `now`, or earlier while the engine cannot see. */
  seenUntil(run: RunDefinition, now: number): number;
  /**
   * Asks anew whether an attempt that is shown as going on is as it is shown. False when it is not: what it came to is shown from then on. Rejects when that could not be
   * found out yet.
   */
  isAsShown(run: RunDefinition, name: string): Promise<boolean>;
  /**
   * Asks anew whether there is nothing of an attempt that is no longer shown. False when there is something: it is shown from then on. Rejects when that could not be found out
   * yet; where nobody may ask, what was seen has to do.
   */
  isGone(run: RunDefinition, name: string): Promise<boolean>;
  /** Never rejects for what the engine can put into words; rejects when it could not even ask. Then the start may have happened. */
  startAttempt(request: AttemptRequest): Promise<StartOutcome>;
  /**
   * Ends the programs with their grace period and removes what is held of the attempts. Idempotent; resolves when that is under way for all of
   * them, and rejects when it may not be for some.
   */
  removeAttempts(run: RunDefinition, names: readonly string[]): Promise<void>;
  /**
   * Calls the listener with the UID of every run of which something changed; need not for what was asked of the engine, whose answer tells. Returns how to
   * stop that.
   */
  onChange(listener: (runUid: string) => void): () => void;
  /** Stops watching. The local engine ends its processes; a cluster's Jobs go on. */
  close(): Promise<void>;
}
