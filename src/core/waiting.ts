import { isLive, type ObservedAttempt } from './attempt.ts';
import type { ObservedAttempts } from './plan.ts';
import type { RunControls } from './run.ts';
import type { ReadonlyRunLedger } from './run-ledger.ts';
import type { Explanation } from './status.ts';

/** Of a run that waits for the end of a program which cannot be ended for now. */
export const CANNOT_BE_ENDED = 'CannotBeEnded';

/**
 * The one reason why a run makes no headway, as far as it follows from the run itself; undefined when it does make headway. That a run is
 * suspended or cancelled, or that its results cannot be stored, is told elsewhere and comes first.
 * @param starting attempts that are started by the same plan
 */
export function waitingOf(
  ledger: ReadonlyRunLedger,
  own: ObservedAttempts,
  { parallelism, scaleDownPolicy, maxPending, postponed }: RunControls,
  starting: number,
): Explanation | undefined {
  if (starting > 0) return undefined;
  const { due } = ledger;
  const waiting = own.filter(({ state }) => state.kind === 'Waiting');
  if (parallelism === 0 && due > 0)
    return {
      reason: 'Paused',
      message: `spec.parallelism is 0: nothing new starts${scaleDownPolicy === 'Drain' ? ', running trials finish' : ''}`,
    };
  if (postponed !== undefined && due > 0 && own.filter(isLive).length < parallelism) return postponed;
  if (own.some(({ state }) => state.kind === 'Running')) {
    const hasSlot = own.filter(isLive).length < parallelism;
    const isHeldBack = hasSlot && maxPending !== undefined && waiting.length >= maxPending && due > 0;
    return isHeldBack ? { reason: 'MaxPending', message: messageOfPending(waiting, maxPending) } : undefined;
  }
  if (waiting.length > 0) return { reason: 'WaitingForStart', message: messageOfWaiting(waiting) };
  const stuck = own.flatMap(({ state }) => (state.kind === 'Stopping' ? (state.message ?? []) : []));
  if (stuck[0] !== undefined)
    return {
      reason: CANNOT_BE_ENDED,
      message: `${stuck.length === 1 ? 'a trial takes its slot until it is' : `${stuck.length} trials take their slots until they are`} gone: ${stuck[0]}`,
    };
  if (own.some(({ state }) => state.kind === 'Stopping'))
    return {
      reason: 'WaitingForEnd',
      message: 'trials are being ended and take their slots until they are gone',
    };
  return due > 0
    ? { reason: 'BackingOff', message: 'trials that failed wait for their next attempt' }
    : undefined;
}

const messageOfPending = (waiting: readonly ObservedAttempt[], maxPending: number): string =>
  `no more than ${maxPending} may wait to start (spec.maxPending); ${messageOfWaiting(waiting)}`;

/** How many wait, and what one of them says about it. */
function messageOfWaiting(waiting: readonly ObservedAttempt[]): string {
  const reasons = waiting.flatMap(({ state }) =>
    state.kind === 'Waiting' && state.reason !== undefined ? [state] : [],
  );
  const [example] = reasons;
  const count =
    waiting.length === 1 ? '1 trial has not started' : `${waiting.length} trials have not started`;
  if (example === undefined) return count;
  const { reason = '', message } = example;
  return `${count}: ${reason}${message === undefined || message === '' ? '' : `: ${message}`}`;
}
