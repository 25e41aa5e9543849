import { describe, expect, it } from 'vitest';
import type { Comparison, Objective } from '../api/v1alpha1/schema.ts';
import type { Candidate } from './candidate.ts';
import { gateResults, overallGate } from './gates.ts';
import type { PreviousRun } from './previous-run.ts';

const objective = (goal: 'minimize' | 'maximize'): Objective => ({
  metrics: [
    { name: 'other', goal: 'minimize', weight: '1' },
    { name: 'x', goal, weight: '1' },
  ],
});

const candidates = (byName: Readonly<Record<string, readonly number[]>>): readonly Candidate[] =>
  Object.entries(byName).map(([name, values]) => ({ name, samples: [values.map(() => 1), values] }));

function gate(
  limits: Omit<NonNullable<Comparison['gates']>[number], 'metric' | 'against'>,
  byName: Readonly<Record<string, readonly number[]>>,
  goal: 'minimize' | 'maximize' = 'minimize',
) {
  const comparison: Comparison = {
    confidence: '0.95',
    baseline: 'base',
    gates: [{ metric: 'x', against: 'Baseline', ...limits }],
  };
  return gateResults(objective(goal), comparison, candidates(byName));
}

const base = [100, 101, 99, 100];

describe('a gate on a regression', () => {
  it('fails when a variant is significantly worse by more than it allows', () => {
    const results = gate(
      { maxRegressionPercent: '5' },
      { base, a: [110, 111, 109, 110], b: [103, 104, 102, 103] },
    );
    expect(results).toEqual([
      {
        metric: 'x',
        rule: 'maxRegressionPercent',
        limit: 5,
        against: 'Baseline',
        previousRun: null,
        result: 'Failed',
        reason: 'a is 10 % worse than base (110 against 100), 5 % allowed',
        failing: ['a'],
      },
    ]);
    expect(overallGate(results)).toBe('Failed');
  });

  it.each([
    {
      what: 'a variant is worse by less',
      byName: { base, a: [103, 104, 102, 103] },
      reason: 'a is 3 % worse than base (103 against 100), 5 % allowed',
    },
    {
      what: 'a variant is worse by more, but perhaps by chance',
      byName: { base, a: [80, 100, 120, 140] },
      reason:
        'a is 10 % worse than base (110 against 100), 5 % allowed, but the difference is not significant',
    },
    {
      what: 'no variant is worse',
      byName: { base, a: [90, 91, 89, 90] },
      reason: 'no variant is worse than base',
    },
  ])('passes when $what', ({ byName, reason }) => {
    const results = gate({ maxRegressionPercent: '5' }, byName);
    expect(results).toMatchObject([{ result: 'Passed', reason, failing: [] }]);
    expect(overallGate(results)).toBe('Passed');
  });

  it('goes by the goal of the metric', () => {
    const byName = { base, a: [90, 91, 89, 90] };
    expect(gate({ maxRegressionPercent: 5 }, byName, 'maximize')).toMatchObject([
      { result: 'Failed', reason: 'a is 10 % worse than base (90 against 100), 5 % allowed' },
    ]);
    const negative = { base: [-100, -101, -99], a: [-90, -91, -89] };
    expect(gate({ maxRegressionPercent: 5 }, negative)).toMatchObject([{ result: 'Failed' }]);
    expect(gate({ maxRegressionPercent: 5 }, negative, 'maximize')).toMatchObject([{ result: 'Passed' }]);
  });

  it('compares one that was stopped early with the same repetitions of the baseline', () => {
    const comparison: Comparison = {
      confidence: '0.95',
      baseline: 'base',
      gates: [{ metric: 'x', against: 'Baseline', maxRegressionPercent: 5 }],
    };
    const warmingUp = [130, 120, 110, 100, 101, 99, 100, 101, 99, 100];
    const of = (name: string, values: readonly number[]): Candidate => ({ name, samples: [values, values] });
    const results = (candidate: Candidate) =>
      gateResults(objective('minimize'), comparison, [
        of('base', warmingUp),
        { ...candidate, isStopped: true },
      ]);
    expect(results(of('a', [131, 120, 109]))).toMatchObject([
      { result: 'Passed', reason: 'no variant is worse than base' },
    ]);
    expect(results({ ...of('a', [121, 120, 119]), repetitions: [7, 8, 9] })).toMatchObject([
      { result: 'Failed', reason: 'a is 20 % worse than base (120 against 100), 5 % allowed' },
    ]);
  });

  it('takes one trial at its word', () => {
    expect(gate({ maxRegressionPercent: 5 }, { base: [100], a: [106] })).toMatchObject([
      { result: 'Failed' },
    ]);
    expect(gate({ maxRegressionPercent: 5 }, { base: [100], a: [104] })).toMatchObject([
      { result: 'Passed' },
    ]);
  });

  it('names the worst variant and how many fail', () => {
    expect(
      gate({ maxRegressionPercent: 0 }, { base: [10, 10], a: [11, 11], b: [13, 13], c: [9, 9] }),
    ).toMatchObject([
      {
        reason: 'b is 30 % worse than base (13 against 10), 0 % allowed; 2 variants fail',
        failing: ['b', 'a'],
      },
    ]);
  });

  it.each([
    [
      'the baseline cannot be ranked',
      { a: [1, 2] },
      'the baseline base has a failed trial, or no successful one',
    ],
    ['there is only the baseline', { base }, 'there is no variant to compare with base'],
    [
      'there is no percentage',
      { base: [0, 0], a: [1, 1] },
      'the mean of the baseline base is 0, of which there is no percentage',
    ],
  ] as const)('cannot be evaluated, and lets nothing pass, when %s', (_, byName, reason) => {
    const results = gate({ maxRegressionPercent: 5 }, byName);
    expect(results).toMatchObject([{ result: 'NotEvaluable', reason, failing: [] }]);
    expect(overallGate(results)).toBe('Failed');
  });

  it.each([
    { goal: 'minimize', percent: 5, of: [0.3, 0.3, 0.3], is: [0.315, 0.315, 0.315] },
    { goal: 'maximize', percent: 10, of: [0.7, 0.7, 0.7], is: [0.63, 0.63, 0.63] },
    { goal: 'minimize', percent: '0.001', of: [1e6], is: [1e6 + 10] },
    { goal: 'minimize', percent: 0, of: [0.1], is: [0.1, 0.1, 0.1] },
  ] as const)('allows just as many percent: $goal, $percent', ({ goal, percent, of, is }) => {
    expect(gate({ maxRegressionPercent: percent }, { base: of, a: is }, goal)).toMatchObject([
      { result: 'Passed', failing: [] },
    ]);
  });

  it.each([
    { percent: '5', is: 105.000_02, result: 'Failed', text: '5.00002 %' },
    { percent: '12.3456', is: 112.345_5, result: 'Passed', text: '12.3455 %' },
    { percent: '12.3456', is: 112.345_7, result: 'Failed', text: '12.346 %' },
  ])('of $percent % tells of a variant at $is on its side of it', ({ percent, is, result, text }) => {
    const [{ reason, ...judged } = { reason: '' }] = gate(
      { maxRegressionPercent: percent },
      { base: [100], a: [is] },
    );
    expect(judged).toMatchObject({ result });
    expect(reason).toMatch(`a is ${text} worse than base (`);
    expect(reason).toMatch(`), ${percent} % allowed`);
  });

  it.each([
    { what: 'nothing is worse', byName: { base: [0, 0], a: [0, 0] }, result: 'Passed' },
    { what: 'what is worse may be chance', byName: { base: [-1, 1, 0], a: [5, -4, 8] }, result: 'Passed' },
    {
      what: 'something is significantly worse',
      byName: { base: [-1, 1, 0], a: [8, 9, 8] },
      result: 'NotEvaluable',
    },
    { what: 'one trial is worse', byName: { base: [0], a: [1] }, result: 'NotEvaluable' },
  ])('is $result with a baseline of 0 when $what', ({ byName, result }) => {
    expect(gate({ maxRegressionPercent: 5 }, byName)).toMatchObject([{ result, failing: [] }]);
  });
});

