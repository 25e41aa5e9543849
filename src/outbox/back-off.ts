const FIRST_MS = 1_000;
const LONGEST_MS = 10 * 60_000;
/** With the pauses between them one to two hours: longer than a receiver takes to be started anew. */
export const TRIES_LIMIT = 22;

/**
 * How long a message waits after its n-th failure: doubling from a second to ten minutes, less up to half of that by chance, so that what failed together is
 * not tried together.
 * @param tries from 1
 * @param random in [0, 1)
 */
export function backOffMs(tries: number, random: number): number {
  const full = Math.min(LONGEST_MS, FIRST_MS * 2 ** (tries - 1));
  return Math.round(full * (1 - random / 2));
}
