import type { Explanation } from '../core/status.ts';
import type { StartOutcome } from '../engine/engine.ts';

/** The engine could not start an attempt for now: a quota is used up, a server overloaded, the machine out of processes. */
export interface Postponement {
  readonly explanation: Explanation;
  /** In a row, with no start in between. */
  readonly count: number;
  /** When to try again (milliseconds since the epoch). */
  readonly until: number;
}

/** A server may name no time at all (`Retry-After: 0`). */
const SHORTEST_WAIT_MS = 100;
const LONGEST_WAIT_MS = 30_000;

/** The postponement after `previous`; each in a row waits twice as long. */
export function postponedAgain(
  previous: Postponement | undefined,
  { reason, message, retryAfterMs }: Extract<StartOutcome, { kind: 'Postponed' }>,
  now: number,
): Postponement {
  const count = (previous?.count ?? 0) + 1;
  const growing = Math.min(LONGEST_WAIT_MS, Math.max(SHORTEST_WAIT_MS, retryAfterMs) * 2 ** (count - 1));
  // A server that names a longer time than that is taken by its word.
  return { explanation: { reason, message }, count, until: now + Math.max(retryAfterMs, growing) };
}

/**
 * How many more starts may be tried: none before the time has come, then one to find out, and all once that went well.
 * @param underWay starts that are not answered yet
 */
export function startBudget(postponement: Postponement | undefined, underWay: number, now: number): number {
  if (postponement === undefined) return Number.POSITIVE_INFINITY;
  return now < postponement.until ? 0 : Math.max(0, 1 - underWay);
}

/**
 * When to look again for what is postponed; undefined when nothing is, or when its time had come already when that was decided.
 * @param decidedAt the time that `startBudget` was asked with
 */
export const nextTryAt = (postponement: Postponement | undefined, decidedAt: number): number | undefined =>
  postponement === undefined || postponement.until <= decidedAt ? undefined : postponement.until;
