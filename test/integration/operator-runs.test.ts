/** Whole runs through the operator: what is stored, what the object says, what is left in the cluster. */
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, inject, it } from 'vitest';
import { validManifest } from '../../src/api/v1alpha1/valid-manifest.ts';
import { createRunner } from '../../src/runner/create-runner.ts';
import { presets } from '../../src/runner/presets.ts';
import { withPlay } from './kubernetes-world.ts';
import {
  aBatchTest,
  ENDS_SOON,
  measured,
  type OperatorSite,
  type OperatorWorld,
  openOperatorSite,
  RUNS_ON,
} from './operator-world.ts';
import { query } from './postgres-server.ts';
import {
  type Change,
  carrierCreations,
  conditionOf,
  creationsAboveParallelism,
  endedPods,
  lastOf,
  mostLive,
  present,
} from './watch-recorder.ts';

let site: OperatorSite;
beforeAll(async () => {
  site = await openOperatorSite(inject('controlPlane'));
});
afterAll(() => site?.close());

it('runs the compression example to its end, with the variants of a local run of the same manifest', async () => {
  const folder = fileURLToPath(new URL('../../examples/compression/', import.meta.url));
  const example = validManifest(await readFile(`${folder}batchtest.yaml`, 'utf8'));
  const message = JSON.stringify({ metrics: { ratio: 3, throughput_mb_s: 40 } });
  const manifest = {
    ...example,
    spec: {
      ...example.spec,
      repetitions: 1,
      template: withPlay(example.spec.template, { runMs: 100, message }),
    },
  };
  const world = await site.aWorld('compression');
  await world.startOperator();
  const uid = await world.create(manifest);
  const runner = createRunner({ ...presets.testing(), manifestDirectory: folder });
  const local = await runner.run(manifest);
  await runner.shutdown();
  const object = await world.untilCondition(uid, 'Complete');
  expect(object.status).toMatchObject({ runUid: uid, trials: { total: 11, succeeded: 11, failed: 0 } });
  expect(await world.storedRun(uid)).toMatchObject({ state: 'Complete', succeeded: 11 });
  const stored = await query(
    world.connection,
    'select variant_id as id, name, parameters from batchtest.variants where run_uid = $1 order by position',
    [uid],
  );
  expect(stored).toEqual(local.stored?.variants);
});

it('never exceeds the parallelism, also when it is changed meanwhile', async () => {
  const world = await site.aWorld('parallelism');
  await world.startOperator();
  const uid = await world.create(
    aBatchTest({ variants: 12, repetitions: 2, parallelism: 2, pod: ENDS_SOON }),
  );
  await succeeded(world, uid, 4);
  await world.cluster.request('PATCH', world.path('cache'), { spec: { parallelism: 5 } });
  await world.untilCondition(uid, 'Complete');
  expect(creationsAboveParallelism(world.recorder.changes(), uid)).toEqual([]);
  expect(mostLive(world.recorder.changes(), uid)).toBeLessThanOrEqual(5);
});

it('stores a failed trial as such, keeps its Job to be looked at, and removes those of the others', async () => {
  const world = await site.aWorld('failure');
  await world.startOperator();
  const uid = await world.create(
    aBatchTest({ variants: 2, parallelism: 2, pod: { runMs: 100, exitCode: 3, message: 'out of cheese' } }),
  );
  const object = await world.untilCondition(uid, 'Failed');
  expect(conditionOf(object, 'Failed')).toMatchObject({ reason: 'VariantsFailed' });
  expect(await world.storedAttempts(uid)).toMatchObject([
    { variant: 'v0', attempt: 1, outcome: 'TestFailed', exit_code: 3, message: 'exit code 3: out of cheese' },
    { variant: 'v1', attempt: 1, outcome: 'TestFailed', exit_code: 3 },
  ]);
  expect(present(world.recorder.changes(), uid, 'Job')).toHaveLength(2);
});

