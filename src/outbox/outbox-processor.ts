/** Hands what was committed to its handlers; see docs/reference/artifacts.md. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { EngineName } from '../core/run.ts';
import type { Message, MessageKind, Outbox, Settlement } from '../results/outbox.ts';
import { ResultStoreUnavailableError } from '../results/result-store.ts';
import type { Logger } from '../telemetry/logger.ts';
import { backOffMs, TRIES_LIMIT } from './back-off.ts';
import { failedBy, type Handled, type MessageHandler } from './message-handler.ts';
import { keepLease } from './message-lease.ts';

export type DeliveryOutcome = 'Delivered' | 'Retried' | 'Dead';

export interface OutboxProcessorOptions {
  readonly outbox: Pick<Outbox, 'claim' | 'extend' | 'settle' | 'deleteDelivered'>;
  readonly handlers: readonly MessageHandler[];
  readonly engine: EngineName;
  /** Those of runs in these namespaces of a cluster. */
  readonly namespaces: readonly string[] | 'All';
  /** Whose messages of a kind; undefined: those of every run of the engine. */
  readonly runUidsOf: (kind: MessageKind) => readonly string[] | undefined;
  readonly logger: Logger;
  /** Called with each message that was handled; must not throw. */
  readonly onHandled: (kind: MessageKind, outcome: DeliveryOutcome) => void;
  /** In [0, 1). */
  readonly random: () => number;
  /** For how long a claimed message is kept from others when this process dies. Default 30,000. */
  readonly leaseMs?: number;
}

export interface OutboxProcessor {
  /** Resolves with true when everything that was due has been handled, with false when that took longer. What waits for a back-off is not waited for. */
  drain(deadlineMs: number): Promise<boolean>;
  /**
   * Claims nothing more, and ends at the deadline what is under way then. A store that answers nothing is not waited for: what it was asked is let go of
   * {@link LAST_WORDS_MS} later, and messages are due again when their lease has passed.
   */
  stop(deadlineMs: number): Promise<void>;
}

const LEASE_MS = 30_000;
const POLL_MS = 1_000;
/** A store that is away is asked less often. */
const STORE_AWAY_MS = 5_000;
const RETENTION_INTERVAL_MS = 60_000;
/** How long it may take to note what became of messages that are let go of. */
const LAST_WORDS_MS = 2_000;
/** How long delivered messages stay, for a person who wonders. */
const DELIVERED_KEPT_MS = 60 * 60_000;

/** Starts handling what is due, now and from now on, until it is stopped. Each kind has a loop of its own, and several batches under way: what is slow holds up no more than its own place. */
export function startOutboxProcessor(options: OutboxProcessorOptions): OutboxProcessor {
  const claiming = new AbortController();
  const handling = new AbortController();
  const loops = options.handlers.map(
    (handler) => new HandlerLoop(handler, options, claiming.signal, handling.signal),
  );
  const running = Promise.all([...loops.map((loop) => loop.run()), keepTidy(options, claiming.signal)]);
  return {
    drain: async (deadlineMs) => {
      const drained = Promise.all(loops.map((loop) => loop.untilNothingDue())).then(() => true);
      return Promise.race([drained, sleep(deadlineMs, false, { ref: false })]);
    },
    stop: async (deadlineMs) => {
      claiming.abort();
      for (const loop of loops) loop.wake();
      const patience = setTimeout(() => handling.abort(), deadlineMs);
      await Promise.race([running, sleep(deadlineMs + LAST_WORDS_MS, undefined, { ref: false })]);
      clearTimeout(patience);
    },
  };
}

class HandlerLoop {
  readonly #handler: MessageHandler;
  readonly #options: OutboxProcessorOptions;
  readonly #claiming: AbortSignal;
  readonly #handling: AbortSignal;
  #wake: () => void = () => {};
  /** What was claimed and is not settled yet. */
  readonly #underWay = new Set<Promise<void>>();
  /** Resolves when the next batch may be claimed beside what is under way. */
  #nextMayBeClaimed: Promise<void> = Promise.resolve();
  /** Told when a claim that began after they asked finds nothing, and nothing is under way. */
  #waiters: (() => void)[] = [];
  #storeIsAway = false;

