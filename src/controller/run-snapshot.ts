import type { ObservedAttempt } from '../core/attempt.ts';
import type { RunDefinition } from '../core/run.ts';
import { isRecorded, type ReadonlyRunLedger } from '../core/run-ledger.ts';

/** How a run that is not over stands at one moment, for those who measure it. */
export interface RunSnapshot {
  readonly run: RunDefinition;
  /** Trials that are due and have no attempt under way. */
  readonly pending: number;
  /** Attempts at once, as its user wants it now. */
  readonly parallelism: number;
  /** True while its user wants nothing of it to start: it is suspended, or its parallelism is 0. */
  readonly isHeld: boolean;
  /** Attempts whose end is not committed. */
  readonly attempts: readonly ObservedAttempt[];
  /** When an attempt was last started or recorded (milliseconds since the epoch). */
  readonly lastProgressAt: number;
}

/** The attempts of which the end, if they have come to one, is not committed yet. */
export const unrecorded = (
  ledger: ReadonlyRunLedger,
  observed: readonly ObservedAttempt[],
): readonly ObservedAttempt[] =>
  observed.filter(
    (attempt) =>
      ledger.indexOf(attempt) !== undefined &&
      // What we have ended takes its slot until it is gone, though its end is committed.
      (attempt.state.kind === 'Stopping' || !isRecorded(ledger, attempt)),
  );
