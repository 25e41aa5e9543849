/**
 * Runs work with a signal that is aborted by the caller's signal or when the time is over, and takes every listener and timer down
 * again: AbortSignal.any and AbortSignal.timeout leave theirs on a signal that lives as long as the process.
 * @param timedOut makes the error of the second case
 */
export async function withDeadline<T>(
  signal: AbortSignal | undefined,
  timeoutMs: number,
  timedOut: () => Error,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const controller = new AbortController();
  const stop = () => controller.abort(signal?.reason);
  const timer = setTimeout(() => controller.abort(timedOut()), timeoutMs);
  signal?.addEventListener('abort', stop);
  if (signal?.aborted) stop();
  try {
    return await work(controller.signal);
  } catch (error) {
    // However the work words its interruption: why it was interrupted is what there is to say.
    throw controller.signal.aborted ? controller.signal.reason : error;
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', stop);
  }
}
