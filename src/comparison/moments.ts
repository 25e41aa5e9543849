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

/** Of deviations between these, no square vanishes or overflows. */
const SMALLEST_TO_SQUARE = 1e-140;
const LARGEST_TO_SQUARE = 1e140;

function deviationOf(values: number[], mean: number): number | null {
  const plain = sampleStandardDeviation(values);
  const deviation =
    plain >= SMALLEST_TO_SQUARE && plain <= LARGEST_TO_SQUARE ? plain : scaledDeviation(values, mean);
  // What is between the largest numbers may be beyond them; such a deviation is not known rather than infinite.
  if (!Number.isFinite(deviation)) return null;
  return deviation <= ROUNDING_SHARE * Math.abs(mean) ? 0 : deviation;
}

/** In units of the largest difference from the mean; a power of two changes no digit. */
function scaledDeviation(values: readonly number[], mean: number): number {
  const differences = values.map((value) => value - mean);
  const largest = differences.reduce((most, difference) => Math.max(most, Math.abs(difference)), 0);
  if (largest === 0) return 0;
  const unit = 2 ** Math.floor(Math.log2(largest));
  return unit * sampleStandardDeviation(differences.map((difference) => difference / unit));
}