describe('a gate on a limit', () => {
  it('is for the mean of every variant, the baseline too', () => {
    expect(gate({ min: '99.5', max: 104 }, { base: [99, 101], a: [104, 106], b: [98, 100] })).toMatchObject([
      {
        rule: 'min',
        limit: 99.5,
        result: 'Failed',
        reason: 'the lowest mean is 99 (b), 99.5 allowed',
        failing: ['b'],
      },
      {
        rule: 'max',
        limit: 104,
        result: 'Failed',
        reason: 'the highest mean is 105 (a), 104 allowed',
        failing: ['a'],
      },
    ]);
  });

  it('allows the limit itself', () => {
    const results = gate({ min: '-2.5', max: '-2.5' }, { base: [-2, -3] });
    expect(results.map(({ result }) => result)).toEqual(['Passed', 'Passed']);
  });

  it.each([
    { limits: { min: '0.7' }, values: [0.7, 0.7, 0.7] },
    { limits: { max: '0.1' }, values: [0.1, 0.1, 0.1] },
  ])('allows a mean that rounding puts beyond $limits', ({ limits, values }) => {
    expect(gate(limits, { base: values })).toMatchObject([{ result: 'Passed', failing: [] }]);
  });

  it.each([
    { limits: { max: '123456' }, mean: 123_458, result: 'Failed', text: 'highest mean is 123460' },
    { limits: { max: '123456' }, mean: 123_455, result: 'Passed', text: 'highest mean is 123455' },
    { limits: { max: '123456' }, mean: 123_456, result: 'Passed', text: 'highest mean is 123456' },
    { limits: { max: '123461' }, mean: 123_462, result: 'Failed', text: 'highest mean is 123462' },
    { limits: { max: '123456' }, mean: 234_567.8, result: 'Failed', text: 'highest mean is 234570' },
    { limits: { max: 100 }, mean: 100.0004, result: 'Failed', text: 'highest mean is 100.0004' },
    { limits: { min: '0.7000001' }, mean: 0.7, result: 'Failed', text: 'lowest mean is 0.7' },
    { limits: { min: '-1.5' }, mean: -1.500_000_25, result: 'Failed', text: 'lowest mean is -1.5000003' },
    { limits: { max: '0.3' }, mean: 0.1 + 0.2, result: 'Passed', text: 'highest mean is 0.3' },
  ])('of $limits tells of a mean of $mean on its side of it', ({ limits, mean, result, text }) => {
    const [allowed] = Object.values(limits);
    expect(gate(limits, { base: [mean] })).toMatchObject([
      { result, reason: `the ${text} (base), ${allowed} allowed` },
    ]);
  });

  it('cannot be evaluated without a variant', () => {
    expect(gate({ max: 1 }, {})).toMatchObject([{ result: 'NotEvaluable' }]);
  });
});

