import type { Interval } from './interval.ts';
import { meanInterval } from './mean-interval.ts';
import { type Moments, momentsOf } from './moments.ts';

/** One metric over the successful trials of one variant. Everything but `n` is in the unit of the metric. */
export interface SampleSummary extends Moments {
  readonly min: number;
  readonly max: number;
  readonly median: number;
  readonly p5: number;
  readonly p25: number;
  readonly p75: number;
  readonly p95: number;
  /** Where the mean of many more trials would be, with the comparison's confidence; null with fewer than two values. */
  readonly meanInterval: Interval | null;
}

/**
 * The summary of at least one value.
 * @param critical of the comparison's confidence: `criticalValues`
 */
export function sampleSummary(values: readonly number[], critical: (df: number) => number): SampleSummary {
  const sorted = [...values].sort((one, other) => one - other);
  const moments = momentsOf(values);
  return {
    ...moments,
    min: quantile(sorted, 0),
    max: quantile(sorted, 1),
    median: quantile(sorted, 0.5),
    p5: quantile(sorted, 0.05),
    p25: quantile(sorted, 0.25),
    p75: quantile(sorted, 0.75),
    p95: quantile(sorted, 0.95),
    meanInterval: meanInterval(moments, critical) ?? null,
  };
}

/**
 * The value below which a share of the sorted values is, between two values by linear interpolation: type 7 of Hyndman & Fan, "Sample
 * Quantiles in Statistical Packages" (The American Statistician, 1996), which R and numpy use by default.
 */
export function quantile(sorted: readonly number[], share: number): number {
  const place = (sorted.length - 1) * share;
  const below = sorted[Math.floor(place)] ?? Number.NaN;
  const above = sorted[Math.ceil(place)] ?? Number.NaN;
  const part = place - Math.floor(place);
  // Weighted like this it stays finite between the largest numbers, and is exact where both are the same.
  return below === above ? below : below * (1 - part) + above * part;
}
