import type { Moments } from './moments.ts';

/**
 * Hedges' g: the difference of two means in standard deviations (pooled), corrected for the bias of small samples by J = 1 − 3 / (4·df − 1)
 * with df = n₁ + n₂ − 2: L. V. Hedges, "Distribution Theory for Glass's Estimator of Effect Size and Related Estimators" (Journal of
 * Educational Statistics, 1981); M. Borenstein et al., Introduction to Meta-Analysis (2009), 4.18–4.24. By custom 0.2 is small, 0.5 medium,
 * 0.8 large. Undefined when a sample has fewer than two values, or when neither varies.
 */
export function hedgesG(one: Moments, other: Moments): number | undefined {
  if (one.stddev === null || other.stddev === null) return undefined;
  const df = one.n + other.n - 2;
  const pooled = Math.hypot(
    one.stddev * Math.sqrt((one.n - 1) / df),
    other.stddev * Math.sqrt((other.n - 1) / df),
  );
  const g = (1 - 3 / (4 * df - 1)) * ((one.mean - other.mean) / pooled);
  return Number.isFinite(g) ? g : undefined;
}