it('no gates neither pass nor fail', () => {
  expect(
    overallGate(gateResults(objective('minimize'), { confidence: '0.95' }, candidates({ base }))),
  ).toBeUndefined();
});

describe('a gate on a regression since the previous run', () => {
  const previous = (
    byName: Readonly<Record<string, readonly number[]>>,
    { metric = 'x', repetitions }: { metric?: string; repetitions?: readonly number[] } = {},
  ): PreviousRun => ({
    uid: '5c1b671f-0000-4000-8000-000000000000',
    startedAt: new Date(0),
    samples: new Map(
      Object.entries(byName).map(([name, values]) => [name, new Map([[metric, { values, repetitions }]])]),
    ),
  });
  const since = (
    previousRun: PreviousRun | undefined,
    byName: Readonly<Record<string, readonly number[]>>,
    goal: 'minimize' | 'maximize' = 'minimize',
  ) => {
    const comparison: Comparison = {
      confidence: '0.95',
      gates: [{ metric: 'x', against: 'PreviousRun', maxRegressionPercent: '5' }],
    };
    return gateResults(objective(goal), comparison, candidates(byName), previousRun);
  };

  it('compares each variant with what it was then, and names the run', () => {
    const results = since(previous({ a: base, b: [50, 51, 49, 50] }), {
      a: [110, 111, 109, 110],
      b: [50, 51, 49, 50],
    });
    expect(results).toEqual([
      {
        metric: 'x',
        rule: 'maxRegressionPercent',
        limit: 5,
        against: 'PreviousRun',
        previousRun: '5c1b671f-0000-4000-8000-000000000000',
        result: 'Failed',
        reason: 'a is 10 % worse than in run 5c1b671f (110 against 100), 5 % allowed',
        failing: ['a'],
      },
    ]);
  });

  it.each([
    {
      what: 'no variant is worse',
      was: { a: base },
      is: { a: base },
      reason: 'no variant is worse than in run 5c1b671f',
    },
    {
      what: 'a variant is worse, but perhaps by chance',
      was: { a: base },
      is: { a: [80, 100, 120, 140] },
      reason:
        'a is 10 % worse than in run 5c1b671f (110 against 100), 5 % allowed, but the difference is not significant',
    },
    {
      what: 'a worse variant is new',
      was: { a: base },
      is: { a: base, b: [900, 901, 902] },
      reason: 'no variant is worse than in run 5c1b671f; 1 of 2 variants are not in that run',
    },
    {
      what: 'all variants are new',
      was: {},
      is: { a: base },
      reason: 'nothing to compare with: run 5c1b671f has no x of variants with these parameters',
    },
  ])('passes when $what', ({ was, is, reason }) => {
    expect(since(previous(was), is)).toMatchObject([{ result: 'Passed', reason, failing: [] }]);
  });

  it('passes the first run of a workflow, and says so', () => {
    const results = since(undefined, { a: base });
    expect(results).toMatchObject([
      {
        result: 'Passed',
        previousRun: null,
        reason: 'nothing to compare with: no earlier run of this workflow is complete and passed its gates',
      },
    ]);
    expect(overallGate(results)).toBe('Passed');
  });

  it('cannot be evaluated without a variant, or in percent of 0', () => {
    expect(since(previous({ a: base }), {})).toMatchObject([{ result: 'NotEvaluable' }]);
    expect(since(previous({ a: [0, 0] }), { a: [1, 1] })).toMatchObject([
      {
        result: 'NotEvaluable',
        reason: 'the mean of a in run 5c1b671f is 0, of which there is no percentage',
      },
    ]);
  });

  it('adjusts for all comparisons with that run', () => {
    const values = { a: [100, 101, 102, 103] };
    const alone = since(previous({ a: [93, 95, 94, 98] }), values);
    expect(alone).toMatchObject([{ result: 'Failed' }]);
    const equal = Object.fromEntries(Array.from({ length: 30 }, (_, index) => [`e${index}`, base]));
    const among = since(previous({ a: [93, 95, 94, 98], ...equal }), { ...values, ...equal });
    expect(among).toMatchObject([{ result: 'Passed', reason: expect.stringContaining('not significant') }]);
  });

  describe('where the values drift while a run is under way', () => {
    const rising = (repetition: number): number => 100 + 2 * repetition + (repetition % 2 ? 0.2 : -0.2);
    const falling = (repetition: number): number => 200 - rising(repetition);
    const first = (count: number): readonly number[] => Array.from({ length: count }, (_, index) => index);
    interface Trials {
      readonly of: readonly number[];
      readonly value: (repetition: number) => number;
    }
    const results = (was: Trials, is: Trials & { readonly isStopped?: boolean }, areKept = true) => {
      const values = is.of.map(is.value);
      const candidate: Candidate = {
        name: 'a',
        samples: [values.map(() => 1), values],
        repetitions: is.of,
        isStopped: is.isStopped ?? false,
      };
      const comparison: Comparison = {
        confidence: '0.95',
        gates: [{ metric: 'x', against: 'PreviousRun', maxRegressionPercent: '5' }],
      };
      const kept = areKept ? { repetitions: was.of } : {};
      const earlier = previous({ a: was.of.map(was.value) }, kept);
      return gateResults(objective('minimize'), comparison, [candidate], earlier);
    };

    it.each([
      {
        what: 'was stopped early in this run',
        was: { of: first(12), value: falling },
        is: { of: first(3), value: falling, isStopped: true },
      },
      {
        what: 'was stopped early in the earlier run',
        was: { of: first(3), value: rising },
        is: { of: first(12), value: rising },
      },
      {
        what: 'was stopped in both, in the earlier run at an earlier look',
        was: { of: first(3), value: rising },
        is: { of: first(9), value: rising, isStopped: true },
      },
      {
        what: 'has fewer repetitions',
        was: { of: first(12), value: falling },
        is: { of: first(3), value: falling },
      },
      {
        what: 'has gaps in the earlier run, which met its target',
        was: { of: [0, 1, 3], value: rising },
        is: { of: first(8), value: rising },
      },
    ])('compares a variant that $what by the repetitions that both have', ({ was, is }) => {
      expect(results(was, is)).toMatchObject([
        { result: 'Passed', reason: 'no variant is worse than in run 5c1b671f' },
      ]);
      const worse = { ...is, value: (repetition: number) => 1.1 * is.value(repetition) };
      expect(results(was, worse)).toMatchObject([
        { result: 'Failed', reason: expect.stringMatching(/^a is 10 % worse than in run 5c1b671f/) },
      ]);
    });

    it('takes all values where it was not kept which repetitions they are of, or none is shared', () => {
      const few = { of: first(3), value: rising };
      const reason = 'a is 8.8947 % worse than in run 5c1b671f (111 against 101.93), 5 % allowed';
      expect(results(few, { of: first(12), value: rising }, false)).toMatchObject([
        { result: 'Failed', reason },
      ]);
      expect(results(few, { of: [6, 7, 8], value: rising })).toMatchObject([{ result: 'Failed' }]);
    });
  });
});
