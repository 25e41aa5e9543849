import { sampleStandardDeviation } from 'simple-statistics';
import { finiteMean } from './finite-mean.ts';
import { ROUNDING_SHARE } from './rounding.ts';

/** What tests and intervals need to know of a sample. */
export interface Moments {
  /** Values; at least 1. */
  readonly n: number;
  readonly mean: number;
  /** Sample standard deviation (n − 1 in the denominator); 0 for what remains of the rounding of sums, null with fewer than two values. */
  readonly stddev: number | null;
}

/** The moments of at least one value. */
export function momentsOf(values: readonly number[]): Moments {
  const list = [...values];
  const mean = finiteMean(list);
  return { n: list.length, mean, stddev: list.length < 2 ? null : deviationOf(list, mean) };
}

function deviationOf(values: number[], mean: number): number | null {
  const deviation = sampleStandardDeviation(values);
  // The squares of very large values overflow; such a deviation is not known rather than infinite.
  if (!Number.isFinite(deviation)) return null;
  return deviation <= ROUNDING_SHARE * Math.abs(mean) ? 0 : deviation;
}
