import type { Halt } from './halt.ts';
import type { RunControls } from './run.ts';
import type { Explanation } from './status.ts';

/**
 * For how long it is waited to see what ended before somebody wanted it to end: a view that failed may pause for half a minute before it lists anew. One
 * that stays away must not hold up a cancellation for ever.
 */
const PATIENCE_MS = 60_000;

/** A view is behind for a moment whenever its watch is renewed; a person is told of what lasts longer. */
const TOLD_AFTER_MS = 5_000;

/** Of a run whose attempts are not ended yet, because they may have ended before that was wanted. */
export const ENDS_UNSEEN = 'EndsUnseen';

/**
 * Since when attempts that are shown as going on are to be ended without being known to go on (milliseconds since the epoch); undefined when they are known to, or when
 * that was waited for long enough. What came to its end in time keeps it, also when nobody could see it then.
 * @param halt undefined: what is to be ended are attempts beyond a lower parallelism
 */
export function endsUnseenSince(
  halt: Halt | undefined,
  { seenUntil, deadlineAt, wantedSince }: Pick<RunControls, 'seenUntil' | 'deadlineAt' | 'wantedSince'>,
  now: number,
): number | undefined {
  // As with the deadline of an attempt: whether it was kept can be told as well later.
  if (halt?.reason === 'DeadlineExceeded')
    return deadlineAt !== undefined && seenUntil < deadlineAt ? deadlineAt : undefined;
  // A clock that was put back is waited for by nobody.
  const isSeen = seenUntil >= Math.min(wantedSince, now);
  return isSeen || now - wantedSince >= PATIENCE_MS ? undefined : wantedSince;
}

/** What there is to say of that, once it has lasted. */
export const endsUnseen = (since: number | undefined, now: number): Explanation | undefined =>
  since === undefined || now - since < TOLD_AFTER_MS
    ? undefined
    : {
        reason: ENDS_UNSEEN,
        message:
          'running trials may have ended before that, and are ended once it is seen that they have not',
      };
