import type { Message, Outbox } from '../results/outbox.ts';

export interface MessageLease {
  /** Aborted when the messages must be let go of: before another process may claim them, at the deadline, and when the processor is told to end. */
  readonly signal: AbortSignal;
  end(): Promise<void>;
}

/** A share of the lease by which the signal comes before its end, for clocks and for what reacts to the signal. */
const MARGIN = 1 / 6;

/** Keeps claimed messages from others for as long as they are handled, by prolonging their lease again and again. */
export function keepLease(
  outbox: Pick<Outbox, 'extend'>,
  messages: readonly Message[],
  { leaseMs, deadlineMs, ending }: { leaseMs: number; deadlineMs: number; ending: AbortSignal },
): MessageLease {
  const controller = new AbortController();
  const abort = (): void => controller.abort();
  if (ending.aborted) abort();
  ending.addEventListener('abort', abort);
  const deadline = setTimeout(abort, deadlineMs);
  const validMs = leaseMs * (1 - MARGIN);
  let expiry = setTimeout(abort, validMs);
  let extending: Promise<void> = Promise.resolve();
  const extend = async (): Promise<void> => {
    const askedAt = performance.now();
    const held = await outbox.extend(messages, leaseMs).catch(() => undefined);
    // A store that is away prolongs nothing, and the lease ends when it ends.
    if (held === undefined) return;
    if (messages.some(({ id }) => !held.has(id))) return abort();
    clearTimeout(expiry);
    expiry = setTimeout(abort, Math.max(0, validMs - (performance.now() - askedAt)));
  };
  const timer = setInterval(() => {
    extending = extending.then(extend);
  }, leaseMs / 3);
  return {
    signal: controller.signal,
    end: async () => {
      ending.removeEventListener('abort', abort);
      clearInterval(timer);
      clearTimeout(deadline);
      await extending;
      clearTimeout(expiry);
    },
  };
}
