import type { Explanation } from '../core/status.ts';
import type { StartOutcome } from '../engine/engine.ts';

/** The engine could not start an attempt for now: a quota is used up, a server overloaded, the machine out of processes. Or it could not just before. */
export interface Postponement {
  /** Undefined when a start went well since. */
  readonly explanation: Explanation | undefined;
  /** In a row, with no start in between. */
  readonly count: number;
  /** When to try again (milliseconds since the epoch). */
  readonly until: number;
  /** How many starts may be asked for at once then. */
  readonly atOnce: number;
}

/**
 * How many starts of a run may be without an answer, at most. A cluster is sent 32 requests at a time, so more would wait their turn: each would start though the run is cancelled
 * meanwhile, and what is to be removed then would wait behind them.
 */
const MOST_AT_ONCE = 64;
/** The ones that an attempt's end may put an end to. */
const OF_WANT_OF_ROOM: ReadonlySet<string> = new Set(['QuotaExceeded', 'ResourceShortage']);

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
  const until = now + Math.max(retryAfterMs, growing);
  return { explanation: { reason, message }, count, until, atOnce: 1 };
}

/** What is left of a postponement after a start that went well: twice as many are asked for from then on, as only a refusal tells how much room there is. */
export function startedAgain(postponement: Postponement | undefined): Postponement | undefined {
  if (postponement === undefined || postponement.atOnce * 2 >= MOST_AT_ONCE) return undefined;
  return { explanation: undefined, count: 0, until: 0, atOnce: postponement.atOnce * 2 };
}

/** What is left of a postponement after the end of an attempt: where room was wanting, one start is tried at once. A server that asks for time is given it. */
export function roomMade(postponement: Postponement | undefined): Postponement | undefined {
  const isOfWantOfRoom = OF_WANT_OF_ROOM.has(postponement?.explanation?.reason ?? '');
  return isOfWantOfRoom && postponement !== undefined
    ? { ...postponement, count: 0, until: 0 }
    : postponement;
}

/**
 * How many more starts may be tried. Where one was postponed, none before the time has come, then one to find out, and twice as many each time that this goes well.
 * @param underWay starts that are not answered yet
 */
export function startBudget(postponement: Postponement | undefined, underWay: number, now: number): number {
  const { until, atOnce } = postponement ?? { until: 0, atOnce: MOST_AT_ONCE };
  return now < until ? 0 : Math.max(0, atOnce - underWay);
}

/**
 * When to look again for what is postponed; undefined when nothing is, or when its time had come already when that was decided.
 * @param decidedAt the time that `startBudget` was asked with
 */
export const nextTryAt = (postponement: Postponement | undefined, decidedAt: number): number | undefined =>
  postponement === undefined || postponement.until <= decidedAt ? undefined : postponement.until;
