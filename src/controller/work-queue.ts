import { setTimeout as delay } from 'node:timers/promises';

/** What processing a key gives back: when to process it again though nothing changes (milliseconds since the epoch). */
export interface ProcessedKey {
  readonly requeueAt: number | undefined;
  /** Something of it is under way and may yet fail: the back-off of earlier failures is kept until that is known. */
  readonly isUnderWay?: boolean;
}

/** Told of what goes through a queue, in the tick in which it happens; must not throw. All times are in milliseconds. */
export interface WorkQueueObserver {
  /** A key was added that did not wait already. */
  added(): void;
  /** A worker took a key that had waited. */
  taken(waitedMs: number): void;
  /** `Requeued`: it comes back at a time it asked for; `Failed`: it comes back after a back-off. */
  processed(tookMs: number, how: 'Settled' | 'Requeued' | 'Failed'): void;
}

export interface WorkQueueState {
  /** Keys that wait for a worker. */
  readonly depth: number;
  /** How long each key that is being processed has been, in milliseconds. */
  readonly underWayMs: readonly number[];
  readonly concurrency: number;
}

export interface WorkQueueOptions {
  readonly process: (key: string) => Promise<ProcessedKey>;
  /** Told of every failed processing, once; the key is processed again after a back-off. */
  readonly onError: (key: string, error: unknown, retryInMs: number) => void;
  /** Keys processed at once; one key never is processed twice at the same time. */
  readonly concurrency: number;
  readonly now: () => number;
  /** In [0, 1). */
  readonly random: () => number;
  readonly observer?: WorkQueueObserver;
}

const FIRST_BACKOFF_MS = 50;
const MAX_BACKOFF_MS = 30_000;
/** Node's timers overflow beyond this. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/**
 * A queue of keys in the manner of client-go's workqueue: a key that is added while it waits is processed once, a key that is added
 * while it is processed is processed once more after that, and a key whose processing failed comes back after a back-off that
 * doubles, with full jitter.
 */
export class WorkQueue {
  readonly #options: WorkQueueOptions;
  /** In the order in which they became due, and since when they are (of a clock that never steps). */
  readonly #ready = new Map<string, number>();
  /** And since when. */
  readonly #processing = new Map<string, number>();
  readonly #addedMeanwhile = new Set<string>();
  readonly #timers = new Map<string, { readonly at: number; readonly timer: NodeJS.Timeout }>();
  readonly #failures = new Map<string, number>();
  #stopped = false;

  constructor(options: WorkQueueOptions) {
    this.#options = options;
  }

  /** Has the key processed as soon as a worker is free. */
  add(key: string): void {
    if (this.#stopped) return;
    if (this.#processing.has(key)) {
      if (!this.#addedMeanwhile.has(key)) this.#options.observer?.added();
      this.#addedMeanwhile.add(key);
      return;
    }
    if (!this.#ready.has(key)) {
      this.#ready.set(key, performance.now());
      this.#options.observer?.added();
    }
    this.#dispatch();
  }

  /** Has the key processed at a time (milliseconds since the epoch), unless it is already going to be earlier than that. */
  addAt(key: string, at: number): void {
    if (this.#stopped) return;
    const planned = this.#timers.get(key);
    if (planned !== undefined && planned.at <= at) return;
    if (planned !== undefined) clearTimeout(planned.timer);
    const wait = Math.min(MAX_TIMER_MS, Math.max(0, at - this.#options.now()));
    const timer = setTimeout(() => {
      this.#timers.delete(key);
      this.add(key);
    }, wait);
    this.#timers.set(key, { at, timer });
  }

  state(): WorkQueueState {
    const now = performance.now();
    return {
      depth: this.#ready.size,
      underWayMs: [...this.#processing.values()].map((since) => now - since),
      concurrency: this.#options.concurrency,
    };
  }

  /** Starts nothing more and resolves when what is being processed is done; false when that took longer than `deadlineMs`. */
  async stop(deadlineMs: number): Promise<boolean> {
    this.#stopped = true;
    this.#ready.clear();
    for (const { timer } of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
    const until = performance.now() + deadlineMs;
    while (this.#processing.size > 0 && performance.now() < until) await delay(5);
    return this.#processing.size === 0;
  }

  #dispatch(): void {
    for (const [key, readySince] of this.#ready) {
      if (this.#processing.size >= this.#options.concurrency) return;
      this.#ready.delete(key);
      const now = performance.now();
      this.#processing.set(key, now);
      this.#options.observer?.taken(now - readySince);
      void this.#work(key, now);
    }
  }

  async #work(key: string, startedAt: number): Promise<void> {
    const { observer } = this.#options;
    try {
      const { requeueAt, isUnderWay = false } = await this.#options.process(key);
      observer?.processed(performance.now() - startedAt, requeueAt === undefined ? 'Settled' : 'Requeued');
      if (!isUnderWay) this.#failures.delete(key);
      if (requeueAt !== undefined) this.addAt(key, requeueAt);
    } catch (error) {
      observer?.processed(performance.now() - startedAt, 'Failed');
      const retryInMs = this.#nextBackoffMs(key);
      this.addAt(key, this.#options.now() + retryInMs);
      this.#options.onError(key, error, retryInMs);
    }
    this.#processing.delete(key);
    if (this.#addedMeanwhile.delete(key)) this.#ready.set(key, performance.now());
    if (!this.#stopped) this.#dispatch();
  }

  /** Full jitter (Marc Brooker, "Exponential Backoff and Jitter", 2015), but never less than a tenth: no hot loop. */
  #nextBackoffMs(key: string): number {
    const failures = this.#failures.get(key) ?? 0;
    this.#failures.set(key, failures + 1);
    const ceiling = Math.min(MAX_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** failures);
    return ceiling * Math.max(0.1, this.#options.random());
  }
}
