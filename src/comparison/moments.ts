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

function deviationOf(values: readonly number[], mean: number): number | null {
  const deviations = values.map((value) => value - mean);
  const largest = deviations.reduce((most, deviation) => Math.max(most, Math.abs(deviation)), 0);
  if (largest === 0) return 0;
  // What is between the largest numbers may be beyond them; such a deviation is not known rather than infinite.
  if (!Number.isFinite(largest)) return null;
  // The squares of very small numbers vanish and those of very large ones overflow. A power of two changes no digit.
  const unit = 2 ** Math.floor(Math.log2(largest));
  const deviation = unit * sampleStandardDeviation(deviations.map((value) => value / unit));
  if (!Number.isFinite(deviation)) return null;
  return deviation <= ROUNDING_SHARE * Math.abs(mean) ? 0 : deviation;
}
