import { joinedSignal } from './joined-signal.ts';

/**
 * Runs work with a signal that is aborted by the caller's signal or when the time is over, and takes every listener and timer down again.
 * @param signal undefined: only time ends it
 * @param timedOut makes the error of the second case
 */
export async function withDeadline<T>(
  signal: AbortSignal | undefined,
  timeoutMs: number,
  timedOut: () => Error,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const joined = joinedSignal([signal]);
  const timer = setTimeout(() => joined.abort(timedOut()), timeoutMs);
  try {
    return await work(joined.signal);
  } catch (error) {
    // However the work words its interruption: why it was interrupted is what there is to say.
    throw joined.signal.aborted ? joined.signal.reason : error;
  } finally {
    clearTimeout(timer);
    joined.release();
  }
}
