/** What the operator does while its result store, or the API server, is away. */
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, inject, it } from 'vitest';
import { seriesOf, seriesValue } from '../tools/exposition.ts';
import {
  aBatchTest,
  ENDS_SOON,
  type OperatorSite,
  type OperatorWorld,
  openOperatorSite,
} from './operator-world.ts';
import { aGateToTheCluster, aGateToTheStore } from './outage-gates.ts';
import {
  carrierCreations,
  conditionOf,
  creationsAboveParallelism,
  lastOf,
  liveTrials,
  present,
} from './watch-recorder.ts';

let site: OperatorSite;
beforeAll(async () => {
  site = await openOperatorSite(inject('controlPlane'));
});
afterAll(() => site?.close());

it('keeps what has ended while the result store is away, starts nothing, and stores everything once it is back', async () => {
  const world = await site.aWorld('store-away');
  const store = await aGateToTheStore(world);
  await store.gate.open();
  const operator = await world.startOperator({ databaseUrl: store.url });
  const uid = await world.create(aBatchTest({ variants: 6, repetitions: 3, parallelism: 3, pod: ENDS_SOON }));
  await world.recorder.until('4 trials succeeded', (changes) =>
    (lastOf(changes, uid)?.status?.trials?.succeeded ?? 0) >= 4 ? true : undefined,
  );
  await store.gate.shut();

  const told = await world.untilCondition(uid, 'ResultStoreAvailable', 'False');
  expect(conditionOf(told, 'ResultStoreAvailable')?.reason).toMatch(/^Connection(Refused|Lost)$/);
  expect(conditionOf(told, 'Progressing')).toMatchObject({ status: 'True', reason: 'WaitingForResultStore' });
  await world.recorder.until('every pod that ran has ended', (changes) =>
    liveTrials(changes, uid).at(-1)?.live === 0 ? true : undefined,
  );
  const jobs = { created: creations(world, uid), left: present(world.recorder.changes(), uid, 'Job').length };
  await world.recorder.untilQuietFor(1_500);
  const away = world.recorder.changes();
  expect({ created: creations(world, uid), left: present(away, uid, 'Job').length }).toEqual(jobs);
  expect(present(away, uid, 'Pod')).toHaveLength(jobs.left);
  const { succeeded } = (await world.storedRun(uid)) ?? {};
  expect(lastOf(away, uid)?.status?.trials?.succeeded).toBeLessThanOrEqual(succeeded ?? 0);
  expect(succeeded).toBeLessThan(jobs.created);
  expect(await operator.health('/readyz')).toEqual({ status: 200, text: 'ok' });
  expect(await operator.health('/healthz')).toEqual({ status: 200, text: 'ok' });

  await store.gate.open();
  const object = await world.untilCondition(uid, 'Complete');
  expect(conditionOf(object, 'ResultStoreAvailable')?.status).toBe('True');
  const attempts = await world.storedAttempts(uid);
  expect(attempts.map(({ attempt, outcome }) => `${attempt} ${outcome}`)).toEqual(
    Array(18).fill('1 Succeeded'),
  );
  expect([...carrierCreations(world.recorder.changes(), uid).values()]).toEqual(Array(18).fill(1));
  expect(creationsAboveParallelism(world.recorder.changes(), uid)).toEqual([]);
});

it('is alive and not ready until the result store answers, and runs what was created meanwhile', async () => {
  const world = await site.aWorld('store-late');
  const store = await aGateToTheStore(world);
  // Another has begun a run, which is to be told from one that nobody has.
  const former = await world.startOperator();
  const begun = await world.create(
    aBatchTest({ name: 'begun', variants: 2, parallelism: 1, pod: ENDS_SOON }),
  );
  await world.recorder.until('it has started', () => (creations(world, begun) > 0 ? true : undefined));
  expect(await former.terminate()).toBe(0);
  const operator = await world.startOperator({ databaseUrl: store.url });
  const uid = await world.create(aBatchTest({ parallelism: 1, pod: ENDS_SOON }));
  await operator.untilLogged('it waits', ({ msg }) => msg === 'waiting for the result store');
  // It looks at the cluster meanwhile.
  await expect
    .poll(() => operator.health('/readyz'), { timeout: 20_000 })
    .toEqual({ status: 503, text: 'waiting for the result store' });
  expect((await operator.health('/healthz')).status).toBe(200);
  expect((await operator.health('/nothing')).status).toBe(404);
  // Again and again, and with runs that are not opened: by that BatchTestResultsUnstored knows that nothing is known of their results yet.
  const series = async () => seriesOf((await operator.health('/metrics')).text);
  const refused = async () =>
    (await series())
      .filter(({ name }) => name === 'batchtest_store_unavailable_total')
      .reduce((sum, { value }) => sum + value, 0);
  const runs = async (state: string) => seriesValue(await series(), 'batchtest_runs_begun', { state });
  await expect.poll(refused, { timeout: 30_000 }).toBeGreaterThan(5);
  expect([await runs('opened'), await runs('unopened')]).toEqual([0, 1]);
  await store.gate.open();
  await operator.untilReady();
  await Promise.all([begun, uid].map((run) => world.untilCondition(run, 'Complete')));
  await expect.poll(() => runs('unopened')).toBe(0);
});

