import { sampleStandardDeviation } from 'simple-statistics';
import { finiteMean } from './finite-mean.ts';

/** What tests and intervals need to know of a sample. */
export interface Moments {
  /** Values; at least 1. */
  readonly n: number;
  readonly mean: number;
  /** Sample standard deviation (n − 1 in the denominator); null with fewer than two values. */
  readonly stddev: number | null;
}

/** The moments of at least one value. */
export function momentsOf(values: readonly number[]): Moments {
  const list = [...values];
  return {
    n: list.length,
    mean: finiteMean(list),
    // The squares of very large values overflow; such a deviation is not known rather than infinite.
    stddev: list.length < 2 ? null : finiteOrNull(sampleStandardDeviation(list)),
  };
}

const finiteOrNull = (value: number): number | null => (Number.isFinite(value) ? value : null);
