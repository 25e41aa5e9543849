import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import type { BenchmarkResult } from '../../bench/cluster/result.ts';
import { benchmarkMarkdown, comparisonText } from '../../bench/cluster/result-text.ts';

const result: BenchmarkResult = JSON.parse(
  readFileSync(new URL('./benchmark-result.json', import.meta.url), 'utf8'),
);

it('writes a result as a page: when, with what and on what, then a table for each scenario, by limits', () => {
  expect(benchmarkMarkdown(result)).toMatchInlineSnapshot(`
    "# Benchmarks

    Written by \`npm run bench:cluster -- --markdown docs/benchmarks.md\`; no figure is typed by hand. What is measured, and how, is in [reference/budgets.md](reference/budgets.md#against-other-ways-in-a-cluster).

    2026-11-02, 2 × Example, 8 GiB of memory, load 0.3 in the minute before. BatchTest 0.0.0, Kubernetes v1.0.0.

    Pods a second without any contender: 120.0 created, 61.3 scheduled and running, 60.0 ended. Read every contender against that, and against the loop of bare pods, where nothing stands between a free slot and the next pod. Each figure is the median of the rounds, with the least and the most.

    ## Stock limits of the controller manager (20 requests a second, bursts of 30)

    ### 20 trials of 600 s, 10 at a time, cancelled when 10 run; stock limits, 1 round

    |  | operator | loop of bare pods |
    | --- | ---: | ---: |
    | cancel to the last pod gone, ms | 355 | 109 |
    | pods created after the cancel | 0 | 0 |

    ## Raised limits of the controller manager (500 requests a second, bursts of 1,000)

    ### 20 trials of 0.5 s, 5 at a time; raised limits, 3 rounds

    |  | operator | loop of bare pods |
    | --- | ---: | ---: |
    | efficiency: ideal makespan / makespan, % | 73.0 (70.0–75.0) | 81.0 (80.0–82.0) |
    | time to the first pod, ms | 180 (150–209) | 60 (50–70) |
    | overshoot: live pods above the limit | 0 | 0 (0–1) |
    | largest status, bytes | 912 |  |
    "
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
