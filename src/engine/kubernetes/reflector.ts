import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { ApiError, isApiError } from './api-error.ts';
import { type BackoffLimits, backoffMs } from './backoff.ts';
import type { KubeClient, WatchEvent } from './kube-client.ts';

/** What a reflector keeps of an object at the least. */
export interface Reflected {
  readonly uid: string;
  readonly resourceVersion: string;
}

/** What is read of any object before it is projected. */
export interface ObjectWithMetadata {
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly uid: string;
    readonly resourceVersion: string;
  };
}

/** The bounds of a reflector's patience, in milliseconds. */
export interface ReflectorTimes {
  /** A watch that is silent for longer is half open: given up, and resumed where it was. Bookmarks come every minute. */
  readonly inactivityMs: number;
  /** A watch that lasted less counts as failed, also when the server ended it in good order. */
  readonly stableWatchMs: number;
  /** Everything is listed anew after this time, in case an event was lost on the way. */
  readonly resyncMs: number;
  readonly listTimeoutMs: number;
  readonly backoff: BackoffLimits;
}

const DEFAULT_TIMES: ReflectorTimes = {
  inactivityMs: 90_000,
  stableWatchMs: 5_000,
  resyncMs: 30 * 60_000,
  listTimeoutMs: 60_000,
  backoff: { firstMs: 500, maxMs: 30_000 },
};
/**
 * A page is parsed in one go. With two collections of 10,000 objects of 4 KB listed at once, pages of 500 blocked the event loop for up
 * to 80 ms on a busy machine, pages of 200 for up to 45 ms, with 20 MB less of garbage at the peak (measured).
 */
const PAGE_SIZE = 200;
/**
 * A watch first tells what has happened since the resourceVersion that it begins at, and does not say when that was all. After this time it was; after less when
 * everything was listed less before. That the watch before it ended in good order says nothing: a server ends one that is slow like that, with events that it keeps.
 */
const CAUGHT_UP_AFTER_MS = 2_000;
const WATCH_SECONDS = { min: 240, max: 300 };
const MAX_RETRY_AFTER_MS = 60_000;

export interface ReflectorOptions<Raw extends ObjectWithMetadata, T extends Reflected> {
  readonly client: KubeClient;
  /** The collection, such as /api/v1/pods or /apis/batch/v1/namespaces/team-a/jobs. */
  readonly path: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  /** What to keep of an object; undefined when it is none of ours. `before` is what is kept of it so far. */
  readonly project: (object: Raw, before: T | undefined) => T | undefined;
  /** Told of each change, in the tick in which it arrives: `before` is undefined for a new object, `after` for one that is gone. */
  readonly onChange: (key: string, before: T | undefined, after: T | undefined) => void;
  /** Told of each failed list or watch, and how long until the next try. */
  readonly onProblem?: (problem: ReflectorProblem) => void;
  readonly times?: Partial<ReflectorTimes>;
  /** Until when this process has read what its sockets held: `now`, or earlier after it stood still. Default: `now`. */
  readonly readUntil?: (now: number) => number;
  /** In [0, 1). */
  readonly random?: () => number;
  /** Milliseconds since the epoch. */
  readonly now?: () => number;
}

export interface ReflectorProblem {
  readonly path: string;
  readonly error: unknown;
  readonly retryInMs: number;
}

interface ListAnswer<Raw> {
  readonly metadata: { readonly resourceVersion: string; readonly continue?: string };
  readonly items: readonly Raw[];
}

/** The key of an object: `namespace/name`, or its name when it is in no namespace. */
export const keyOf = (namespace: string | undefined, name: string): string =>
  namespace === undefined || namespace === '' ? name : `${namespace}/${name}`;

/**
 * Keeps a small projection of every object of a collection up to date: lists once, then watches, for ever, in the manner of client-go's
 * Reflector. Whatever goes wrong, it tries again with a back-off, and after each list it reports what changed meanwhile, deletions
 * included. An object that was deleted and made anew under the same name is reported as gone, then as new. A deletion that is watched is
 * reported as a change to what the object was at last, then as its end.
 */
export class Reflector<Raw extends ObjectWithMetadata, T extends Reflected> {
  readonly path: string;
  readonly #options: ReflectorOptions<Raw, T>;
  readonly #times: ReflectorTimes;
  readonly #random: () => number;
  readonly #now: () => number;
  readonly #readUntil: (now: number) => number;
  readonly #stop = new AbortController();
  readonly #synced: Promise<void>;
  #settleSynced: { resolve: () => void; reject: (error: Error) => void } | undefined;
  #store = new Map<string, T>();
  #resourceVersion: string | undefined;
  #listedAt = 0;
  #lastActivityAt: number;
  #lastProblem: ReflectorProblem | undefined;
  /** Until when all that happened is known without the watch that is open. */
  #seenUntil = 0;
  /** When the server answered the watch that is open; undefined while none is. */
  #watchedSince: number | undefined;
  #finished: Promise<void> | undefined;

