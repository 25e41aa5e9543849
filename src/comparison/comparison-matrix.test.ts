import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Comparison, Objective } from '../api/v1alpha1/schema.ts';
import type { ComparableRun } from './comparable-run.ts';
import { comparisonMatrix } from './comparison-matrix.ts';
import { conclusionOf } from './conclusion.ts';
import { MetricSamples } from './metric-samples.ts';
import { runConclusion } from './run-conclusion.ts';

const OBJECTIVE: Objective = {
  metrics: [
    { name: 'p95_ms', goal: 'minimize', weight: '1' },
    { name: 'throughput', goal: 'maximize', weight: '0.5' },
  ],
};

type Trial = Readonly<Record<string, number>> | 'Failed' | 'Pending' | 'Cancelled' | 'Skipped';

function aRun(
  variants: Readonly<Record<string, readonly Trial[]>>,
  comparison: Comparison = { confidence: '0.95' },
  stopped: readonly string[] = [],
): ComparableRun {
  return {
    manifest: { spec: { objective: OBJECTIVE, comparison } },
    variants: Object.keys(variants).map((name) => ({
      id: `id of ${name}`,
      name,
      parameters: { NAME: name },
      stoppedAtLook: stopped.includes(name) ? 1 : undefined,
    })),
    trialDetails: Object.entries(variants).flatMap(([name, trials]) =>
      trials.map((trial, repetition) => ({
        variantId: `id of ${name}`,
        repetition,
        phase: typeof trial === 'string' ? trial : ('Succeeded' as const),
        metrics: new Map(typeof trial === 'string' ? [] : Object.entries(trial)),
      })),
    ),
  };
}

const ranks = (run: ComparableRun) => comparisonMatrix(run).map(({ variant, rank }) => [variant, rank]);

