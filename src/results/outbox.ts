import type { EngineName } from '../core/run.ts';

/** What a message tells of. Each kind has one handler. */
export const MESSAGE_KINDS = ['ResultStored', 'FileTracked', 'RunFinished'] as const;
export type MessageKind = (typeof MESSAGE_KINDS)[number];

/** Something that was committed, claimed to be handled. */
export interface Message {
  readonly id: number;
  readonly runUid: string;
  readonly kind: MessageKind;
  /** As the transaction wrote it. */
  readonly payload: unknown;
  /** The number of this claim: only the latest claim settles a message. */
  readonly claim: number;
  /** How often it was claimed since somebody last asked for it to be tried again, this time included. */
  readonly tries: number;
  readonly createdAt: Date;
  /** Parts of it that were delivered before the others failed. */
  readonly done: readonly string[];
}

/** What handling a message came to. An error is a sentence for a person, without credentials. */
export type Settlement =
  | { readonly kind: 'Delivered' }
  /** `done`: the parts that were delivered by now, and need not be again. */
  | {
      readonly kind: 'Retry';
      readonly error: string;
      readonly retryAfterMs: number;
      readonly done?: readonly string[];
    }
  /** Not tried again before somebody asks for it. */
  | { readonly kind: 'Dead'; readonly error: string; readonly done?: readonly string[] };

export interface SettledMessage {
  readonly message: Pick<Message, 'id' | 'claim'>;
  readonly settlement: Settlement;
}

/** Which messages a processor handles. */
export interface MessageScope {
  readonly engine: EngineName;
  /** Those of runs in these namespaces of a cluster. */
  readonly namespaces: readonly string[] | 'All';
  /** Undefined: those of every run of the engine. */
  readonly runUids: readonly string[] | undefined;
  readonly kinds: readonly MessageKind[];
}

/** How many messages a person is shown at most. */
export const LISTED_MESSAGES = 1_000;

export type MessageState = 'Pending' | 'Delivered' | 'Dead';

/** A message as a person sees it. */
export interface ListedMessage {
  readonly id: number;
  readonly kind: MessageKind;
  readonly state: MessageState;
  readonly runUid: string;
  /** Undefined when the run is not stored any more. */
  readonly runName: string | undefined;
  readonly tries: number;
  readonly createdAt: Date;
  /** When a pending message is due; undefined for others. */
  readonly dueAt: Date | undefined;
  readonly lastError: string | undefined;
}

/**
 * What was committed and is to be told. A message is written by the transaction of what it tells, so none is there before that is committed, and none
 * is lost once it is. It is delivered at least once.
 *
 * Methods reject as those of {@link ResultStore} do.
 */
export interface Outbox {
  /** Up to `limit` messages that are due, the longest due first; nobody else gets them before the lease has passed. */
  claim(scope: MessageScope, limit: number, leaseMs: number): Promise<readonly Message[]>;
  /** Prolongs the lease of claimed messages. Returns the ids of those that this claim still has. */
  extend(messages: readonly Pick<Message, 'id' | 'claim'>[], leaseMs: number): Promise<ReadonlySet<number>>;
  /** Notes what became of claimed messages; of one that was claimed anew since, nothing. */
  settle(settled: readonly SettledMessage[]): Promise<void>;
  /** Messages that are not delivered, or only the dead ones; the oldest first. */
  list(options: { readonly deadOnly: boolean; readonly limit: number }): Promise<readonly ListedMessage[]>;
  /** Has dead messages handled again; all of them without ids. Returns the ids of those that were dead. */
  retry(ids: readonly number[] | undefined): Promise<readonly number[]>;
  /** Deletes what was delivered longer ago than `ageMs`, but of much only some. Returns how many. */
  deleteDelivered(ageMs: number): Promise<number>;
  /** How many messages are not delivered of an engine's runs in these namespaces. */
  counts(
    scope: Pick<MessageScope, 'engine' | 'namespaces'>,
  ): Promise<{ readonly pending: number; readonly dead: number }>;
  /** True when messages of a run are pending, claimed ones included. */
  hasPending(runUid: string): Promise<boolean>;
  /** UIDs of the local runs that have pending messages, and that no process runs: its own process handles those of a run. */
  localRunsLeft(): Promise<readonly string[]>;
}
