import { describe, expect, it } from 'vitest';
import { aStoredRun, type VariantStory } from '../../test/builders/stored-run.ts';
import type { Comparison, Objective } from '../api/v1alpha1/schema.ts';
import { comparisonMatrix } from './comparison-matrix.ts';

const OBJECTIVE: Objective = {
  metrics: [
    { name: 'p95_ms', goal: 'minimize', weight: '1' },
    { name: 'throughput', goal: 'maximize', weight: '1' },
  ],
};

const trials = (p95: readonly number[], throughput: readonly number[]) =>
  p95.map((p95_ms, index) => ({ p95_ms, throughput: throughput[index] ?? 0, rss_mb: p95_ms * 2 }));

function vsBaseline(variants: readonly VariantStory[], comparison: Comparison) {
  const stored = aStoredRun({ variants, objective: OBJECTIVE });
  const manifest = { ...stored.manifest, spec: { ...stored.manifest.spec, comparison } };
  const matrix = comparisonMatrix({ ...stored, manifest });
  return (variant: string, metric: string) =>
    matrix.find((row) => row.variant === variant)?.metrics[metric]?.vsBaseline;
}

const BASELINE: VariantStory = { name: 'today', trials: trials([48, 49, 50, 49], [100, 101, 99, 100]) };
const comparison: Comparison = { confidence: '0.95', baseline: 'today' };

describe('the comparison with the baseline', () => {
  const against = vsBaseline(
    [
      BASELINE,
      { name: 'arc', trials: trials([40, 41, 42, 41], [100, 102, 99, 101]) },
      { name: 'none', trials: trials([49, 48, 50, 50], [80, 81, 82, 79]) },
      { name: 'once', trials: trials([10], [200]) },
      { name: 'broken', trials: [...trials([1, 2], [500, 501]), { failed: 'TestFailed' }] },
    ],
    comparison,
  );

  it('says what is better, what is worse and what cannot be told apart, in the direction of the goal', () => {
    expect(against('arc', 'p95_ms')?.verdict).toBe('Better');
    expect(against('arc', 'throughput')?.verdict).toBe('NoDifference');
    expect(against('none', 'p95_ms')?.verdict).toBe('NoDifference');
    expect(against('none', 'throughput')?.verdict).toBe('Worse');
  });

  it('has the difference with its interval, in percent, in standard deviations and with its p-value', () => {
    const of = against('arc', 'p95_ms');
    expect(of).toMatchObject({ difference: -8, differencePercent: expect.closeTo((-100 * 8) / 49, 9) });
    // s = 0.8165 on both sides, so s.e. = 0.57735 and df = 6: t(0.975; 6) = 2.44691.
    expect(of?.interval?.low).toBeCloseTo(-8 - 2.44691 * 0.57735, 4);
    expect(of?.interval?.high).toBeCloseTo(-8 + 2.44691 * 0.57735, 4);
    expect(of?.effectSize).toBeCloseTo((-8 / 0.8165) * (1 - 3 / 23), 3);
    expect(of?.pValue).toBeLessThan(of?.adjustedPValue ?? 0);
  });

  it('gives no verdict on a metric that has no goal', () => {
    expect(against('arc', 'rss_mb')).toMatchObject({ difference: -16, adjustedPValue: null, verdict: null });
  });

  it('says of one trial that it is too few', () => {
    expect(against('once', 'p95_ms')).toEqual({
      difference: -39,
      differencePercent: expect.closeTo((-100 * 39) / 49, 9),
      ...{ interval: null, effectSize: null, pValue: null, adjustedPValue: null },
      verdict: 'TooFewSamples',
    });
  });

  it('says nothing of the baseline, nor of a variant whose other trials failed', () => {
    expect(against('today', 'p95_ms')).toBeNull();
    expect(against('broken', 'p95_ms')).toBeNull();
  });

  it('is not made with a baseline that has a failed trial, nor without one', () => {
    const other = { name: 'arc', trials: trials([40, 41], [1, 2]) };
    const failed = { ...BASELINE, trials: [...BASELINE.trials, { failed: 'TestFailed' as const }] };
    expect(vsBaseline([failed, other], comparison)('arc', 'p95_ms')).toBeNull();
    expect(vsBaseline([BASELINE, other], { confidence: '0.95' })('arc', 'p95_ms')).toBeNull();
  });

  it('is certain where nothing varies', () => {
    const exact = vsBaseline(
      [
        { name: 'today', trials: trials([1, 1], [5, 5]) },
        { name: 'same', trials: trials([1, 1, 1], [6, 6, 6]) },
      ],
      comparison,
    );
    expect(exact('same', 'p95_ms')).toMatchObject({ verdict: 'NoDifference', pValue: 1 });
    expect(exact('same', 'throughput')).toMatchObject({ verdict: 'Better', pValue: 0, effectSize: null });
  });

  it('asks more of each of many comparisons', () => {
    const variant = { name: 'x', trials: trials([46, 47, 48, 47], [100, 101, 99, 100]) };
    const alike = Array.from({ length: 20 }, (_, index) => ({ name: `v${index}`, trials: BASELINE.trials }));
    expect(vsBaseline([BASELINE, variant], comparison)('x', 'p95_ms')).toMatchObject({ verdict: 'Better' });
    expect(vsBaseline([BASELINE, variant, ...alike], comparison)('x', 'p95_ms')?.verdict).toBe(
      'NoDifference',
    );
  });
});
