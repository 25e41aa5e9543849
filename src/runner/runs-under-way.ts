import { joinedSignal } from '../joined-signal.ts';

/** The runs of a runner that are under way, so that its shutdown can end them and wait for them. */
export class RunsUnderWay {
  readonly #shutdown = new AbortController();
  readonly #running = new Set<Promise<unknown>>();

  /** Does the work of a run. It is to end soon once the signal that it is given is aborted: by its caller's, or by the shutdown. */
  async track<T>(signal: AbortSignal | undefined, work: (cancel: AbortSignal) => Promise<T>): Promise<T> {
    const cancel = joinedSignal([signal, this.#shutdown.signal]);
    const run = work(cancel.signal);
    this.#running.add(run);
    try {
      return await run;
    } finally {
      cancel.release();
      this.#running.delete(run);
    }
  }

  /** Asks all of them to end and resolves when they have. */
  async end(): Promise<void> {
    this.#shutdown.abort();
    await Promise.allSettled(this.#running);
  }
}