  constructor(options: ReflectorOptions<Raw, T>) {
    this.path = options.path;
    this.#options = options;
    this.#times = { ...DEFAULT_TIMES, ...options.times };
    this.#random = options.random ?? Math.random;
    this.#now = options.now ?? Date.now;
    this.#readUntil = options.readUntil ?? ((now) => now);
    this.#lastActivityAt = this.#now();
    this.#synced = new Promise((resolve, reject) => {
      this.#settleSynced = { resolve, reject };
    });
    // Whoever waits for it hears of it; that nobody waits is no failure.
    this.#synced.catch(() => undefined);
  }

  /** Begins to list and watch. */
  start(): void {
    this.#finished ??= this.#run();
  }

  /** Resolves when the first list is complete; rejects when the reflector is stopped before that. */
  whenSynced(): Promise<void> {
    return this.#synced;
  }

  get(key: string): T | undefined {
    return this.#store.get(key);
  }

  entries(): IterableIterator<[string, T]> {
    return this.#store.entries();
  }

  values(): IterableIterator<T> {
    return this.#store.values();
  }

  get size(): number {
    return this.#store.size;
  }

  /** When the server was last heard of, in milliseconds since the epoch. */
  get lastActivityAt(): number {
    return this.#lastActivityAt;
  }

  /** What went wrong since the last success; undefined while all is well. */
  get lastProblem(): ReflectorProblem | undefined {
    return this.#lastProblem;
  }

  /**
   * Until when all that happened is known, in milliseconds since the epoch: `now` while a watch is open and has caught up, earlier during an outage, a back-off or
   * a list, and after this process stood still.
   */
  seenUntil(now: number): number {
    const told = this.#hasCaughtUp(now) ? now : Math.min(now, this.#seenUntil);
    return Math.min(told, this.#readUntil(now));
  }

  /** Resolves when nothing is under way any more; nothing is reported from this call on. */
  async stop(): Promise<void> {
    this.#stop.abort();
    this.#settleSynced?.reject(new Error(`the reflector of ${this.path} was stopped`));
    await this.#finished;
  }

  async #run(): Promise<void> {
    let failures = 0;
    while (!this.#stop.signal.aborted) {
      const startedAt = this.#now();
      let problem: unknown;
      try {
        if (this.#resourceVersion === undefined) await this.#list();
        await this.#watch();
      } catch (error) {
        problem = error;
      }
      if (this.#stop.signal.aborted) return;
      if (isExpired(problem)) this.#resourceVersion = undefined;
      if (this.#now() - this.#listedAt >= this.#times.resyncMs) this.#resourceVersion = undefined;
      const wasStable = this.#now() - startedAt >= this.#times.stableWatchMs;
      failures = wasStable ? 0 : failures + 1;
      if (wasStable && problem === undefined) continue;
      await this.#pause(problem, failures);
    }
  }

  async #pause(problem: unknown, failures: number): Promise<void> {
    const asked = problem instanceof ApiError ? (problem.retryAfterMs ?? 0) : 0;
    const retryInMs = Math.max(
      Math.min(asked, MAX_RETRY_AFTER_MS),
      backoffMs(failures, this.#times.backoff, this.#random),
    );
    if (problem !== undefined) {
      this.#lastProblem = { path: this.path, error: problem, retryInMs };
      this.#options.onProblem?.(this.#lastProblem);
    }
    await sleep(retryInMs, undefined, { signal: this.#stop.signal }).catch(() => undefined);
  }

  /** Lists all pages. What is listed is never older than what was known: without a resourceVersion, a list asks etcd. */
  async #list(): Promise<void> {
    const startedAt = this.#now();
    const listed = new Map<string, T>();
    let continueToken: string | undefined;
    let resourceVersion: string;
    do {
      const page = await this.#options.client.request<ListAnswer<Raw>>('GET', this.path, {
        query: { ...this.#selectors(), limit: PAGE_SIZE, continue: continueToken },
        signal: this.#stop.signal,
        timeoutMs: this.#times.listTimeoutMs,
        // Tried again by the loop, with its own back-off.
        maxTries: 1,
      });
      this.#heard();
      for (const object of page.items) {
        const key = keyOf(object.metadata.namespace, object.metadata.name);
        const kept = this.#options.project(object, this.#known(key, object));
        if (kept !== undefined) listed.set(key, kept);
      }
      continueToken = page.metadata.continue || undefined;
      resourceVersion = page.metadata.resourceVersion;
    } while (continueToken !== undefined);
    await this.#replaceAll(listed);
    if (this.#stop.signal.aborted) return;
    this.#resourceVersion = resourceVersion;
    this.#listedAt = startedAt;
    // What came after its first page is left to the watch.
    // The own clock may have been ahead before the server's first answer corrected it.
    this.#seenUntil = Math.min(startedAt, this.#now());
    this.#lastProblem = undefined;
    this.#settleSynced?.resolve();
  }

  /** Watches from where the last list or watch ended, until the server ends it. */
  async #watch(): Promise<void> {
    const seconds = WATCH_SECONDS.min + this.#random() * (WATCH_SECONDS.max - WATCH_SECONDS.min);
    const events = this.#options.client.watch<Raw>(this.path, {
      query: {
        ...this.#selectors(),
        resourceVersion: this.#resourceVersion,
        allowWatchBookmarks: true,
        timeoutSeconds: Math.round(seconds),
      },
      signal: this.#stop.signal,
      inactivityMs: this.#times.inactivityMs,
      onOpen: () => {
        this.#watchedSince = this.#now();
      },
    });
    try {
      for await (const batch of events) {
        this.#heard();
        this.#lastProblem = undefined;
        for (const event of batch) if (!this.#stop.signal.aborted) this.#take(event);
        this.#noteSeen();
      }
    } finally {
      // The last that came may be what is behind by as much.
      if (this.#watchedSince !== undefined)
        this.#seenUntil = Math.min(this.#seenUntil, this.#now() - CAUGHT_UP_AFTER_MS);
      this.#watchedSince = undefined;
    }
  }

  #hasCaughtUp(now: number): boolean {
    const since = this.#watchedSince;
    return since !== undefined && now - since >= Math.min(CAUGHT_UP_AFTER_MS, since - this.#seenUntil);
  }

  #noteSeen(): void {
    this.#seenUntil = this.seenUntil(this.#now());
  }

  #take(event: WatchEvent<Raw>): void {
    if (event.type === 'ERROR')
      throw new ApiError(`watch ${this.path}`, event.object.code ?? 500, event.object);
    const { name, namespace, resourceVersion } = event.object.metadata;
    this.#resourceVersion = resourceVersion;
    if (event.type === 'BOOKMARK') return;
    const key = keyOf(namespace, name);
    // A deletion carries the object as it was at last, and that may be news.
    this.#replace(key, this.#options.project(event.object, this.#known(key, event.object)));
    if (event.type === 'DELETED') this.#replace(key, undefined);
  }

  #known(key: string, object: Raw): T | undefined {
    const known = this.#store.get(key);
    return known?.uid === object.metadata.uid ? known : undefined;
  }

  /** In turns of a page's size: who is told of 10,000 new objects at once blocks the event loop for 0.2 s (measured). */
  async #replaceAll(listed: ReadonlyMap<string, T>): Promise<void> {
    const gone = [...this.#store.keys()].filter((key) => !listed.has(key));
    const changes: (readonly [string, T | undefined])[] = [
      ...gone.map((key) => [key, undefined] as const),
      ...listed,
    ];
    for (const [index, [key, after]] of changes.entries()) {
      if (index > 0 && index % PAGE_SIZE === 0) await nextTurn();
      if (this.#stop.signal.aborted) return;
      this.#replace(key, after);
    }
  }

  #replace(key: string, after: T | undefined): void {
    const before = this.#store.get(key);
    if (before?.uid === after?.uid && before?.resourceVersion === after?.resourceVersion) return;
    if (before !== undefined && after !== undefined && before.uid !== after.uid) {
      this.#replace(key, undefined);
      this.#replace(key, after);
      return;
    }
    if (after === undefined) this.#store.delete(key);
    else this.#store.set(key, after);
    this.#options.onChange(key, before, after);
  }

  #heard(): void {
    this.#lastActivityAt = this.#now();
  }

  #selectors(): { labelSelector: string | undefined; fieldSelector: string | undefined } {
    return { labelSelector: this.#options.labelSelector, fieldSelector: this.#options.fieldSelector };
  }
}

/** True when the server no longer knows the resourceVersion, or the continue token, that it was asked to go on from. */
const isExpired = (error: unknown): boolean =>
  isApiError(error, 410) || (error instanceof ApiError && ['Expired', 'Gone'].includes(error.reason));
