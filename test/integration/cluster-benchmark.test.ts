/** The contenders of `npm run bench:cluster` do what is asked of them; how fast is not judged here. */
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { calibrate } from '../bench/cluster/calibration.ts';
import { openTestGround, type TestGround, testContenders } from '../bench/cluster/contender.testsuite.ts';
import { figuresOf } from '../bench/cluster/figures.ts';
import { INDEXED_JOB } from '../bench/cluster/indexed-job-contender.ts';
import { LOOP_OF_JOBS, LOOP_OF_PODS } from '../bench/cluster/loop-contender.ts';
import { observe } from '../bench/cluster/measurement.ts';
import { operatorContender } from '../bench/cluster/operator-contender.ts';
import type { Scenario } from '../bench/cluster/scenario.ts';
import { BATCHTEST_PROGRAM } from '../tools/batchtest-program.ts';

vi.setConfig({ testTimeout: 300_000 });

let site: TestGround;
beforeAll(async () => {
  site = await openTestGround();
}, 300_000);
afterAll(() => site?.close(), 60_000);

testContenders(
  [
    // A creation for each trial, or for all of a batch, and a deletion, which for what the operator has left at the end is one for each batch.
    { contender: operatorContender([BATCHTEST_PROGRAM], 'Job'), leastWrites: 24, exactly: false },
    { contender: operatorContender([BATCHTEST_PROGRAM], 'Pod'), leastWrites: 24, exactly: false },
    { contender: LOOP_OF_JOBS, leastWrites: 40, exactly: true },
    { contender: INDEXED_JOB, leastWrites: 4, exactly: true },
    { contender: LOOP_OF_PODS, leastWrites: 40, exactly: true },
  ],
  () => site.ground,
);

it('the operator plans a suspended run and starts nothing', async () => {
  const planned: Scenario = { name: 'planned', trials: 100, parallelism: 3, runMs: 100, isSuspended: true };
  const observation = await observe(operatorContender([BATCHTEST_PROGRAM], 'Job'), planned, site.ground);
  expect(observation.timeline.created).toEqual([]);
  expect(figuresOf(observation).plannedMs).toBeGreaterThan(0);
  expect(figuresOf(observation).objectBytes).toBeGreaterThan(figuresOf(observation).statusBytes ?? 0);
});

it('climbs the ladder of calibration', async () => {
  const work: Scenario = { name: 'calibration', trials: 20, parallelism: 20, runMs: 1 };
  for (const rate of Object.values(await calibrate(site.ground, work))) expect(rate).toBeGreaterThan(0);
});
