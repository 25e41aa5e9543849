import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { CLUSTER_SECTION } from '../../bench/cluster/cluster-section.ts';
import type { BenchmarkResult } from '../../bench/cluster/result.ts';
import { comparisonText } from '../../bench/cluster/result-text.ts';

const result: BenchmarkResult = JSON.parse(
  readFileSync(new URL('./benchmark-result.json', import.meta.url), 'utf8'),
);

it('writes a result as a section: on what, the plots, then by limits a table for each scenario, with who is best and where the operator is not', () => {
  expect(CLUSTER_SECTION.markdown(result)).toMatchInlineSnapshot(`
    "2026-11-02, 2 × Example, 8 GiB of memory, load 0.3 in the minute before. BatchTest 0.0.0, Kubernetes v1.0.0.

    Pods a second without any contender: 190.5 requested, 120.0 with the scheduler, 61.3 with KWOK and to the end, 35.0 of Jobs. Read every contender against that, and against the loop of bare pods, where nothing stands between a free slot and the next pod. Each figure is the median of the rounds, with the least and the most; the best one of a row is **bold**.

    ![Efficiency, % of the ideal: more is better](benchmarks/cluster-efficiency.svg)

    ![Resident memory of the operator over a long run, MiB, by trials that have ended](benchmarks/cluster-memory.svg)

    ### Targets

    What the operator is to come to, as ratios and differences within one round, scenario by scenario: the median of the rounds where nothing else is said, rounded up; what is missed is **bold**. The limits are raised where nothing else is said.

    | target | wanted | operator | operator, Pods |
    | --- | ---: | ---: | ---: |
    | makespan / its ideal, of that of the plain loop that makes the same: Jobs, or pods | ≤ 1.01 | not measured | not measured |
    | refill p50 to the creation of the next pod, above that of the loop of bare pods, ms | ≤ 20 | not measured | not measured |
    | the same, above that of the plain loop that makes the same, ms | ≤ 20 | not measured | not measured |
    | overshoot, pods, worst round | 0 | short 0 | not measured |
    | writes of Jobs or pods by the operator, per trial, worst round | ≤ 2 | not measured | not measured |
    | writes of a status, a second, worst round | ≤ 1 | not measured | not measured |
    | further writes of a BatchTest: creation, finalizer, events; worst round | ≤ 5 | not measured | not measured |
    | peak resident memory, MiB, worst round | ≤ 200 | not measured | not measured |
    | growth of resident memory per 1,000 trials, over the second half of a long run, MiB | ≤ 0.5 | long 0.40 | not measured |
    | rows in which Argo Workflows is better | none | none | none |

    ### Stock limits: the controller manager (20 requests a second, bursts of 30), the scheduler (50, 100) and Argo Workflows as they are shipped

    #### cancel: 20 trials of 600 s, 10 at a time, cancelled when 10 run; stock limits, 1 round

    |  | operator | operator, Pods | loop of bare pods |
    | --- | ---: | ---: | ---: |
    | cancel to the last pod gone, ms | 355 | **101** | 109 |
    | pods created after the cancel | **0** | **0** | **0** |

    Others are better than "operator" at: cancel to the last pod gone, ms (best: loop of bare pods).

    Nobody is better than "operator, Pods" at any of these.

    ### Raised limits: the controller manager and the scheduler (500 requests a second, bursts of 1,000) and Argo Workflows (500, and a requeue of 500 ms)

    #### short: 20 trials of 0.5 s, 5 at a time; raised limits, 3 rounds

    |  | operator | loop of bare pods |
    | --- | ---: | ---: |
    | efficiency: ideal makespan / makespan, % | 73.0 (70.0–75.0) | **81.0 (80.0–82.0)** |
    | time to the first pod, ms | 180 (150–209) | **60 (50–70)** |
    | overshoot: live pods above the limit | **0** | **0 (0–1)** |
    | largest status, bytes | 912 |  |

    Others are better than "operator" at: efficiency: ideal makespan / makespan, % (best: loop of bare pods); time to the first pod, ms (best: loop of bare pods).

    #### long: 1,000 trials of 1 s, 10 at a time; raised limits, 1 round

    |  | operator |
    | --- | ---: |
    | efficiency: ideal makespan / makespan, % | 90.0 |
    | growth of its resident memory per 1,000 trials, over the second half, MiB | 0.4 |"
  `);
});

it('writes a comparison as an aligned table for a terminal', () => {
  const [comparison] = result.comparisons;
  expect(comparison && comparisonText(comparison)).toMatchInlineSnapshot(`
    "20 trials of 0.5 s, 5 at a time; raised limits, 3 rounds
                                                      operator  loop of bare pods
    efficiency: ideal makespan / makespan, %  73.0 (70.0–75.0)   81.0 (80.0–82.0)
    time to the first pod, ms                    180 (150–209)         60 (50–70)
    overshoot: live pods above the limit                     0            0 (0–1)
    largest status, bytes                                  912"
  `);
});

it('draws only what was measured, the same each time', async () => {
  const plots = await CLUSTER_SECTION.plots(result);
  expect([...plots.keys()]).toEqual(['cluster-efficiency.svg', 'cluster-memory.svg']);
  expect(plots.get('cluster-efficiency.svg')).toContain('loop of bare pods');
  expect(await CLUSTER_SECTION.plots(result)).toEqual(plots);
});
