import { expect, it } from 'vitest';
import type { BenchmarkResult, Comparison } from '../../bench/cluster/result.ts';
import { targetsMarkdown } from '../../bench/cluster/targets.ts';

const short: Comparison = {
  limits: 'raised',
  scenario: { name: 'short', trials: 100, parallelism: 20, runMs: 2_000 },
  contenders: [
    {
      name: 'operator',
      isOperator: true,
      rounds: [
        {
          ...{ efficiency: 100, makespanSeconds: 10, refillCreatedP50Ms: 40, overshoot: 0 },
          ...{ trialWrites: 2.1, statusWriteRate: 0.98, furtherWrites: 5, peakResidentMiB: 150 },
        },
        {
          ...{ efficiency: 80, makespanSeconds: 22, refillCreatedP50Ms: 60, overshoot: 0 },
          ...{ trialWrites: 2, statusWriteRate: 1, furtherWrites: 6, peakResidentMiB: 170 },
        },
      ],
    },
    { name: 'loop of Jobs', rounds: [{ efficiency: 100 }, { efficiency: 88 }] },
    { name: 'loop of bare pods', rounds: [{ refillCreatedP50Ms: 20 }, { refillCreatedP50Ms: 20 }] },
    {
      name: 'Argo Workflows',
      rounds: [{ makespanSeconds: 30, peakResidentMiB: 70, refillCreatedP50Ms: 900 }],
    },
  ],
};

const long: Comparison = {
  limits: 'stock',
  scenario: { name: 'long', trials: 10_000, parallelism: 100, runMs: 2_000 },
  contenders: [
    {
      name: 'operator',
      isOperator: true,
      rounds: [{ residentGrowth: -1.2, peakResidentMiB: 201, overshoot: 1 }],
    },
  ],
};

it('tells for each target what the operator came to in each scenario, as the median over rounds of both in the same round, and what it missed', () => {
  const result = { comparisons: [short, long] } satisfies Pick<BenchmarkResult, 'comparisons'>;
  expect(targetsMarkdown(result)).toMatchInlineSnapshot(`
    "| target | wanted | operator |
    | --- | ---: | ---: |
    | makespan / its ideal, of that of the loop of Jobs | ≤ 1.01 | **short 1.05** |
    | refill p50 to the creation of the next pod, above that of the loop of bare pods, ms | ≤ 20 | **short 30** |
    | overshoot, pods | 0 | short 0, **long (stock) 1** |
    | writes of Jobs or pods by the operator, per trial | ≤ 2 | **short 2.05** |
    | writes of a status, a second | ≤ 1 | short 0.99 |
    | further writes of a BatchTest: creation, finalizer, events | ≤ 5 | **short 5.5** |
    | peak resident memory, MiB | ≤ 200 | short 160, **long (stock) 201** |
    | growth of resident memory per 1,000 trials, over the second half of a long run, MiB | ≤ 0.5 | long (stock) -1.20 |
    | rows in which Argo Workflows is better | none | **peak resident memory of the contender, MiB:** short |"
  `);
});

it('tells that nothing was measured', () => {
  const suspended = { ...long, contenders: [{ name: 'operator', isOperator: true, rounds: [{}] }] };
  expect(targetsMarkdown({ comparisons: [suspended] })).toMatchInlineSnapshot(`
    "| target | wanted | operator |
    | --- | ---: | ---: |
    | makespan / its ideal, of that of the loop of Jobs | ≤ 1.01 | not measured |
    | refill p50 to the creation of the next pod, above that of the loop of bare pods, ms | ≤ 20 | not measured |
    | overshoot, pods | 0 | not measured |
    | writes of Jobs or pods by the operator, per trial | ≤ 2 | not measured |
    | writes of a status, a second | ≤ 1 | not measured |
    | further writes of a BatchTest: creation, finalizer, events | ≤ 5 | not measured |
    | peak resident memory, MiB | ≤ 200 | not measured |
    | growth of resident memory per 1,000 trials, over the second half of a long run, MiB | ≤ 0.5 | not measured |
    | rows in which Argo Workflows is better | none | none |"
  `);
});
