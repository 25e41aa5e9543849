import { setMaxListeners } from 'node:events';
import { joinedSignal } from '../joined-signal.ts';

/** The runs of a runner that are under way, so that its shutdown can end them and wait for them. */
export class RunsUnderWay {
  readonly #shutdown = new AbortController();
  readonly #giveUp = new AbortController();
  readonly #running = new Set<Promise<unknown>>();

  constructor() {
    // One of each run: more than ten are no leak, of which Node would warn.
    for (const { signal } of [this.#shutdown, this.#giveUp]) setMaxListeners(0, signal);
  }

  /**
   * Does the work of a run. It is to end soon once `cancel` is aborted, by its caller's signal or by the shutdown; and to be given up once `giveUp` is, when the
   * shutdown has waited for long enough.
   */
  async track<T>(
    signal: AbortSignal | undefined,
    work: (cancel: AbortSignal, giveUp: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const cancel = joinedSignal([signal, this.#shutdown.signal]);
    const run = work(cancel.signal, this.#giveUp.signal);
    this.#running.add(run);
    try {
      return await run;
    } finally {
      cancel.release();
      this.#running.delete(run);
    }
  }

  /**
   * Asks all of them to end and resolves when they have.
   * @param patienceMs after which they are given up; undefined when each of them ends in time by itself
   */
  async end(patienceMs?: number): Promise<void> {
    this.#shutdown.abort();
    const timer = patienceMs === undefined ? undefined : setTimeout(() => this.#giveUp.abort(), patienceMs);
    await Promise.allSettled(this.#running);
    clearTimeout(timer);
  }
}
