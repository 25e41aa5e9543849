/** A window shorter than this, or with fewer ended trials, says little about what comes. */
const WINDOW_MS = 30_000;
const WINDOW_TRIALS = 10;

interface Sample {
  /** Milliseconds since the epoch. */
  readonly at: number;
  /** Trials that have ended. */
  readonly done: number;
}

/** How fast trials end, over the last half minute or the last ten trials, whichever goes further back. */
export class ProgressRate {
  /** The first one starts the window. */
  #samples: readonly Sample[] = [];

  /** Takes note of how many trials have ended at a time in milliseconds since the epoch. */
  note(at: number, done: number): void {
    const last = this.#samples.at(-1);
    if (last !== undefined && last.done === done) return;
    const samples = [...this.#samples, { at, done }];
    const start = samples.findLastIndex(
      (sample) => at - sample.at >= WINDOW_MS && done - sample.done >= WINDOW_TRIALS,
    );
    this.#samples = samples.slice(Math.max(0, start));
  }

  /** Trials per second; undefined before one has ended. `now` is in milliseconds since the epoch. */
  perSecond(now: number): number | undefined {
    const first = this.#samples.at(0);
    const last = this.#samples.at(-1);
    if (first === undefined || last === undefined || last.done === first.done || now <= first.at)
      return undefined;
    return ((last.done - first.done) * 1_000) / (now - first.at);
  }
}
