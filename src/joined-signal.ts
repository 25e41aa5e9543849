/**
 * A signal that is aborted as soon as one of others is, with its reason. AbortSignal.any leaves something on a signal that lives as long as the process; and a timeout that only it
 * knows is garbage to Node 20, and never comes (https://github.com/nodejs/node/issues/57736).
 * @param signals undefined ones are left out
 * @returns `abort` aborts it alone; `release` takes down the listeners on the others
 */
export function joinedSignal(signals: readonly (AbortSignal | undefined)[]): {
  readonly signal: AbortSignal;
  abort(reason: unknown): void;
  release(): void;
} {
  const controller = new AbortController();
  const joined = signals.flatMap((signal) => {
    if (signal === undefined) return [];
    const stop = () => controller.abort(signal.reason);
    signal.addEventListener('abort', stop);
    if (signal.aborted) stop();
    return [{ signal, stop }];
  });
  return {
    signal: controller.signal,
    abort: (reason) => controller.abort(reason),
    release: () => {
      for (const { signal, stop } of joined) signal.removeEventListener('abort', stop);
    },
  };
}
