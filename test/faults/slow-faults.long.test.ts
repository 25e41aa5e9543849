/** Faults that take an operator minutes to notice, or to work through. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, inject, it, onTestFinished } from 'vitest';
import type { WatchShaper } from '../integration/faulty-proxy.ts';
import { OPERATOR_RULES } from '../integration/operator-rights.ts';
import {
  aBatchTest,
  measured,
  type OperatorSite,
  type OperatorWorld,
  openOperatorSite,
  RUNS_ON,
} from '../integration/operator-world.ts';
import { conditionOf, lastOf } from '../integration/watch-recorder.ts';
import { BATCHTEST_PROGRAM } from '../tools/batchtest-program.ts';
import { aFaultyWay, type FaultyWay } from './faulty-way.ts';
import { playPods } from './kubelet.ts';
import { differencesOf, type Played, playOnWay } from './played-run.ts';
import { untilNothingIsLeft, untilRunning, untilSettled } from './run-view.ts';
import { violationsOf } from './violations.ts';
import { delayedBy } from './watch-shapes.ts';

let site: OperatorSite;
let reference: Played;
beforeAll(async () => {
  site = await openOperatorSite(inject('controlPlane'));
}, 120_000);
afterAll(() => site?.close());

async function aWorldWithAWay(
  name: string,
): Promise<{ readonly world: OperatorWorld; readonly way: FaultyWay }> {
  const world = await site.aWorld(name);
  return { world, way: await aFaultyWay(world, { onTestFinished }) };
}

const SUCCESS = { kind: 'Exits', exitCode: 0, message: measured(1) } as const;

it('the reference run is recorded without faults', async () => {
  const { world, way } = await aWorldWithAWay('reference');
  await way.startOperator();
  reference = await playOnWay(world, way);
  expect(reference.violations).toEqual([]);
});

it('F5: notices that its watches are half open within twice the time that it allows for silence', {
  timeout: 5 * 60_000,
}, async () => {
  const { world, way } = await aWorldWithAWay('half-open');
  let isSilent = false;
  // Those that are open now will never carry anything again, and never break; those that follow are sound.
  const untilSilent = (): WatchShaper => {
    const mayFallSilent = !isSilent;
    return (line, deliver) => {
      if (!(mayFallSilent && isSilent)) deliver(line);
    };
  };
  way.api.onWatch(untilSilent);
  const operator = await way.startOperator();
  await operator.untilReady();
  const startedAt = performance.now();
  const played = await playOnWay(
    world,
    way,
    async (uid) => {
      await untilRunning(world, uid, 2);
      isSilent = true;
    },
    { deadlineMs: 200_000 },
  );
  expect(differencesOf(played, reference)).toEqual([]);
  // 90 s of silence, by which watches are measured, and the run itself.
  expect(performance.now() - startedAt).toBeGreaterThan(60_000);
  expect(performance.now() - startedAt).toBeLessThan(2 * 90_000 + 30_000);
});

it('F7: starts nothing twice and never too much while all that it sees is 10 s old', {
  timeout: 5 * 60_000,
}, async () => {
  const { world, way } = await aWorldWithAWay('stale');
  way.api.onWatch(() => delayedBy(10_000));
  await way.startOperator();
  const played = await playOnWay(world, way, async () => undefined, { deadlineMs: 150_000 });
  expect(differencesOf(played, reference)).toEqual([]);
});

it('F21: ends a run whose object is deleted in the foreground, stores its end, and leaves nothing behind', async () => {
  const { world, way } = await aWorldWithAWay('foreground');
  await way.startOperator();
  const uid = await world.create(aBatchTest({ variants: 3, parallelism: 2, pod: RUNS_ON }));
  await untilRunning(world, uid, 2);
  await world.cluster.request('DELETE', world.path('cache'), { propagationPolicy: 'Foreground' });
  await untilNothingIsLeft(world, uid);
  expect(await world.storedRun(uid)).toMatchObject({ state: 'Cancelled', reason: 'Deleted', cancelled: 3 });
  expect(await violationsOf(world, uid)).toEqual([]);
});

it('F35: says which right it lacks, asks seldom, and goes on once it is granted again', async () => {
  const { world, way } = await aWorldWithAWay('rights');
  await way.startOperator();
  const role = `/apis/rbac.authorization.k8s.io/v1/namespaces/${world.namespace}/roles/operator-leading`;
  const withoutCreation = OPERATOR_RULES.leading.filter(
    ({ resources }) => !resources.some((name) => name === 'jobs'),
  );
  await world.cluster.request('PATCH', role, { rules: withoutCreation });
  const uid = await world.create(aBatchTest({ variants: 2, parallelism: 2, pod: RUNS_ON }));
  const object = await world.recorder.until('it says what it lacks', (changes) => {
    const last = lastOf(changes, uid);
    return conditionOf(last, 'Progressing')?.reason === 'Forbidden' ? last : undefined;
  });
  expect(conditionOf(object, 'Progressing')?.message).toContain('jobs');
  await sleep(3_000);
  expect(way.apiWrites().filter((name) => name === 'POST jobs').length).toBeLessThanOrEqual(6);
  await world.cluster.request('PATCH', role, { rules: OPERATOR_RULES.leading });
  await playPods(world, uid, () => SUCCESS);
  await untilSettled(world, uid);
  expect(await world.storedRun(uid)).toMatchObject({ state: 'Complete', succeeded: 2 });
  expect(await violationsOf(world, uid)).toEqual([]);
});

it('F36: keeps its Lease and its memory within bounds while it takes up 10,000 trials', {
  timeout: 5 * 60_000,
}, async () => {
  const { world, way } = await aWorldWithAWay('many');
  const operator = await way.startOperator({
    elects: true,
    program: ['--max-old-space-size=128', BATCHTEST_PROGRAM],
  });
  const { spec, ...manifest } = aBatchTest({ parallelism: 4, pod: RUNS_ON });
  const { variants: _, ...rest } = spec;
  const values = (count: number) => Array.from({ length: count }, (__, index) => `value-${index}`);
  const parameters = [
    { name: 'CACHE', values: values(100) },
    { name: 'POLICY', values: values(100) },
  ];
  const uid = await world.create({ ...manifest, spec: { ...rest, matrix: { parameters } } });
  const kubelet = playPods(world, uid, () => SUCCESS, 4 * 60_000);
  await world.recorder.until(
    '100 trials succeeded',
    (changes) => ((lastOf(changes, uid)?.status?.trials?.succeeded ?? 0) >= 100 ? true : undefined),
    120_000,
  );
  expect(await operator.health('/healthz')).toEqual({ status: 200, text: 'ok' });
  await world.cluster.request('PATCH', world.path('cache'), { spec: { cancel: true } });
  await Promise.all([untilSettled(world, uid, 120_000), kubelet]);
  const lease = `/apis/coordination.k8s.io/v1/namespaces/${world.namespace}/leases/batchtest-operator`;
  expect(await world.cluster.request('GET', lease)).toMatchObject({ spec: { leaseTransitions: 0 } });
  expect((await operator.log()).filter(({ msg }) => msg === 'leading')).toHaveLength(1);
  expect(operator.isRunning).toBe(true);
  expect(await violationsOf(world, uid)).toEqual([]);
});
