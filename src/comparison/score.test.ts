import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Objective } from '../api/v1alpha1/schema.ts';
import { type ObjectiveMeans, scoreOf, shortfalls } from './score.ts';

const objective = (
  ...metrics: readonly [goal: 'minimize' | 'maximize', weight: string | number][]
): Objective => ({
  metrics: metrics.map(([goal, weight], index) => ({ name: `m${index}`, goal, weight })),
});

const scores = (of: Objective, means: readonly ObjectiveMeans[]): readonly number[] =>
  shortfalls(of, means).map(scoreOf);

/** Numbers that do not differ by rounding errors only. */
const mean = fc.integer({ min: -1_000, max: 1_000 });
const candidates = fc.array(fc.tuple(mean, mean), { minLength: 1, maxLength: 8 });
const two = objective(['minimize', '2'], ['maximize', '0.5']);

describe('the score', () => {
  it('is that of simple additive weighting with min–max normalisation, computed by hand', () => {
    // Three caches: p95 in ms (weight 1, less is better) and throughput (weight 0.5, more is better).
    //            p95: (80 − x) / (80 − 20)    throughput: (x − 300) / (500 − 300)    (1·a + 0.5·b) / 1.5
    // none        80 → 0                       500 → 1                               1/3
    // lru         50 → 1/2                     300 → 0                               1/3
    // arc         20 → 1                       450 → 3/4                             11/12
    const byHand = scores(objective(['minimize', '1'], ['maximize', '0.5']), [
      [80, 500],
      [50, 300],
      [20, 450],
    ]);
    expect(byHand).toEqual([0.333333333, 0.333333333, 0.916666667]);
  });

  it.each([
    { what: 'nobody when there is none', of: [], is: [] },
    { what: '1 for the only candidate', of: [[5, 7]], is: [1] },
    {
      what: 'a number also between the largest numbers there are',
      of: [
        [Number.MAX_VALUE, 1],
        [-Number.MAX_VALUE, 1],
      ],
      is: [0.2, 1],
    },
    {
      what: '1 for everybody whose means differ by the rounding of their sums only',
      of: [
        [0.2, 1],
        [(0.2 + 0.2 + 0.2) / 3, 1],
      ],
      is: [1, 1],
    },
    {
      what: '1 for everybody on a metric on which all agree',
      of: [
        [5, 1],
        [5, 2],
      ],
      is: [0.8, 1],
    },
    {
      what: '1 for everybody when all agree on everything',
      of: [
        [5, 7],
        [5, 7],
        [5, 7],
      ],
      is: [1, 1, 1],
    },
    {
      what: '1 for the best on everything and 0 for the worst',
      of: [
        [1, 9],
        [2, 8],
      ],
      is: [1, 0],
    },
    {
      what: 'the same for equal candidates',
      of: [
        [1, 1],
        [3, 3],
        [1, 1],
      ],
      is: [0.8, 0.2, 0.8],
    },
    {
      what: 'in [0, 1] for the largest and smallest numbers',
      of: [
        [-1e150, 5e-324],
        [1e150, 0],
      ],
      is: [1, 0],
    },
  ])('is $what', ({ of, is }) => {
    expect(scores(two, of)).toEqual(is);
  });

  it('takes weights as decimal strings and as integers', () => {
    const means: ObjectiveMeans[] = [
      [1, 1],
      [2, 2],
    ];
    expect(scores(objective(['minimize', 3], ['maximize', 1]), means)).toEqual(
      scores(objective(['minimize', '3.0'], ['maximize', '1']), means),
    );
  });

  it('turns around when the goal does', () => {
    fc.assert(
      fc.property(candidates, (means) => {
        const spread = new Set(means.map(([first]) => first)).size > 1;
        fc.pre(spread);
        const less = scores(
          objective(['minimize', '1']),
          means.map(([first]) => [first]),
        );
        const more = scores(
          objective(['maximize', '1']),
          means.map(([first]) => [first]),
        );
        for (const [index, score] of less.entries()) expect(score + (more[index] ?? 0)).toBeCloseTo(1, 8);
      }),
    );
  });

  it('does not depend on the unit of a metric', () => {
    fc.assert(
      fc.property(candidates, fc.constantFrom(0.001, 1_000, 60, 1 / 3), mean, (means, factor, offset) => {
        const inOtherUnits = means.map(([first, second]) => [first * factor, second + offset]);
        const expected = scores(two, means);
        for (const [index, score] of scores(two, inOtherUnits).entries())
          expect(score).toBeCloseTo(expected[index] ?? Number.NaN, 7);
      }),
    );
  });

  it('does not depend on the order of the candidates', () => {
    fc.assert(
      fc.property(candidates, (means) => {
        expect(scores(two, [...means].reverse())).toEqual([...scores(two, means)].reverse());
      }),
    );
  });

  it('is between 0 and 1, and better is never less', () => {
    fc.assert(
      fc.property(candidates, (means) => {
        const all = scores(two, means);
        for (const [index, score] of all.entries()) {
          expect(score).toBeGreaterThanOrEqual(0);
          expect(score).toBeLessThanOrEqual(1);
          for (const [other, otherScore] of all.entries()) {
            const [a, b] = [means[index], means[other]];
            if (a !== undefined && b !== undefined && a[0] <= b[0] && a[1] >= b[1])
              expect(score).toBeGreaterThanOrEqual(otherScore);
          }
        }
      }),
    );
  });
});