it('is not ready before it has seen the whole cluster', async () => {
  const world = await site.aWorld('cluster-late');
  const cluster = await aGateToTheCluster(world);
  const operator = await world.startOperator({ kubeconfigPath: cluster.kubeconfigPath });
  await operator.untilLogged('it tries', ({ msg }) => msg === 'a list or watch failed and is tried again');
  expect(await operator.health('/readyz')).toEqual({
    status: 503,
    text: 'waiting for a complete view of the cluster',
  });
  expect((await operator.health('/healthz')).status).toBe(200);
  await cluster.gate.open();
  await operator.untilReady();
});

it('stops when it is asked to, also while it waits for the cluster or for the result store', async () => {
  const world = await site.aWorld('stopped-early');
  const [store, cluster] = [await aGateToTheStore(world), await aGateToTheCluster(world)];
  const withoutStore = await world.startOperator({ databaseUrl: store.url });
  const withoutCluster = await world.startOperator({ kubeconfigPath: cluster.kubeconfigPath });
  await withoutStore.untilLogged('it waits', ({ msg }) => msg === 'waiting for the result store');
  await withoutCluster.untilLogged(
    'it tries',
    ({ msg }) => msg === 'a list or watch failed and is tried again',
  );
  expect(await Promise.all([withoutStore.terminate(), withoutCluster.terminate()])).toEqual([0, 0]);
});

it('stops within the grace of its pod while the result store answers nothing', async () => {
  const world = await site.aWorld('store-silent');
  const store = await aGateToTheStore(world);
  await store.gate.open();
  const operator = await world.startOperator({ databaseUrl: store.url });
  const counted = async () =>
    seriesValue(seriesOf((await operator.health('/metrics')).text), 'batchtest_outbox_messages', {
      state: 'Pending',
    });
  await expect.poll(counted, { timeout: 20_000 }).toBe(0);
  store.gate.freeze();
  // It looks every second for what is to be handled.
  await delay(1_500);
  const askedAt = performance.now();
  expect(await operator.terminate()).toBe(0);
  expect(performance.now() - askedAt).toBeLessThan(25_000);
  expect((await operator.log()).at(-1)?.msg).toBe('the result store does not answer while it is closed');
});

it('goes on after the API server was away, with every trial run once', async () => {
  const world = await site.aWorld('cluster-away');
  const cluster = await aGateToTheCluster(world);
  await cluster.gate.open();
  await world.startOperator({ kubeconfigPath: cluster.kubeconfigPath });
  const uid = await world.create(aBatchTest({ variants: 4, repetitions: 3, parallelism: 3, pod: ENDS_SOON }));
  await world.recorder.until('4 Jobs were created', () => (creations(world, uid) >= 4 ? true : undefined));
  await cluster.gate.shut();
  await world.recorder.until('nothing runs any more', (changes) =>
    liveTrials(changes, uid).at(-1)?.live === 0 ? true : undefined,
  );
  await cluster.gate.open();
  await world.untilCondition(uid, 'Complete');
  const attempts = await world.storedAttempts(uid);
  expect(attempts.map(({ attempt, outcome }) => `${attempt} ${outcome}`)).toEqual(
    Array(12).fill('1 Succeeded'),
  );
  const changes = world.recorder.changes();
  expect([...carrierCreations(changes, uid).values()]).toEqual(Array(12).fill(1));
  expect(creationsAboveParallelism(changes, uid)).toEqual([]);
});

it('keeps what ended within the deadline of its run though it was away when that passed', async () => {
  const world = await site.aWorld('cluster-away-deadline');
  const cluster = await aGateToTheCluster(world);
  await cluster.gate.open();
  await world.startOperator({ kubeconfigPath: cluster.kubeconfigPath });
  const uid = await world.create(
    aBatchTest({
      ...{ variants: 3, parallelism: 3 },
      pod: { ...ENDS_SOON, runMs: 6_000 },
      spec: { activeDeadlineSeconds: 15 },
    }),
  );
  await world.recorder.until('all run', (changes) =>
    liveTrials(changes, uid).at(-1)?.live === 3 ? true : undefined,
  );
  await cluster.gate.shut();
  await world.recorder.until('all have ended', (changes) =>
    liveTrials(changes, uid).at(-1)?.live === 0 ? true : undefined,
  );
  // Its decision of then is what this is about, and it makes none that anybody could see.
  await delay(20_000);
  await cluster.gate.open();
  await world.untilCondition(uid, 'Complete');
  const attempts = await world.storedAttempts(uid);
  expect(attempts.map(({ attempt, outcome }) => `${attempt} ${outcome}`)).toEqual(
    Array(3).fill('1 Succeeded'),
  );
  // A view that failed for so long may pause for half a minute more before it lists anew.
}, 120_000);

const creations = (world: OperatorWorld, uid: string): number =>
  carrierCreations(world.recorder.changes(), uid).size;
