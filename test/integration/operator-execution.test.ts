/** `spec.execution`: runs whose attempts are Jobs, and runs whose attempts are pods, by one operator. */
import { afterAll, beforeAll, expect, inject, it } from 'vitest';
import type { Execution } from './kubernetes-world.ts';
import { outcomes, untilNothingIsLeft, untilRunning } from './operator-steps.ts';
import { aBatchTest, ENDS_SOON, type OperatorSite, openOperatorSite, RUNS_ON } from './operator-world.ts';
import { carrierCreations, creationsAboveParallelism, present } from './watch-recorder.ts';

let site: OperatorSite;
beforeAll(async () => {
  site = await openOperatorSite(inject('controlPlane'));
});
afterAll(() => site?.close());

const aRun = (name: string, execution: Execution, spec: object = {}) =>
  aBatchTest({
    ...{ name, variants: 3, repetitions: 2, parallelism: 2, pod: ENDS_SOON },
    spec: { execution, workflowId: 'execution', ...spec },
  });

it('runs of both kinds come to the same end beside each other, and one takes over the results of the other', async () => {
  const world = await site.aWorld('execution');
  await world.startOperator();
  const jobs = await world.create(aRun('jobs', 'Job'));
  const pods = await world.create(aRun('pods', 'Pod'));
  for (const uid of [jobs, pods]) await world.untilCondition(uid, 'Complete');
  expect(await outcomes(world, pods)).toEqual(await outcomes(world, jobs));
  expect(await outcomes(world, pods)).toHaveLength(6);
  for (const uid of [jobs, pods]) await untilNothingIsLeft(world, uid);

  const changes = world.recorder.changes();
  const made = (uid: string, kind: 'Job' | 'Pod') =>
    changes.filter(
      (change) =>
        change.kind === kind &&
        change.type === 'ADDED' &&
        change.object.metadata.labels?.['batchtest.dev/run-uid'] === uid,
    ).length;
  expect([made(jobs, 'Job'), made(jobs, 'Pod')]).toEqual([6, 6]);
  expect([made(pods, 'Job'), made(pods, 'Pod')]).toEqual([0, 6]);
  for (const uid of [jobs, pods]) {
    expect([...carrierCreations(changes, uid).values()]).toEqual(Array(6).fill(1));
    expect(creationsAboveParallelism(changes, uid)).toEqual([]);
  }

  const again = await world.create(aRun('again', 'Pod', { reusePolicy: 'Succeeded' }));
  await world.untilCondition(again, 'Complete');
  expect(await world.storedRun(again)).toMatchObject({ succeeded: 6 });
  expect(carrierCreations(world.recorder.changes(), again).size).toBe(0);
});

it('ends pods when the run is suspended, makes new ones when it is resumed, and keeps those that failed', async () => {
  const world = await site.aWorld('execution-control');
  await world.startOperator();
  const spec = { execution: 'Pod' } as const;
  const uid = await world.create(aBatchTest({ variants: 6, parallelism: 6, pod: RUNS_ON, spec }));
  await untilRunning(world, uid, 6);
  await world.cluster.request('PATCH', world.path('cache'), { spec: { suspend: true } });
  await world.untilCondition(uid, 'Suspended');
  await untilNothingIsLeft(world, uid);
  await world.cluster.request('PATCH', world.path('cache'), { spec: { suspend: false } });
  const [first] = await untilRunning(world, uid, 6);
  if (first === undefined) throw new Error('unreachable: six run');
  await world.endPod(first, { exitCode: 1, message: 'no such corpus' });
  await expect
    .poll(() => outcomes(world, uid), { timeout: 60_000 })
    .toContainEqual(expect.stringContaining('TestFailed'));
  await world.cluster.request('PATCH', world.path('cache'), { spec: { cancel: true } });
  await world.untilCondition(uid, 'Cancelled');
  await world.recorder.until('only the pod that failed is left', (changes) =>
    present(changes, uid, 'Pod').join() === first.metadata.name ? true : undefined,
  );
  await world.remove('cache');
  await untilNothingIsLeft(world, uid);
});

it('refuses a change of what carries the attempts', async () => {
  const world = await site.aWorld('execution-change');
  await world.create(aBatchTest({ parallelism: 1, pod: RUNS_ON }));
  await expect(
    world.cluster.request('PATCH', world.path('cache'), { spec: { execution: 'Pod' } }),
  ).rejects.toThrow('execution cannot be changed once the BatchTest exists');
});