  constructor(
    handler: MessageHandler,
    options: OutboxProcessorOptions,
    claiming: AbortSignal,
    handling: AbortSignal,
  ) {
    this.#handler = handler;
    this.#options = options;
    this.#claiming = claiming;
    this.#handling = handling;
  }

  wake(): void {
    this.#wake();
  }

  untilNothingDue(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiters.push(resolve);
      this.wake();
    });
  }

  async run(): Promise<void> {
    while (!this.#claiming.aborted) {
      const waiters = [...this.#waiters];
      const batches = await this.#claimed();
      // Nobody waits for what these come to: they are due again when their lease has passed.
      if (this.#handling.aborted) break;
      for (const messages of batches) this.#begin(messages);
      if (batches.length === 0 && !this.#storeIsAway && this.#underWay.size === 0) this.#tell(waiters);
      await this.#nextMayBeClaimed;
      if (this.#underWay.size >= this.#handler.atOnce) await Promise.race(this.#underWay);
      if (this.#claiming.aborted) break;
      if (this.#storeIsAway) await this.#paused(STORE_AWAY_MS);
      else if (batches.length === 0) await this.#untilMoreMayBeDue();
    }
    await Promise.all(this.#underWay);
  }

  /** What is due in batches, as many as there are places for; nothing when the store is away. */
  async #claimed(): Promise<readonly (readonly Message[])[]> {
    const { outbox, engine, namespaces, runUidsOf } = this.#options;
    const { kind, batch, atOnce, claims } = this.#handler;
    const places = claims === 'OneByOne' ? 1 : atOnce - this.#underWay.size;
    try {
      const messages = await outbox.claim(
        { engine, namespaces, runUids: runUidsOf(kind), kinds: [kind] },
        places * batch,
        this.#leaseMs,
      );
      this.#storeIsAway = false;
      return inBatches(messages, batch);
    } catch (error) {
      this.#noteProblem(error);
      return [];
    }
  }

  #begin(messages: readonly Message[]): void {
    let letNextBeClaimed = (): void => {};
    const told = new Promise<void>((resolve) => {
      letNextBeClaimed = resolve;
    });
    if (this.#handler.claims === 'OneByOne') this.#nextMayBeClaimed = told;
    const work = this.#handle(messages, letNextBeClaimed)
      // What was claimed is due again when its lease has passed.
      .catch((error: unknown) => this.#noteProblem(error))
      .finally(() => {
        this.#underWay.delete(work);
        letNextBeClaimed();
      });
    this.#underWay.add(work);
  }

  #noteProblem(error: unknown): void {
    // It was let go of, and the store may be closed meanwhile.
    if (this.#handling.aborted) return;
    const { logger } = this.#options;
    const { kind } = this.#handler;
    if (!(error instanceof ResultStoreUnavailableError))
      logger.error({ kind, err: error }, 'the outbox could not be processed');
    else if (!this.#storeIsAway)
      logger.warn({ kind, reason: error.message }, 'the outbox waits for its store');
    this.#storeIsAway = true;
  }

  /** Tells those who wait for it that nothing is due. */
  #tell(waiters: readonly (() => void)[]): void {
    this.#waiters = this.#waiters.filter((waiter) => !waiters.includes(waiter));
    for (const resolve of waiters) resolve();
  }

  async #untilMoreMayBeDue(): Promise<void> {
    if (this.#waiters.length === 0) return this.#paused(POLL_MS);
    if (this.#underWay.size === 0) return;
    // Whoever waits for the end of what is under way is told at once.
    await Promise.race([this.#paused(POLL_MS), ...this.#underWay]);
    this.#wake();
  }

  get #leaseMs(): number {
    return this.#options.leaseMs ?? LEASE_MS;
  }

  async #handle(claimed: readonly Message[], letNextBeClaimed: () => void): Promise<void> {
    const messages = claimed.filter(({ tries }) => tries <= TRIES_LIMIT);
    // A handler that takes its process down with it says nothing, so these are not given to it once more.
    const unsettled = claimed.filter(({ tries }) => tries > TRIES_LIMIT);
    await this.#settle(unsettled.map((message) => ({ message, outcome: NEVER_SETTLED })));
    if (messages.length > 0) await this.#giveToHandler(messages, letNextBeClaimed);
  }

  async #giveToHandler(messages: readonly Message[], letNextBeClaimed: () => void): Promise<void> {
    const { deadlineMs } = this.#handler;
    const { outbox } = this.#options;
    const lease = keepLease(outbox, messages, { leaseMs: this.#leaseMs, deadlineMs, ending: this.#handling });
    try {
      const handled = await this.#handler
        .handle(messages, lease.signal, letNextBeClaimed)
        .catch((error: unknown) => messages.map(() => failedBy(error)));
      await this.#settle(
        messages.map((message, index) => ({ message, outcome: handled[index] ?? NOT_HANDLED })),
      );
    } finally {
      await lease.end();
    }
  }

  async #settle(
    outcomes: readonly { readonly message: Message; readonly outcome: Handled }[],
  ): Promise<void> {
    await this.#options.outbox.settle(
      outcomes.map(({ message, outcome }) => ({ message, settlement: this.#settlementOf(message, outcome) })),
    );
    for (const { message, outcome } of outcomes) this.#report(message, outcome);
  }

  #settlementOf({ tries }: Message, handled: Handled): Settlement {
    switch (handled.kind) {
      case 'Delivered':
        return handled;
      case 'Refused':
        return { kind: 'Dead', error: handled.error };
      case 'Failed': {
        const { error, done } = handled;
        const parts = done === undefined ? {} : { done };
        if (tries >= TRIES_LIMIT) return { kind: 'Dead', error, ...parts };
        return { kind: 'Retry', error, retryAfterMs: backOffMs(tries, this.#options.random()), ...parts };
      }
    }
  }

  #report({ id, kind, runUid: run, tries }: Message, outcome: Handled): void {
    const isDead = outcome.kind === 'Refused' || (outcome.kind === 'Failed' && tries >= TRIES_LIMIT);
    this.#options.onHandled(kind, outcome.kind === 'Delivered' ? 'Delivered' : isDead ? 'Dead' : 'Retried');
    if (outcome.kind === 'Delivered') return;
    const { logger } = this.#options;
    const context = { id, kind, run, tries, reason: outcome.error };
    if (outcome.kind === 'Failed' && outcome.cause !== undefined)
      logger.error({ ...context, err: outcome.cause }, 'handling a message failed');
    if (isDead) logger.warn(context, 'a message is dead: batchtest outbox tells of it');
    else logger.info(context, 'a message is tried again later');
  }

  #paused(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

const inBatches = (messages: readonly Message[], size: number): readonly (readonly Message[])[] =>
  Array.from({ length: Math.ceil(messages.length / size) }, (_, index) =>
    messages.slice(index * size, (index + 1) * size),
  );

const NOT_HANDLED: Handled = { kind: 'Failed', error: 'its handler said nothing of it' };
const NEVER_SETTLED: Handled = {
  kind: 'Refused',
  error: `handled ${TRIES_LIMIT} times, and what the last came to was never noted: its process ended, or lost it`,
};

/** Delivered messages go after a while. */
async function keepTidy({ outbox, logger }: OutboxProcessorOptions, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    try {
      // A call deletes only some of much, so that none takes long.
      while ((await outbox.deleteDelivered(DELIVERED_KEPT_MS)) > 0 && !signal.aborted);
    } catch (error) {
      if (!(error instanceof ResultStoreUnavailableError))
        logger.error({ err: error }, 'delivered messages could not be deleted');
    }
    await sleep(RETENTION_INTERVAL_MS, undefined, { signal, ref: false }).catch(() => undefined);
  }
}
