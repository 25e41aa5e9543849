import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Objective } from '../api/v1alpha1/schema.ts';
import { verdicts } from './baseline-comparison.ts';
import { bestVariant } from './best-variant.ts';
import type { Candidate } from './candidate.ts';

const ONE: Objective = { metrics: [{ name: 'p95_ms', goal: 'minimize', weight: '1' }] };
const TWO: Objective = {
  metrics: [
    { name: 'p95_ms', goal: 'minimize', weight: '1' },
    { name: 'throughput', goal: 'maximize', weight: '1' },
  ],
};

const candidates = (byName: Readonly<Record<string, readonly (readonly number[])[]>>): Candidate[] =>
  Object.entries(byName).map(([name, samples]) => ({ name, samples }));

const best = (
  byName: Readonly<Record<string, readonly (readonly number[])[]>>,
  { objective = ONE, ...options }: { objective?: Objective; confidence?: string; tieBreak?: string[] } = {},
) => bestVariant(objective, { confidence: '0.95', ...options }, candidates(byName));

describe('the best variant', () => {
  it('is significantly so when its trials are far from those of the others', () => {
    expect(best({ slow: [[60, 61, 62]], fast: [[40, 41, 42]], middle: [[50, 51, 52]] })).toEqual({
      name: 'fast',
      score: 1,
      ties: [],
      evidence: 'Significant',
    });
  });

  it('lists those that cannot be told apart from it, the best first', () => {
    expect(
      best({ slow: [[60, 61, 62]], b: [[40, 43, 46]], c: [[40, 42, 50]], a: [[40, 42, 44]] }),
    ).toMatchObject({
      name: 'a',
      ties: ['b', 'c'],
      evidence: 'Tied',
    });
  });

  it('has fewer ties with less confidence', () => {
    const byName = { a: [[40, 41, 42]], b: [[42, 43, 44]] };
    expect(best(byName)?.ties).toEqual(['b']);
    expect(best(byName, { confidence: '0.9' })?.ties).toEqual([]);
  });

  it.each([32, 3.2e3, 3.2e12, 3.2e120, 1e300])(
    'is the same however far away another one is: %d',
    (diverged) => {
      expect(
        best({ a: [[0.91, 0.91]], b: [[0.52, 0.52]], c: [[0.17, 0.17]], d: [[diverged, diverged]] }),
      ).toEqual({ name: 'c', score: 1, ties: [], evidence: 'Significant' });
      const noisy = { a: [[9, 10, 11]], b: [[4, 5, 6]], c: [[3, 5, 6]], d: [[diverged, diverged, diverged]] };
      expect(best(noisy)).toMatchObject({ name: 'c', ties: ['b'] });
    },
  );

  it('is not dominated where another one is far ahead on a metric and behind on the other', () => {
    const byName = {
      a: [
        [17, 17],
        [90, 90],
      ],
      b: [
        [17, 17],
        [100, 100],
      ],
      c: [
        [30, 30],
        [1e12, 1e12],
      ],
    };
    const weighted: Objective = {
      metrics: [
        { name: 'p95_ms', goal: 'minimize', weight: '1' },
        { name: 'throughput', goal: 'maximize', weight: '0.5' },
      ],
    };
    expect(best(byName, { objective: weighted })).toMatchObject({ name: 'b', ties: [] });
  });

  it('is certain where trials do not vary', () => {
    expect(best({ a: [[0.9, 0.9]], b: [[0.8, 0.8]] })).toMatchObject({ name: 'b', evidence: 'Significant' });
    expect(best({ a: [[0.8, 0.8]], b: [[0.8, 0.8]] })).toMatchObject({
      name: 'a',
      ties: ['b'],
      evidence: 'Tied',
    });
  });

  it('ties after one trial only with equals, and says that nothing is certain', () => {
    expect(best({ a: [[3]], b: [[1]], c: [[1]] })).toEqual({
      name: 'b',
      score: 1,
      ties: ['c'],
      evidence: 'TooFewSamples',
    });
    expect(best({ a: [[1, 2, 3]], b: [[2.5]] })).toMatchObject({ ties: [], evidence: 'TooFewSamples' });
  });

  it('is the only one, or none', () => {
    expect(best({ a: [[3]] })).toEqual({ name: 'a', score: 1, ties: [], evidence: 'OnlyCandidate' });
    expect(best({})).toBeUndefined();
  });

  it('is picked among equal scores by the first metric of the tie-break that differs, then by the manifest', () => {
    const byName = {
      a: [
        [10, 10],
        [1, 1],
      ],
      b: [
        [20, 20],
        [2, 2],
      ],
      c: [
        [10, 10],
        [1, 1],
      ],
    };
    expect(best(byName, { objective: TWO })?.name).toBe('a');
    expect(best(byName, { objective: TWO, tieBreak: ['throughput'] })).toMatchObject({
      name: 'b',
      ties: ['a', 'c'],
    });
    expect(best(byName, { objective: TWO, tieBreak: ['p95_ms', 'throughput'] })?.name).toBe('a');
  });

  it('is judged by whole trials: what moves both metrics alike does not blur it', () => {
    // A busy machine makes a trial slow on both metrics at once; the sum of the two hardly varies.
    const opposed = {
      a: [
        [10, 20, 30],
        [10.1, 20, 29.9],
      ],
      b: [
        [12, 22, 32],
        [8.1, 18, 27.9],
      ],
    };
    expect(best(opposed, { objective: TWO })?.ties).toEqual([]);
    const alike = {
      a: [
        [10, 20, 30],
        [30, 20, 10],
      ],
      b: [
        [12, 22, 32],
        [28, 18, 8],
      ],
    };
    expect(best(alike, { objective: TWO })?.ties).toEqual(['b']);
  });

  const sample = fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 2, maxLength: 5 });

  it('of two variants and one metric is significant exactly when the verdict on the metric is', () => {
    fc.assert(
      fc.property(sample, sample, (a, b) => {
        const byName = { a: [a], b: [b] };
        const verdict = verdicts(ONE, 0.95, 'a', candidates(byName)).get('b')?.[0]?.verdict;
        expect(best(byName)?.evidence === 'Significant').toBe(verdict === 'Better' || verdict === 'Worse');
      }),
    );
  });

  it('with its ties is the same in any order and unit, and the same each time', () => {
    fc.assert(
      fc.property(
        fc.array(sample, { minLength: 1, maxLength: 6 }),
        fc.constantFrom(1, 8, 1_024),
        (samples, factor) => {
          const named = samples.map((values, index): Candidate => ({ name: `v${index}`, samples: [values] }));
          const inOtherUnit = named.map(({ name, samples: [values = []] }): Candidate => {
            return { name, samples: [values.map((value) => value * factor)] };
          });
          const group = (list: readonly Candidate[]) => {
            const found = bestVariant(ONE, { confidence: '0.95' }, list);
            return [found?.name ?? '', ...(found?.ties ?? [])].sort();
          };
          expect(group(inOtherUnit)).toEqual(group(named));
          expect(bestVariant(ONE, { confidence: '0.95' }, named)).toEqual(
            bestVariant(ONE, { confidence: '0.95' }, named),
          );
          // Of two best ones with equal scores the first is named, and the others are compared with that one's trials.
          const top = named.filter(({ name }) => group(named).includes(name));
          fc.pre(
            new Set(top.map(({ samples: [values = []] }) => JSON.stringify([...values].sort()))).size ===
              top.length,
          );
          const means = named.map(
            ({ samples: [values = []] }) => values.reduce((a, b) => a + b, 0) / values.length,
          );
          fc.pre(new Set(means).size === means.length);
          expect(group([...named].reverse())).toEqual(group(named));
        },
      ),
    );
  });

  it('is found among 10,000 variants of ten trials', () => {
    const many = Array.from({ length: 10_000 }, (_, index) => ({
      name: `v${index}`,
      samples: [Array.from({ length: 10 }, (_, trial) => index + ((trial * 7) % 10))],
    }));
    const found = bestVariant(ONE, { confidence: '0.95' }, many);
    expect(found?.name).toBe('v0');
    expect(found?.ties.length).toBeGreaterThan(0);
    expect(found?.ties.length).toBeLessThan(20);
  });
});
