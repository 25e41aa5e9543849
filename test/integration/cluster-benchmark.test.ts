/** The contenders of `npm run bench:cluster` do what is asked of them; how fast is not judged here. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { WRITES_POLICY } from '../bench/cluster/api-writes.ts';
import { calibrate } from '../bench/cluster/calibration.ts';
import { testContenders } from '../bench/cluster/contender.testsuite.ts';
import { figuresOf } from '../bench/cluster/figures.ts';
import { INDEXED_JOB } from '../bench/cluster/indexed-job-contender.ts';
import { LOOP_OF_JOBS, LOOP_OF_PODS } from '../bench/cluster/loop-contender.ts';
import { type Ground, observe } from '../bench/cluster/measurement.ts';
import { operatorContender } from '../bench/cluster/operator-contender.ts';
import type { Scenario } from '../bench/cluster/scenario.ts';
import { startControlPlane } from '../tools/control-plane.ts';
import { installCrd } from './installed-crd.ts';
import { startPostgresServer } from './postgres-server.ts';
import { COMMAND_LINE } from './running-operator.ts';

vi.setConfig({ testTimeout: 300_000 });

// With an audit log, which belongs to the whole cluster.
let ground: Ground;
beforeAll(async () => {
  const cluster = await startControlPlane({ auditPolicy: WRITES_POLICY });
  const [postgres, directory] = await Promise.all([
    startPostgresServer(),
    mkdtemp(join(tmpdir(), 'batchtest-bench-test-')),
    installCrd(cluster),
  ]);
  ground = { cluster, limits: 'raised', postgres, directory };
}, 300_000);
afterAll(async () => {
  await ground?.cluster.stop();
  await ground?.postgres.stop();
  if (ground !== undefined) await rm(ground.directory, { recursive: true, force: true });
}, 60_000);

testContenders(
  [
    // A creation and a deletion for each trial, or for all of a batch.
    { contender: operatorContender(COMMAND_LINE, 'Job'), leastWrites: 40, exactly: false },
    { contender: operatorContender(COMMAND_LINE, 'Pod'), leastWrites: 40, exactly: false },
    { contender: LOOP_OF_JOBS, leastWrites: 40, exactly: true },
    { contender: INDEXED_JOB, leastWrites: 4, exactly: true },
    { contender: LOOP_OF_PODS, leastWrites: 40, exactly: true },
  ],
  () => ground,
);

it('the operator plans a suspended run and starts nothing', async () => {
  const planned: Scenario = { name: 'planned', trials: 100, parallelism: 3, runMs: 100, isSuspended: true };
  const observation = await observe(operatorContender(COMMAND_LINE, 'Job'), planned, ground);
  expect(observation.timeline.created).toEqual([]);
  expect(figuresOf(observation).plannedMs).toBeGreaterThan(0);
  expect(figuresOf(observation).objectBytes).toBeGreaterThan(figuresOf(observation).statusBytes ?? 0);
});

it('climbs the ladder of calibration', async () => {
  const work: Scenario = { name: 'calibration', trials: 20, parallelism: 20, runMs: 1 };
  for (const rate of Object.values(await calibrate(ground, work))) expect(rate).toBeGreaterThan(0);
});
