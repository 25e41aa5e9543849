import type { ReadonlyRunLedger } from './run-ledger.ts';
import type { Explanation } from './status.ts';

/** A result that takes longer than this to be stored is told of, and what is done while none can be stored is done. */
export const STORE_IS_SLOW_AFTER_MS = 5_000;

/** From when on the store counts as slow, unless it answers before that (milliseconds since the epoch); undefined when it is asked for nothing. */
export const storeIsSlowAt = ({ storingSince }: ReadonlyRunLedger): number | undefined =>
  storingSince === undefined ? undefined : storingSince + STORE_IS_SLOW_AFTER_MS;

/**
 * What a user is told of the store; undefined when there is nothing to tell.
 * @param last what was told last: what the store said of the last try holds until it has answered the next
 */
export const storeProblemOf = (
  ledger: ReadonlyRunLedger,
  last: Explanation | undefined,
  now: number,
): Explanation | undefined =>
  ledger.unconfirmed.size > 0 || ledger.unconfirmedSkip !== undefined || ledger.isEndUnconfirmed
    ? last
    : slownessOf(ledger, now);

function slownessOf(ledger: ReadonlyRunLedger, now: number): Explanation | undefined {
  const slowAt = storeIsSlowAt(ledger);
  if (slowAt === undefined || now < slowAt) return undefined;
  return {
    reason: 'Slow',
    message: `${ledger.isFinishing ? 'the end of the run' : 'a result'} has been waiting for more than ${STORE_IS_SLOW_AFTER_MS / 1_000} s to be stored`,
  };
}

/**
 * True when the store is slow, or did not say what became of something that it was asked to commit: until that is known, nothing starts whose result might
 * not be stored either.
 */
export const isStoreInTrouble = (ledger: ReadonlyRunLedger, now: number): boolean =>
  ledger.unconfirmed.size > 0 || slownessOf(ledger, now) !== undefined;
