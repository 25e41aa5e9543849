/**
 * Gathers what there is news of, each key once, and hands it on once all that is happening now has happened, but not sooner than an interval after it last
 * did. What comes alone is handed on at once.
 */
export class GatheredNews {
  readonly #handOn: (keys: readonly string[]) => void;
  readonly #intervalMs: number;
  readonly #keys = new Set<string>();
  /** Of a clock that never steps. */
  #lastAt = Number.NEGATIVE_INFINITY;

  constructor(handOn: (keys: readonly string[]) => void, intervalMs: number) {
    this.#handOn = handOn;
    this.#intervalMs = intervalMs;
  }

  add(key: string): void {
    if (this.#keys.size === 0) this.#plan();
    this.#keys.add(key);
  }

  #plan(): void {
    const waitMs = this.#lastAt + this.#intervalMs - performance.now();
    if (waitMs > 0) setTimeout(() => this.#flush(), waitMs);
    else setImmediate(() => this.#flush());
  }

  #flush(): void {
    this.#lastAt = performance.now();
    const keys = [...this.#keys];
    this.#keys.clear();
    this.#handOn(keys);
  }
}
