import { expect, it } from 'vitest';
import type { BenchmarkResult, Comparison } from '../../bench/cluster/result.ts';
import { targetsMarkdown } from '../../bench/cluster/targets.ts';

const short: Comparison = {
  limits: 'raised',
  scenario: { name: 'short', trials: 100, parallelism: 20, runMs: 2_000 },
  contenders: [
    {
      name: 'operator, Jobs',
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
    {
      name: 'operator, Pods',
      isOperator: true,
      rounds: [
        { efficiency: 90, refillCreatedP50Ms: 30, overshoot: 0, trialWrites: 2 },
        // Neither is as good as it looks rounded, and one bad round is one too many.
        { efficiency: 89.2, refillCreatedP50Ms: 30, overshoot: 7, trialWrites: 2.0004 },
      ],
    },
    {
      name: 'loop of Jobs',
      rounds: [
        { efficiency: 100, refillCreatedP50Ms: 35 },
        { efficiency: 88, refillCreatedP50Ms: 45 },
      ],
    },
    {
      name: 'loop of bare pods',
      rounds: [
        { efficiency: 90, refillCreatedP50Ms: 20 },
        { efficiency: 90.2, refillCreatedP50Ms: 20 },
      ],
    },
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
      name: 'operator, Jobs',
      isOperator: true,
      rounds: [{ residentGrowth: -1.2, peakResidentMiB: 201, overshoot: 1 }],
    },
  ],
};

it('tells for each target what the operator came to in each scenario, against others in the same round, by the median of the rounds or the worst, and what it missed', () => {
  const result = { comparisons: [short, long] } satisfies Pick<BenchmarkResult, 'comparisons'>;
  expect(targetsMarkdown(result)).toMatchInlineSnapshot(`
    "| target | wanted | operator, Jobs | operator, Pods |
    | --- | ---: | ---: | ---: |
    | makespan / its ideal, of that of the plain loop that makes the same: Jobs, or pods | ≤ 1.01 | **short 1.050** | short 1.006 |
    | refill p50 to the creation of the next pod, above that of the loop of bare pods, ms | ≤ 20 | **short 30** | short 10 |
    | the same, above that of the plain loop that makes the same, ms | ≤ 20 | short 10 | short 10 |
    | overshoot, pods, worst round | 0 | short 0, **long (stock) 1** | **short 7** |
    | writes of Jobs or pods by the operator, per trial, worst round | ≤ 2 | **short 2.10** | **short 2.01** |
    | writes of a status, a second, worst round | ≤ 1 | short 1.00 | not measured |
    | further writes of a BatchTest: creation, finalizer, events; worst round | ≤ 5 | **short 6.0** | not measured |
    | peak resident memory, MiB, worst round | ≤ 200 | short 170, **long (stock) 201** | not measured |
    | growth of resident memory per 1,000 trials, over the second half of a long run, MiB | ≤ 0.5 | long (stock) -1.20 | not measured |
    | rows in which Argo Workflows is better | none | **peak resident memory of the contender, MiB:** short | none |"
  `);
});

it('tells that nothing was measured', () => {
  const suspended = { ...long, contenders: [{ name: 'operator, Jobs', isOperator: true, rounds: [{}] }] };
  expect(targetsMarkdown({ comparisons: [suspended] })).toMatchInlineSnapshot(`
    "| target | wanted | operator, Jobs |
    | --- | ---: | ---: |
    | makespan / its ideal, of that of the plain loop that makes the same: Jobs, or pods | ≤ 1.01 | not measured |
    | refill p50 to the creation of the next pod, above that of the loop of bare pods, ms | ≤ 20 | not measured |
    | the same, above that of the plain loop that makes the same, ms | ≤ 20 | not measured |
    | overshoot, pods, worst round | 0 | not measured |
    | writes of Jobs or pods by the operator, per trial, worst round | ≤ 2 | not measured |
    | writes of a status, a second, worst round | ≤ 1 | not measured |
    | further writes of a BatchTest: creation, finalizer, events; worst round | ≤ 5 | not measured |
    | peak resident memory, MiB, worst round | ≤ 200 | not measured |
    | growth of resident memory per 1,000 trials, over the second half of a long run, MiB | ≤ 0.5 | not measured |
    | rows in which Argo Workflows is better | none | none |"
  `);
});
