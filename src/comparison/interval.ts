/** A confidence interval. */
export interface Interval {
  readonly low: number;
  readonly high: number;
}

/** The interval of this half-width; undefined when it is beyond the largest numbers. */
export function intervalAround(centre: number, halfWidth: number): Interval | undefined {
  const interval = { low: centre - halfWidth, high: centre + halfWidth };
  return Number.isFinite(interval.low) && Number.isFinite(interval.high) ? interval : undefined;
}
