import { describe, expect, it } from 'vitest';
import { aBatchTest } from '../../test/builders/batch-test.ts';
import { MetricSamples } from './metric-samples.ts';

const { objective } = aBatchTest({ metrics: [{ name: 'p95_ms', goal: 'minimize' }] }).spec;
const p95 = (value: number) =>
  new Map([
    ['p95_ms', value],
    ['not_in_the_objective', 7],
  ]);

const REPETITIONS = 3;

const samplesOf = (...byVariant: readonly (readonly number[])[]): MetricSamples => {
  const samples = new MetricSamples(objective, byVariant.length, REPETITIONS);
  for (const [variant, values] of byVariant.entries())
    for (const [repetition, value] of values.entries()) samples.add(variant, repetition, p95(value));
  return samples;
};

describe('the best variant so far', () => {
  it('is none before the first result', () => {
    expect(samplesOf([], []).best()).toBeUndefined();
  });

  it.each([
    { what: 'the only one with a result', samples: samplesOf([], [9], []), best: { variant: 1, score: 1 } },
    {
      what: 'the one with the best mean, not the best sample',
      samples: samplesOf([1, 9], [4, 4]),
      best: { variant: 1, score: 1 },
    },
    {
      what: 'the earlier of two equal ones',
      samples: samplesOf([5], [3], [3]),
      best: { variant: 1, score: 1 },
    },
    {
      what: 'the best one, however far away another is',
      samples: samplesOf([0.91], [0.17], [3.2e12]),
      best: { variant: 1, score: 1 },
    },
    {
      what: 'the one with the best of unequally many samples',
      samples: samplesOf([2], [1, 1, 1]),
      best: { variant: 1, score: 1 },
    },
  ])('is $what', ({ samples, best }) => {
    expect(samples.best()).toEqual(best);
  });

  it('changes with another sample', () => {
    const samples = samplesOf([1], [2]);
    expect(samples.best()?.variant).toBe(0);
    samples.add(0, 1, p95(9));
    expect(samples.best()?.variant).toBe(1);
  });

  it('is never one that has a failed trial, before or after its results', () => {
    const samples = samplesOf([1], [2], []);
    samples.disqualify(0);
    samples.disqualify(2);
    samples.add(2, 0, p95(0));
    expect(samples.best()).toEqual({ variant: 1, score: 1 });
    samples.disqualify(1);
    expect(samples.best()).toBeUndefined();
  });

  it('is compared with those that are left, so that a failed one sets no scale', () => {
    const two = aBatchTest({
      metrics: [
        { name: 'a', goal: 'minimize' },
        { name: 'b', goal: 'minimize' },
      ],
    }).spec.objective;
    const samples = new MetricSamples(two, 3, REPETITIONS);
    for (const [variant, a, b] of [
      [0, 0, 4],
      [1, 4, 3],
      [2, -1_000, 1_000],
    ] as const)
      samples.add(
        variant,
        0,
        new Map([
          ['a', a],
          ['b', b],
        ]),
      );
    samples.disqualify(2);
    // a: 1 and 0; b: 0 and 1. The earlier one is taken.
    expect(samples.best()).toEqual({ variant: 0, score: 0.5 });
  });
});

it('candidates know the repetitions of their samples', () => {
  expect(samplesOf([1, 2, 3]).candidates(['a'])[0]?.repetitions).toEqual([0, 1, 2]);
  const gapped = new MetricSamples(objective, 1, REPETITIONS);
  gapped.add(0, 2, p95(9));
  gapped.add(0, 0, p95(7));
  gapped.stop(0);
  expect(gapped.candidates(['a'])).toEqual([
    { name: 'a', samples: [[7, 9]], repetitions: [0, 2], isStopped: true },
  ]);
});
