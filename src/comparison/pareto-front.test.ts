import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Objective } from '../api/v1alpha1/schema.ts';
import { paretoFront } from './pareto-front.ts';

const OBJECTIVE: Objective = {
  metrics: [
    { name: 'p95_ms', goal: 'minimize', weight: '1' },
    { name: 'throughput', goal: 'maximize', weight: '0.001' },
  ],
};
const front = (...candidates: readonly (readonly number[])[]) =>
  [...paretoFront(OBJECTIVE, candidates)].sort((one, other) => one - other);

describe('the Pareto front', () => {
  it('holds what nothing else beats on every metric, whatever the weights', () => {
    expect(front([40, 900], [30, 800], [45, 850], [60, 1_000], [60, 999])).toEqual([0, 1, 3]);
  });

  it('holds equal candidates together, also those that differ by rounding only', () => {
    expect(front([0.2, 1], [(0.2 + 0.2 + 0.2) / 3, 1], [0.3, 1])).toEqual([0, 1]);
    expect(front()).toEqual([]);
  });

  it('leaves out what is worse by less than a score can tell', () => {
    expect(front([1, 5], [1, 5 - 1e-10], [2, 1_000])).toEqual([0, 2]);
    expect(front([1, 5 - 1e-10], [1, 5], [2, 1_000])).toEqual([1, 2]);
  });

  it('is what comparing every pair gives', () => {
    const candidate = fc.tuple(fc.integer({ min: 0, max: 6 }), fc.integer({ min: 0, max: 6 }));
    fc.assert(
      fc.property(fc.array(candidate, { maxLength: 12 }), (candidates) => {
        const expected = candidates.flatMap(([ms, throughput], index) =>
          candidates.some(
            ([otherMs, other]) =>
              otherMs <= ms && other >= throughput && (otherMs < ms || other > throughput),
          )
            ? []
            : [index],
        );
        expect(front(...candidates)).toEqual(expected);
      }),
    );
  });
});
