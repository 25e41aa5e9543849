/** A process that runs nothing for longer than this stood still: it was stopped, its machine was, or its event loop was blocked. */
const STOOD_STILL_MS = 1_500;
/** What the sockets hold when a process goes on is read within this time. */
const CAUGHT_UP_AFTER_MS = 2_000;

/**
 * Until when this process can have seen anything. When one that stood still goes on, its timers come before what its sockets hold: by the clock a deadline has
 * passed then, and the end that came in time is yet to be read.
 */
export class Wakefulness {
  /** When this process last ran. */
  #ranAt: number;
  /** Of the last time that it stood still. */
  #stoodStill: { readonly since: number; readonly until: number } | undefined;

  /** All times are milliseconds since the epoch. */
  constructor(now: number) {
    this.#ranAt = now;
  }

  /** Takes note that this process runs; to be called a few times a second. */
  noteRuns(now: number): void {
    if (now - this.#ranAt > STOOD_STILL_MS)
      this.#stoodStill = { since: this.#awakeUntil(this.#ranAt), until: now };
    // It was the clock that stepped, and steps back: nothing is known of when that was.
    if (now < this.#ranAt) this.#stoodStill = undefined;
    this.#ranAt = now;
  }

  /** `now`, or when it last stood still if what came meanwhile may not be read yet. */
  seenUntil(now: number): number {
    this.noteRuns(now);
    return this.#awakeUntil(now);
  }

  #awakeUntil(now: number): number {
    const stood = this.#stoodStill;
    return stood !== undefined && now - stood.until < CAUGHT_UP_AFTER_MS ? stood.since : now;
  }
}
