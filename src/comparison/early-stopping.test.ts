import { describe, expect, it } from 'vitest';
import type { Objective } from '../api/v1alpha1/schema.ts';
import { behindAtLook, type Contestant, lookRepetitions } from './early-stopping.ts';

const OBJECTIVE: Objective = { metrics: [{ name: 'p95_ms', goal: 'minimize', weight: '1' }] };
const COMPARISON = { confidence: '0.95', earlyStopping: { looks: 1, minRepetitions: 2 } };

const contestants = (...byVariant: readonly (readonly number[])[]): readonly Contestant[] =>
  byVariant.map((values, variant) => ({ variant, trials: values.map((value) => [value]) }));

describe('the looks of a run', () => {
  it.each([
    { looks: 1, minRepetitions: 3, repetitions: 10, after: [3] },
    { looks: 3, minRepetitions: 3, repetitions: 9, after: [3, 5, 7] },
    { looks: 3, minRepetitions: 2, repetitions: 4, after: [2, 3] },
    { looks: 20, minRepetitions: 2, repetitions: 3, after: [2] },
    { looks: 3, minRepetitions: 5, repetitions: 5, after: [] },
  ])(
    'are at most $looks, after $minRepetitions of $repetitions repetitions and evenly from there',
    ({ looks, minRepetitions, repetitions, after }) => {
      expect(lookRepetitions({ looks, minRepetitions }, repetitions)).toEqual(after);
    },
  );
});

describe('a look', () => {
  it('finds those behind whose trials are far from the leading one’s', () => {
    const trials = contestants([60, 61, 62], [40, 41, 42], [40, 43, 46], [80, 81, 82]);
    expect(behindAtLook(OBJECTIVE, COMPARISON, 4, trials)).toEqual([0, 3]);
  });

  it('goes by the goal and by all metrics of the objective', () => {
    const both: Objective = {
      metrics: [
        { name: 'p95_ms', goal: 'minimize', weight: '1' },
        { name: 'throughput', goal: 'maximize', weight: '3' },
      ],
    };
    const trials = [
      {
        variant: 0,
        trials: [
          [40, 90],
          [41, 91],
          [42, 92],
        ],
      },
      {
        variant: 1,
        trials: [
          [60, 190],
          [61, 191],
          [62, 192],
        ],
      },
    ];
    expect(behindAtLook(both, COMPARISON, 2, trials)).toEqual([0]);
  });

  it('asks for more evidence the more looks and variants there are', () => {
    const trials = contestants([40, 41, 42], [45, 46, 47.2]);
    const behind = (looks: number, variants: number) =>
      behindAtLook(
        OBJECTIVE,
        { ...COMPARISON, earlyStopping: { looks, minRepetitions: 2 } },
        variants,
        trials,
      );
    expect(behind(1, 2)).toEqual([1]);
    expect(behind(19, 2)).toEqual([]);
    expect(behind(1, 20)).toEqual([]);
  });

  it('finds nobody behind among equals, alone, or without a trial', () => {
    expect(behindAtLook(OBJECTIVE, COMPARISON, 2, contestants([5, 5], [5, 5]))).toEqual([]);
    expect(behindAtLook(OBJECTIVE, COMPARISON, 2, contestants([5, 6]))).toEqual([]);
    expect(behindAtLook(OBJECTIVE, COMPARISON, 2, [])).toEqual([]);
  });

  it('is certain where trials do not vary', () => {
    expect(behindAtLook(OBJECTIVE, COMPARISON, 2, contestants([5, 5], [5.1, 5.1]))).toEqual([1]);
  });
});
