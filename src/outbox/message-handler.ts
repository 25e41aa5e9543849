import { TokenUnreadableError } from '../notifications/bearer-token.ts';
import type { Message, MessageKind } from '../results/outbox.ts';
import { ResultStoreUnavailableError } from '../results/result-store.ts';

/** What became of one message. Errors are sentences for a person, without credentials. */
export type Handled =
  | { readonly kind: 'Delivered' }
  /** To be tried again later. `done`: the parts of it that were delivered, those before this time included. `cause`: for the log. */
  | {
      readonly kind: 'Failed';
      readonly error: string;
      readonly done?: readonly string[];
      readonly cause?: unknown;
    }
  /** There is no use in trying again by itself. */
  | { readonly kind: 'Refused'; readonly error: string };

/**
 * Handles the messages of one kind. A message comes at least once: it comes again when a process dies before it is noted as delivered, so handling it twice
 * must do no harm.
 */
export interface MessageHandler {
  readonly kind: MessageKind;
  /** Messages that are claimed together, handled by one call, and settled once they are all done. */
  readonly batch: number;
  /** Batches that are under way at once: one that takes long holds up no more than its own place. */
  readonly atOnce: number;
  /**
   * `Together`: whatever there is a place for. `OneByOne`: a batch once the handler has said of the one before that it may be. A claim counts as a try, so what
   * would only wait for others is not claimed.
   */
  readonly claims: 'Together' | 'OneByOne';
  /** How long handling a batch may take; then the signal is aborted. */
  readonly deadlineMs: number;
  /**
   * What became of each message, in their order. A rejection is a failure of them all.
   * @param signal to be obeyed: another process may have the messages soon after it is aborted
   * @param letNextBeClaimed where claims are `OneByOne`; the end of handling does the same
   */
  handle(
    messages: readonly Message[],
    signal: AbortSignal,
    letNextBeClaimed: () => void,
  ): Promise<readonly Handled[]>;
}

export const DELIVERED: Handled = { kind: 'Delivered' };

/** Handles messages each by itself and all at once; what one fails with is its own. */
export const eachByItself = (
  messages: readonly Message[],
  handle: (message: Message) => Promise<Handled>,
): Promise<readonly Handled[]> =>
  Promise.all(messages.map((message) => handle(message).catch((error: unknown) => failedBy(error))));

/** What an error that no handler foresaw makes of a message. */
export function failedBy(error: unknown): Extract<Handled, { kind: 'Failed' }> {
  if (error instanceof ResultStoreUnavailableError || error instanceof TokenUnreadableError)
    return { kind: 'Failed', error: error.message };
  if (error instanceof Error && (error.name === 'AbortError' || error.name === 'TimeoutError'))
    return { kind: 'Failed', error: 'it was interrupted: its process ended, or it took too long' };
  const name = error instanceof Error ? error.name : typeof error;
  return { kind: 'Failed', error: `unexpected error (${name}); the log tells more`, cause: error };
}

/** What becomes of a message that another version of this program wrote, or that somebody changed. */
export const notUnderstood = ({ kind }: Message): Handled => ({
  kind: 'Refused',
  error: `the payload is not that of a ${kind} message`,
});
