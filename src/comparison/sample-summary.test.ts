import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import scipy from '../../test/data/scipy/summaries.json' with { type: 'json' };
import { meanInterval } from './mean-interval.ts';
import { momentsOf } from './moments.ts';
import { sampleSummary } from './sample-summary.ts';
import { criticalValues } from './student-t.ts';

const values = fc.array(fc.integer({ min: -1_000, max: 1_000 }), { minLength: 2, maxLength: 12 });
const share = (actual: number, expected: number): number => Math.abs(actual / expected - 1);

describe('the summary of a sample', () => {
  // NIST Statistical Reference Datasets, univariate summary statistics: certified values.
  const alternating = (first: number) => [
    first,
    ...Array.from({ length: 1_000 }, (_, index) => first + (index % 2 === 0 ? -0.1 : 0.1)),
  ];
  it.each([
    {
      data: 'NumAcc1',
      sample: [10_000_001, 10_000_003, 10_000_002],
      mean: 10_000_002,
      stddev: 1,
      digits: 15,
    },
    { data: 'NumAcc2', sample: alternating(1.2), mean: 1.2, stddev: 0.1, digits: 14 },
    { data: 'NumAcc3', sample: alternating(1_000_000.2), mean: 1_000_000.2, stddev: 0.1, digits: 9 },
    { data: 'NumAcc4', sample: alternating(10_000_000.2), mean: 10_000_000.2, stddev: 0.1, digits: 8 },
  ])(
    'has the certified mean and deviation of $data to $digits digits',
    ({ sample, mean, stddev, digits }) => {
      const summary = momentsOf(sample);
      expect(share(summary.mean, mean)).toBeLessThan(1e-14);
      expect(share(summary.stddev ?? Number.NaN, stddev)).toBeLessThan(10 ** -digits);
    },
  );

  it('has the published interval of ZARR13, NIST/SEMATECH e-Handbook 1.3.5.2', () => {
    const interval = meanInterval({ n: 195, mean: 9.26146, stddev: 0.02278881 }, criticalValues(0.95));
    // The mean and the deviation are published with six and eight decimals.
    expect(Math.abs((interval?.low ?? 0) - 9.258242)).toBeLessThan(1e-6);
    expect(Math.abs((interval?.high ?? 0) - 9.264679)).toBeLessThan(1e-6);
  });

  it.each(scipy.cases.map((values, index) => ({ ...values, index })))(
    'agrees with scipy and numpy on sample $index',
    (expected) => {
      const summary = sampleSummary(expected.values, criticalValues(0.95));
      expect(share(summary.mean, expected.mean)).toBeLessThan(1e-12);
      expect(share(summary.stddev ?? Number.NaN, expected.stddev)).toBeLessThan(1e-9);
      const { '5': p5, '25': p25, '50': p50, '75': p75, '95': p95 } = expected.percentiles;
      for (const [own, theirs] of [
        [summary.p5, p5],
        [summary.p25, p25],
        [summary.median, p50],
        [summary.p75, p75],
        [summary.p95, p95],
      ] as const)
        expect(share(own, theirs)).toBeLessThan(1e-12);
      for (const { confidence, interval } of expected.intervals) {
        const own = sampleSummary(expected.values, criticalValues(confidence)).meanInterval;
        expect(share(own?.low ?? Number.NaN, interval[0] ?? 0)).toBeLessThan(1e-9);
        expect(share(own?.high ?? Number.NaN, interval[1] ?? 0)).toBeLessThan(1e-9);
      }
    },
  );

  it('has no deviation and no interval of one value, and its percentiles are that value', () => {
    expect(sampleSummary([7], criticalValues(0.95))).toEqual({
      ...{ n: 1, mean: 7, stddev: null, min: 7, max: 7, median: 7, p5: 7, p25: 7, p75: 7, p95: 7 },
      meanInterval: null,
    });
  });

  it('has no deviation but that of the values: three 0.1 have a mean above 0.1', () => {
    const { mean, stddev, meanInterval } = sampleSummary([0.1, 0.1, 0.1], criticalValues(0.95));
    expect(stddev).toBe(0);
    expect(meanInterval).toEqual({ low: mean, high: mean });
    expect(sampleSummary([1, 1 + 1e-9, 1], criticalValues(0.95)).stddev).toBeGreaterThan(0);
  });

  it('does not depend on the order of the values', () => {
    fc.assert(
      fc.property(values, (list) => {
        expect(sampleSummary([...list].reverse(), criticalValues(0.95))).toEqual({
          ...sampleSummary(list, criticalValues(0.95)),
          mean: expect.closeTo(sampleSummary(list, criticalValues(0.95)).mean, 9),
          stddev: expect.closeTo(sampleSummary(list, criticalValues(0.95)).stddev ?? 0, 9),
          meanInterval: {
            low: expect.closeTo(sampleSummary(list, criticalValues(0.95)).meanInterval?.low ?? 0, 6),
            high: expect.closeTo(sampleSummary(list, criticalValues(0.95)).meanInterval?.high ?? 0, 6),
          },
        });
      }),
    );
  });

  it('has percentiles in order, within the extremes, and an interval around the mean', () => {
    fc.assert(
      fc.property(values, (list) => {
        const { min, p5, p25, median, p75, p95, max, mean, meanInterval } = sampleSummary(
          list,
          criticalValues(0.95),
        );
        const ascending = [min, p5, p25, median, p75, p95, max];
        expect([...ascending].sort((one, other) => one - other)).toEqual(ascending);
        expect(meanInterval?.low).toBeLessThanOrEqual(mean);
        expect(meanInterval?.high).toBeGreaterThanOrEqual(mean);
      }),
    );
  });

  it('has a wider interval with more confidence', () => {
    fc.assert(
      fc.property(values, (list) => {
        const width = (confidence: number): number => {
          const interval = sampleSummary(list, criticalValues(confidence)).meanInterval;
          return (interval?.high ?? 0) - (interval?.low ?? 0);
        };
        const isConstant = new Set(list).size === 1;
        expect(width(0.99) > width(0.9)).toBe(!isConstant);
      }),
    );
  });

  it('stays finite or unknown with the largest numbers', () => {
    const { mean, stddev, p25, meanInterval } = sampleSummary(
      [Number.MAX_VALUE, -Number.MAX_VALUE, Number.MAX_VALUE],
      criticalValues(0.95),
    );
    expect(Number.isFinite(mean) && Number.isFinite(p25)).toBe(true);
    expect([stddev, meanInterval]).toEqual([null, null]);
  });
});
