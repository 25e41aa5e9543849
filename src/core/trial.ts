import { createHash } from 'node:crypto';
import { uniformInt } from 'pure-rand/distribution/uniformInt';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';
import type { Variant } from './variants.ts';

/** One repetition of one variant. */
export interface Trial {
  readonly variant: Variant;
  /** Counts from 0, like JOB_COMPLETION_INDEX. */
  readonly repetition: number;
}

/** Seed of a run's trial order: the first 32 bits of a hash of the run's UID, so that it can be told again from the UID alone. */
export function trialOrderSeed(runUid: string): number {
  return createHash('sha256').update(runUid).digest().readUInt32BE(0);
}

/**
 * The trials in the order in which they start: repetition by repetition, the variants of each repetition shuffled anew
 * (a randomised block design). What drifts while a run is under way, such as a warming cache or a slow node, then meets all
 * variants alike. The same seed gives the same order.
 */
export function trialsInOrder(
  variants: readonly Variant[],
  repetitions: number,
  seed: number,
): readonly Trial[] {
  const random = xoroshiro128plus(seed);
  const trials: Trial[] = [];
  for (let repetition = 0; repetition < repetitions; repetition += 1) {
    const block = variants.map((variant): Trial => ({ variant, repetition }));
    // Fisher–Yates shuffle.
    for (let last = block.length - 1; last > 0; last -= 1) {
      const other = uniformInt(random, 0, last);
      const moved = block[last];
      const replacement = block[other];
      if (moved === undefined || replacement === undefined) continue;
      block[last] = replacement;
      block[other] = moved;
    }
    trials.push(...block);
  }
  return trials;
}