it('loses no result and starts no trial twice, however often it is killed', async () => {
  const world = await site.aWorld('killed');
  let operator = await world.startOperator();
  const uid = await world.create(aBatchTest({ variants: 6, repetitions: 4, parallelism: 3, pod: ENDS_SOON }));
  const seen = {
    'Jobs created': (changes: readonly Change[]) => carrierCreations(changes, uid).size,
    'pods ended': (changes: readonly Change[]) => endedPods(changes, uid).size,
    'Jobs removed': (changes: readonly Change[]) =>
      carrierCreations(changes, uid).size - present(changes, uid, 'Job').length,
  };
  for (const [count, what] of [
    [3, 'Jobs created'],
    [6, 'pods ended'],
    [10, 'Jobs removed'],
    [17, 'Jobs created'],
  ] as const) {
    await world.recorder.until(`${count} ${what}`, (changes) =>
      seen[what](changes) >= count ? true : undefined,
    );
    await operator.kill();
    operator = await world.startOperator();
  }
  await world.untilCondition(uid, 'Complete');
  const attempts = await world.storedAttempts(uid);
  expect(attempts).toHaveLength(24);
  expect(
    attempts.every(
      ({ attempt, outcome, is_accepted }) => attempt === 1 && outcome === 'Succeeded' && is_accepted,
    ),
  ).toBe(true);
  const creations = carrierCreations(world.recorder.changes(), uid);
  expect(creations.size).toBe(24);
  expect([...creations.values()].every((count) => count === 1)).toBe(true);
  expect(creationsAboveParallelism(world.recorder.changes(), uid)).toEqual([]);
});

it('ends a run whose object is deleted, and keeps it apart from the next one of the same name', async () => {
  const world = await site.aWorld('deleted');
  await world.startOperator();
  const first = await world.create(aBatchTest({ variants: 3, parallelism: 3, pod: RUNS_ON }));
  await world.recorder.until('all pods are there', (changes) =>
    present(changes, first, 'Pod').length === 3 ? true : undefined,
  );
  await world.remove('cache');
  const second = await world.create(
    aBatchTest({ variants: 2, parallelism: 2, pod: { runMs: 100, message: measured(2) } }),
  );
  await world.untilCondition(second, 'Complete');
  await world.recorder.until('the pods of the first are gone', (changes) =>
    present(changes, first, 'Pod').length === 0 ? true : undefined,
  );
  expect(await world.storedRun(first)).toMatchObject({ state: 'Cancelled', reason: 'Deleted', succeeded: 0 });
  expect(await world.storedRun(second)).toMatchObject({ state: 'Complete', succeeded: 2, cancelled: 0 });
});

it('says what is wrong with an object that passes the CRD and cannot be run, and starts nothing', async () => {
  const world = await site.aWorld('invalid');
  await (await world.startOperator()).untilReady();
  const manifest = aBatchTest({ variants: 1, parallelism: 1, pod: ENDS_SOON });
  const twins = ['a', 'b'].map((name) => ({ name, parameters: { CACHE: 'same' } }));
  const uid = await world.create({ ...manifest, spec: { ...manifest.spec, variants: twins } });
  const object = await world.untilCondition(uid, 'Failed');
  expect(conditionOf(object, 'Failed')).toMatchObject({
    reason: 'InvalidSpec',
    message: 'spec.variants[1]: "b" has the same parameters as "a": they would run the same thing',
  });
  expect(carrierCreations(world.recorder.changes(), uid).size).toBe(0);
  expect(await world.storedRun(uid)).toBeUndefined();
});

it('writes nothing more once a run is over, also after a restart', async () => {
  const world = await site.aWorld('settled');
  const operator = await world.startOperator();
  const uid = await world.create(aBatchTest({ variants: 2, parallelism: 2, pod: ENDS_SOON }));
  const { metadata } = await world.untilLetGo(uid);
  await operator.kill();
  const next = await world.startOperator();
  // A run that comes later is through: by then the operator has looked at all that was there before.
  const later = await world.create(aBatchTest({ name: 'later', parallelism: 1, pod: ENDS_SOON }));
  await world.untilCondition(later, 'Complete');
  expect(lastOf(world.recorder.changes(), uid)?.metadata.resourceVersion).toBe(metadata.resourceVersion);
  expect(await next.health('/readyz')).toEqual({ status: 200, text: 'ok' });
  expect(await next.terminate()).toBe(0);
});

const succeeded = (world: OperatorWorld, uid: string, trials: number): Promise<true> =>
  world.recorder.until(`${trials} trials succeeded`, (changes) =>
    (lastOf(changes, uid)?.status?.trials?.succeeded ?? 0) >= trials ? true : undefined,
  );