describe('the comparison matrix', () => {
  it('says of every variant how its trials went and what was measured', () => {
    const [fast, slow] = comparisonMatrix(
      aRun({
        slow: [{ p95_ms: 50, throughput: 90 }, 'Pending'],
        fast: [
          { p95_ms: 40, throughput: 100 },
          { p95_ms: 42, throughput: 104 },
        ],
      }),
    );
    // t(0.975; 1) = 12.7062, and s/√n is 1 and 2.
    const interval = (mean: number, error: number) => ({
      low: expect.closeTo(mean - 12.7062 * error, 3),
      high: expect.closeTo(mean + 12.7062 * error, 3),
    });
    expect(fast).toEqual({
      variant: 'fast',
      variantId: 'id of fast',
      parameters: { NAME: 'fast' },
      trials: { total: 2, pending: 0, succeeded: 2, failed: 0, cancelled: 0, skipped: 0 },
      metrics: {
        p95_ms: {
          ...{ n: 2, mean: 41, stddev: Math.SQRT2, min: 40, max: 42, median: 41 },
          ...{ p5: expect.closeTo(40.1, 9), p25: 40.5, p75: 41.5, p95: expect.closeTo(41.9, 9) },
          meanInterval: interval(41, 1),
          vsBaseline: null,
          vsPreviousRun: null,
        },
        throughput: {
          ...{ n: 2, mean: 102, stddev: Math.sqrt(8), min: 100, max: 104, median: 102 },
          ...{ p5: expect.closeTo(100.2, 9), p25: 101, p75: 103, p95: expect.closeTo(103.8, 9) },
          meanInterval: interval(102, 2),
          vsBaseline: null,
          vsPreviousRun: null,
        },
      },
      score: 1,
      rank: 1,
      stoppedAtLook: null,
      pareto: true,
    });
    expect(slow).toMatchObject({
      trials: { total: 2, pending: 1, succeeded: 1, failed: 0, cancelled: 0, skipped: 0 },
      metrics: { p95_ms: { n: 1, mean: 50, stddev: null, min: 50, max: 50, meanInterval: null } },
      score: 0,
      rank: 2,
      pareto: false,
    });
  });

  it('gives equal scores the same rank and leaves out the ranks after it', () => {
    const trial = (p95_ms: number): Trial => ({ p95_ms, throughput: 1 });
    expect(ranks(aRun({ d: [trial(4)], b: [trial(2)], c: [trial(2)], a: [trial(1)] }))).toEqual([
      ['a', 1],
      ['b', 2],
      ['c', 2],
      ['d', 4],
    ]);
  });

  it('puts variants that cannot be best last, in their own order, with what they measured', () => {
    const good = { p95_ms: 1, throughput: 1 };
    const run = aRun({ failed: [good, 'Failed'], waiting: ['Pending', 'Cancelled'], good: [good] });
    expect(ranks(run)).toEqual([
      ['good', 1],
      ['failed', null],
      ['waiting', null],
    ]);
    const failed = comparisonMatrix(run).find(({ variant }) => variant === 'failed');
    expect(failed).toMatchObject({ score: null, metrics: { p95_ms: { n: 1, mean: 1 } } });
  });

  it('does not let a failed variant shift the scale of the others', () => {
    const matrix = comparisonMatrix(
      aRun({
        a: [{ p95_ms: 10, throughput: 1 }],
        b: [{ p95_ms: 20, throughput: 1 }],
        failed: [{ p95_ms: 1_000, throughput: 1 }, 'Failed'],
      }),
    );
    expect(matrix.map(({ score }) => score)).toEqual([1, 0.333333333, null]);
  });

  it('lists the metrics of the objective first, in its order, then all others by name', () => {
    const [row] = comparisonMatrix(
      aRun({ a: [{ zeta: 1, alpha: 1, throughput: 1, constructor: 1, p95_ms: 1 }] }),
    );
    expect(Object.keys(row?.metrics ?? {})).toEqual(['p95_ms', 'throughput', 'alpha', 'constructor', 'zeta']);
  });

  it('has a row for every variant of a run in which nothing has ended', () => {
    const [row] = comparisonMatrix(aRun({ a: ['Pending'] }));
    expect(row).toMatchObject({ metrics: {}, score: null, rank: null });
  });

  it('stays finite with the largest numbers that a program may report', () => {
    const [row] = comparisonMatrix(
      aRun({ a: [1, 2].map(() => ({ p95_ms: Number.MAX_VALUE, throughput: Number.MAX_VALUE })) }),
    );
    expect(row?.metrics.p95_ms?.mean).toBe(Number.MAX_VALUE);
    expect(row?.score).toBe(1);
  });

  it('says which variants are on the Pareto front', () => {
    const matrix = comparisonMatrix(
      aRun({
        fast: [{ p95_ms: 10, throughput: 50 }],
        strong: [{ p95_ms: 30, throughput: 90 }],
        beaten: [{ p95_ms: 31, throughput: 90 }],
        failed: [{ p95_ms: 1, throughput: 99 }, 'Failed'],
      }),
    );
    expect(matrix.filter(({ pareto }) => pareto).map(({ variant }) => variant)).toEqual(['fast', 'strong']);
  });

  it('lets no variant that was stopped early onto the front, or take another one off it', () => {
    const matrix = comparisonMatrix(
      aRun(
        {
          stopped: [{ p95_ms: 10, throughput: 90 }, 'Skipped'],
          best: [
            { p95_ms: 11, throughput: 89 },
            { p95_ms: 11, throughput: 89 },
          ],
          beaten: [
            { p95_ms: 12, throughput: 89 },
            { p95_ms: 12, throughput: 89 },
          ],
        },
        { confidence: '0.95' },
        ['stopped'],
      ),
    );
    expect(matrix.map(({ variant, rank, pareto }) => [variant, rank, pareto])).toEqual([
      ['best', 1, true],
      ['beaten', 2, false],
      ['stopped', null, false],
    ]);
  });

  it('puts the one that the tie-break prefers first among equals, which still share a rank', () => {
    const variants = { a: [{ p95_ms: 1, throughput: 1 }], b: [{ p95_ms: 3, throughput: 5 }] };
    const equalWeights = (tieBreak: string[]): ComparableRun => {
      const { manifest, ...run } = aRun(variants, { confidence: '0.95', tieBreak });
      const metrics = OBJECTIVE.metrics.map((metric) => ({ ...metric, weight: '1' }));
      return { ...run, manifest: { spec: { ...manifest.spec, objective: { metrics } } } };
    };
    expect(ranks(equalWeights(['p95_ms']))).toEqual([
      ['a', 1],
      ['b', 1],
    ]);
    expect(ranks(equalWeights(['throughput']))).toEqual([
      ['b', 1],
      ['a', 1],
    ]);
  });

  it('compares a variant that was stopped early with the same repetitions of the baseline', () => {
    const drifting = [60, 50, 45, 41, 40, 40];
    const trials = (count: number, offset: number): Trial[] =>
      drifting
        .slice(0, count)
        .map((p95_ms) => ({ p95_ms: p95_ms + offset, throughput: 1, rss_mb: 2 * p95_ms }));
    const run = aRun(
      {
        base: trials(6, 0),
        stopped: [...trials(3, 0), 'Skipped', 'Skipped', 'Skipped'],
        // A trial that ran when the others were skipped may finish.
        further: [...trials(2, 0), 'Skipped', 'Skipped', ...trials(5, 0).slice(4), 'Skipped'],
        whole: trials(6, 1),
      },
      {
        confidence: '0.95',
        baseline: 'base',
        gates: [{ metric: 'p95_ms', against: 'Baseline', maxRegressionPercent: 3 }],
      },
      ['stopped', 'further'],
    );
    const compared = Object.fromEntries(
      comparisonMatrix(run).map(({ variant, metrics }) => [variant, metrics]),
    );
    for (const name of ['stopped', 'further'])
      expect(compared[name]).toMatchObject({
        p95_ms: { n: 3, vsBaseline: { difference: 0, pValue: 1, verdict: 'NoDifference' } },
        rss_mb: { n: 3, vsBaseline: { difference: 0, verdict: null } },
      });
    expect(compared.whole?.p95_ms?.vsBaseline?.difference).toBeCloseTo(1, 9);
    expect(runConclusion(run).gates).toMatchObject([
      { result: 'Passed', reason: expect.stringMatching(/^whole is 2\.17\d* % worse than base/) },
    ]);
  });

  it.each([
    { what: 'which was stopped early then', was: 3, is: 6 },
    { what: 'which was stopped early now', was: 6, is: 3 },
  ])(
    'compares a variant, $what, by the repetitions that the previous run has as well, as its gate does',
    ({ was, is }) => {
      const drifting = [60, 50, 45, 41, 40, 40];
      const repetitions = [...drifting.keys()].slice(0, was);
      const run: ComparableRun = {
        ...aRun(
          { a: drifting.slice(0, is).map((p95_ms) => ({ p95_ms: p95_ms + 1, throughput: 1 })) },
          {
            confidence: '0.95',
            gates: [{ metric: 'p95_ms', against: 'PreviousRun', maxRegressionPercent: 0 }],
          },
          is < was ? ['a'] : [],
        ),
        previousRun: {
          uid: '5c1b671f',
          startedAt: new Date(0),
          samples: new Map([['a', new Map([['p95_ms', { values: drifting.slice(0, was), repetitions }]])]]),
        },
      };
      const [row] = comparisonMatrix(run);
      expect(row?.metrics.p95_ms).toMatchObject({
        n: is,
        vsPreviousRun: { difference: expect.closeTo(1, 9), verdict: 'NoDifference' },
      });
      expect(runConclusion(run).gates).toMatchObject([
        { result: 'Passed', reason: expect.stringContaining('(52.667 against 51.667)') },
      ]);
    },
  );

  it('is made also of a run that was stored before there was a comparison in the spec', () => {
    const { manifest, ...run } = aRun({ a: [{ p95_ms: 1, throughput: 1 }] });
    const old = { ...run, manifest: { spec: { objective: manifest.spec.objective } } };
    expect(comparisonMatrix(old)).toEqual(comparisonMatrix({ ...run, manifest }));
    expect(runConclusion(old)).toEqual(runConclusion({ ...run, manifest }));
  });

  it('names the same best variant as the samples that the status is made of, and comes to the same conclusion', () => {
    const REPETITIONS = 4;
    const comparison: Comparison = {
      confidence: '0.9',
      baseline: 'v0',
      tieBreak: ['throughput'],
      gates: [{ metric: 'p95_ms', against: 'Baseline', maxRegressionPercent: '20', max: '4' }],
    };
    const value = fc.oneof(
      { weight: 8, arbitrary: fc.integer({ min: 1, max: 5 }) },
      // Beside which the others differ by nothing.
      { weight: 1, arbitrary: fc.constantFrom(-1e100, -3e12, 1e-9, 3e12, 1e100) },
    );
    const trial = fc.oneof(
      { weight: 8, arbitrary: fc.record({ p95_ms: value, throughput: value }) },
      { weight: 1, arbitrary: fc.constantFrom<Trial>('Failed', 'Pending', 'Cancelled') },
    );
    fc.assert(
      fc.property(
        fc.array(fc.array(trial, { maxLength: REPETITIONS }), { minLength: 1, maxLength: 8 }),
        (variants) => {
          const run = aRun(
            Object.fromEntries(variants.map((trials, index) => [`v${index}`, trials])),
            comparison,
          );
          const samples = new MetricSamples(OBJECTIVE, variants.length, REPETITIONS, comparison.tieBreak);
          for (const [index, trials] of variants.entries())
            for (const [repetition, one] of trials.entries()) {
              if (one === 'Failed') samples.disqualify(index);
              else if (typeof one !== 'string') samples.add(index, repetition, new Map(Object.entries(one)));
            }
          const best = samples.best();
          const [first] = comparisonMatrix(run);
          expect(first?.rank === 1 ? [first.variant, first.score] : undefined).toEqual(
            best === undefined ? undefined : [`v${best.variant}`, best.score],
          );
          expect(first?.pareto ?? false).toBe(best !== undefined);
          const names = run.variants.map(({ name }) => name);
          const conclusion = runConclusion(run);
          expect(conclusion).toEqual(conclusionOf(OBJECTIVE, comparison, samples.candidates(names)));
          expect(conclusion.best?.name).toBe(best === undefined ? undefined : `v${best.variant}`);
        },
      ),
    );
  });

  it('compares 10,000 variants of ten trials', () => {
    const variants = Object.fromEntries(
      Array.from({ length: 10_000 }, (_, index) => [
        `v${index}`,
        Array.from({ length: 10 }, (_, repetition) => ({ p95_ms: index + repetition, throughput: 1 })),
      ]),
    );
    const matrix = comparisonMatrix(aRun(variants, { confidence: '0.95', baseline: 'v5000' }));
    expect(matrix).toHaveLength(10_000);
    expect(matrix[0]?.metrics.p95_ms?.vsBaseline?.verdict).toBe('Better');
    expect(matrix.at(-1)).toMatchObject({ variant: 'v9999', rank: 10_000 });
  });
});
