/** Pushes that one program may make at once, and how long it takes until it may make another: a result is one push, and some are lost on their way. */
const BURST = 10;
const REFILL_MS = 2_000;

/** Bounds how often one sender is heard: a bucket of {@link BURST} pushes that gets one back every {@link REFILL_MS} milliseconds. */
export class PushRate {
  readonly #now: () => number;
  /** By sender: when its bucket will be full. */
  readonly #fullAt = new Map<string, number>();

  constructor(now: () => number) {
    this.#now = now;
  }

  /** Takes one push out of the bucket of this sender; the milliseconds to wait when there is none, and then takes nothing. */
  take(sender: string): number | undefined {
    const now = this.#now();
    this.#forgetFull(now);
    const fullAt = Math.max(now, this.#fullAt.get(sender) ?? now) + REFILL_MS;
    const wait = fullAt - now - BURST * REFILL_MS;
    if (wait > 0) return wait;
    this.#fullAt.delete(sender);
    this.#fullAt.set(sender, fullAt);
    return undefined;
  }

  /** Puts back a push that was taken and does not count. */
  giveBack(sender: string): void {
    const fullAt = (this.#fullAt.get(sender) ?? 0) - REFILL_MS;
    if (fullAt > this.#now()) this.#fullAt.set(sender, fullAt);
    else this.#fullAt.delete(sender);
  }

  /** The bucket that was drawn from the longest ago comes first. */
  #forgetFull(now: number): void {
    for (const [sender, fullAt] of this.#fullAt) {
      if (fullAt > now) return;
      this.#fullAt.delete(sender);
    }
  }
}
