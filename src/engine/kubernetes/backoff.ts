/** How long to wait between tries, in milliseconds. */
export interface BackoffLimits {
  readonly firstMs: number;
  readonly maxMs: number;
}

/**
 * The wait before the next try after `failures` failed ones in a row, in milliseconds. Doubles, with full jitter (Marc Brooker,
 * "Exponential Backoff and Jitter", 2015), but is never less than a tenth of the ceiling: no hot loop.
 * @param random in [0, 1)
 */
export function backoffMs(failures: number, { firstMs, maxMs }: BackoffLimits, random: () => number): number {
  const ceiling = Math.min(maxMs, firstMs * 2 ** Math.max(0, failures - 1));
  return ceiling * Math.max(0.1, random());
}
