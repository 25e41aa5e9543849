import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { LOCAL_SECTION } from '../../bench/local/local-section.ts';
import type { LocalResult } from '../../bench/local/result.ts';
import { localText } from '../../bench/local/result-text.ts';

const result: LocalResult = JSON.parse(readFileSync(new URL('./local-result.json', import.meta.url), 'utf8'));

it('writes a result as a section: on what, who was not measured and why, the plots, a table with who is best, and where batchtest is not', () => {
  expect(LOCAL_SECTION.markdown(result)).toMatchInlineSnapshot(`
    "2026-11-02, 2 × Example, 8 GiB of memory, load 0.3 in the minute before. BatchTest 0.0.0, Node.js v1.0.0.

    2,000 programs that do nothing but write a result, 4 at a time. Each figure is the median of 3 rounds, with the least and the most; the best one of a row is **bold**.

    Ray ActorPool was not measured: python3 cannot be run

    ![Programs a second: more is better](benchmarks/local-rate.svg)

    ![Start to the first result, ms: less is better](benchmarks/local-first-result.svg)

    ![Peak memory of all processes, MiB: less is better](benchmarks/local-memory.svg)

    |  | batchtest run | bare Node | Ray ActorPool |
    | --- | ---: | ---: | ---: |
    | start to the first result, ms | 1000 (900–1100) | **80** | not measured |
    | makespan, s |  |  | not measured |
    | – against bare Node, × |  |  | not measured |
    | programs a second | 310 (300–320) | **750** | not measured |
    | – against bare Node, % | 41 (40–42) | **100** | not measured |
    | – against bare Node, inserting, % |  |  | not measured |
    | peak memory of all its processes, MiB | 122.0 (120.0–124.0) | **40.0** | not measured |
    | CPU per 1,000 programs, s |  |  | not measured |
    | results in a database at the end | **2000** | 0 | not measured |
    | stored at the end | every result | nothing | nothing |

    batchtest is not the best at: start to the first result, ms (best: bare Node); programs a second (best: bare Node); peak memory of all its processes, MiB (best: bare Node)."
  `);
});

it('writes a result as an aligned table for a terminal', () => {
  expect(localText(result)).toMatchInlineSnapshot(`
    "2,000 programs that do nothing but write a result, 4 at a time.
                                                 batchtest run  bare Node  Ray ActorPool
    start to the first result, ms              1000 (900–1100)         80   not measured
    makespan, s                                                             not measured
    – against bare Node, ×                                                  not measured
    programs a second                            310 (300–320)        750   not measured
    – against bare Node, %                          41 (40–42)        100   not measured
    – against bare Node, inserting, %                                       not measured
    peak memory of all its processes, MiB  122.0 (120.0–124.0)       40.0   not measured
    CPU per 1,000 programs, s                                               not measured
    results in a database at the end                      2000          0   not measured
    stored at the end                             every result    nothing        nothing
    Ray ActorPool was not measured: python3 cannot be run"
  `);
});
