import { createHash } from 'node:crypto';
import type { BatchTestSpec } from '../api/v1alpha1/schema.ts';
import type { Outcome } from './outcome.ts';

/** Which outcomes another attempt follows, how often, and after how long. */
export type RetryPolicy = BatchTestSpec['retryPolicy'];

/** True when another attempt follows an outcome, as long as the limit allows one. */
export const isRetried = ({ outcomes }: RetryPolicy, outcome: Outcome): boolean =>
  outcomes.some((retried) => retried === outcome);

/**
 * When the next attempt may start, in milliseconds since the epoch. The delay doubles with each attempt up to its bound, and is
 * shortened by up to a half ("equal jitter", https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/), so that what failed
 * together does not come back together. The share is told from the attempt's name: the same attempt gets the same delay.
 * @param failures attempts that have failed, this one included
 * @param name of the attempt that ended
 */
export function retryAt(
  { backoffSeconds, maxBackoffSeconds }: RetryPolicy,
  failures: number,
  name: string,
  now: number,
): number {
  // Bounded, because a program whose failures are ignored may fail a thousand times: 2 ** 1024 is Infinity, and 0 times that no number.
  const doublings = Math.min(failures - 1, MAX_DOUBLINGS);
  const seconds = Math.min(maxBackoffSeconds, backoffSeconds * 2 ** doublings);
  return now + Math.round(seconds * 1_000 * (1 - shareOf(name) / 2));
}

/** One second doubled as often is longer than any bound. */
const MAX_DOUBLINGS = 32;

/** In [0, 1). */
const shareOf = (name: string): number =>
  createHash('sha256').update(name).digest().readUInt32BE(0) / 2 ** 32;
