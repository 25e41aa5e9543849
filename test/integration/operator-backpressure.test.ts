/** Runs that cannot go on for now: each says why in one condition, asks ever more seldom, and goes on by itself. */
import { afterAll, beforeAll, expect, inject, it } from 'vitest';
import type { FaultyProxy } from './faulty-proxy.ts';
import { FORWARD } from './faulty-proxy.ts';
import { grant, kubeconfigWithRights, OPERATOR_RULES } from './operator-rights.ts';
import {
  aProxyToTheCluster,
  aQuota,
  edit,
  isJobCreation,
  untilJobsCreated,
  untilNothingIsLeft,
  untilProgress,
  untilRunning,
} from './operator-steps.ts';
import {
  aBatchTest,
  ENDS_SOON,
  measured,
  type OperatorSite,
  openOperatorSite,
  RUNS_ON,
} from './operator-world.ts';
import { aGateToTheStore } from './outage-gates.ts';
import { carrierCreations, conditionOf, creationsAboveParallelism, lastOf } from './watch-recorder.ts';

let site: OperatorSite;
beforeAll(async () => {
  site = await openOperatorSite(inject('controlPlane'));
});
afterAll(() => site?.close());

const OBSERVATION_MS = 20_000;

it('takes a quota as it is, names it, asks seldom, and goes on at once when something of its own has ended', async () => {
  const world = await site.aWorld('quota');
  const { proxy, kubeconfigPath } = await aProxyToTheCluster(world);
  await aQuota(world, { 'count/jobs.batch': '2' });
  await world.startOperator({ kubeconfigPath });
  const uid = await world.create(aBatchTest({ variants: 8, parallelism: 6, pod: RUNS_ON }));
  const running = await untilRunning(world, uid, 2);
  const told = await untilProgress(world, uid, 'QuotaExceeded');
  expect(conditionOf(told, 'Progressing')).toMatchObject({
    status: 'True',
    message: expect.stringMatching(/^exceeded quota: small, requested: count\/jobs.batch=1/),
  });

  // The status that tells of it may be followed by another one, a second later.
  await pause(2_000);
  const before = { ...countsOf(proxy), writes: statusWrites(proxy) };
  await pause(OBSERVATION_MS);
  // One try after at least 5 s, the next ones each after twice as long.
  expect(countsOf(proxy).creations - before.creations).toBeLessThanOrEqual(3);
  // The same is told once.
  expect(statusWrites(proxy)).toBe(before.writes);
  expect(countsOf(proxy).all - before.all).toBeLessThanOrEqual(8);
  expect(carrierCreations(world.recorder.changes(), uid).size).toBe(2);
  expect(conditionOf(lastOf(world.recorder.changes(), uid), 'Progressing')?.reason).toBe('QuotaExceeded');

  const endedAt = performance.now();
  const triesBefore = countsOf(proxy).creations;
  for (const pod of running) await world.endPod(pod, { exitCode: 0, message: measured(1) });
  await world.recorder.until('a start was tried', () => countsOf(proxy).creations > triesBefore || undefined);
  // On time alone the next try would be ten seconds away or more.
  expect(performance.now() - endedAt).toBeLessThan(9_000);
  // When the quota counts fewer Jobs again is up to its controller, which waits up to 30 s for the watch of a CRD that is new.
  await untilJobsCreated(world, uid, 4, 120_000);
  await world.cluster.request('DELETE', `/api/v1/namespaces/${world.namespace}/resourcequotas/small`);
  await untilRunning(world, uid, 6);
  expect(await world.storedRun(uid)).toMatchObject({ state: 'Running', succeeded: 2, failed: 0 });
  expect(creationsAboveParallelism(world.recorder.changes(), uid)).toEqual([]);
}, 240_000);

it('waits for a right that it was not granted, says which, and goes on once it has it', async () => {
  const world = await site.aWorld('forbidden');
  const role = `/apis/rbac.authorization.k8s.io/v1/namespaces/${world.namespace}/roles/operator-leading`;
  await world.cluster.request('PATCH', role, {
    rules: OPERATOR_RULES.leading.filter(({ resources }) => !resources.some((name) => name === 'jobs')),
  });
  const { proxy, kubeconfigPath } = await aProxyToTheCluster(world);
  await world.startOperator({ kubeconfigPath });
  const uid = await world.create(aBatchTest({ variants: 2, parallelism: 2, pod: ENDS_SOON }));
  const told = await untilProgress(world, uid, 'Forbidden');
  expect(conditionOf(told, 'Progressing')?.message).toMatch(/cannot create resource "jobs"/);
  const before = countsOf(proxy);
  await pause(5_000);
  expect(countsOf(proxy).creations - before.creations).toBe(0);
  await world.cluster.request('PATCH', role, { rules: OPERATOR_RULES.leading });
  await world.recorder.until(
    'it is complete',
    (changes) => conditionOf(lastOf(changes, uid), 'Complete')?.status === 'True' || undefined,
    60_000,
  );
  // No attempt was spent on it.
  expect(await world.storedAttempts(uid)).toMatchObject([{ attempt: 1 }, { attempt: 1 }]);
}, 120_000);

it('does as an overloaded API server asks, and says so', async () => {
  const world = await site.aWorld('overload');
  const { proxy, kubeconfigPath } = await aProxyToTheCluster(world);
  proxy.onRequest((request) =>
    isJobCreation(request)
      ? {
          kind: 'Answer',
          status: 429,
          headers: { 'retry-after': '3' },
          body: JSON.stringify({
            kind: 'Status',
            status: 'Failure',
            code: 429,
            reason: 'TooManyRequests',
            message: 'too many requests, please try again later',
          }),
        }
      : FORWARD,
  );
  await world.startOperator({ kubeconfigPath });
  const uid = await world.create(aBatchTest({ variants: 4, parallelism: 4, pod: ENDS_SOON }));
  const told = await untilProgress(world, uid, 'TooManyRequests');
  expect(conditionOf(told, 'Progressing')?.message).toBe('too many requests, please try again later');
  await pause(8_000);
  const tries = proxy.requests.filter(isJobCreation).map(({ at }) => at);
  // The first decision asks for all four, then one asks for all, each time for longer than the server wants.
  expect(tries.length).toBeGreaterThan(4);
  expect(tries.length).toBeLessThanOrEqual(7);
  const waits = tries.slice(4).map((at, index) => at - (tries[index + 3] ?? 0));
  for (const wait of waits) expect(wait).toBeGreaterThanOrEqual(2_900);
  proxy.onRequest(() => FORWARD);
  await world.untilCondition(uid, 'Complete');
  expect(creationsAboveParallelism(world.recorder.changes(), uid)).toEqual([]);
  expect(await world.storedAttempts(uid)).toHaveLength(4);
}, 120_000);

it('waits for a result store that is away without asking the API server for anything, and says so', async () => {
  const world = await site.aWorld('store-away');
  const store = await aGateToTheStore(world);
  await store.gate.open();
  const { proxy, kubeconfigPath } = await aProxyToTheCluster(world);
  const operator = await world.startOperator({ kubeconfigPath, databaseUrl: store.url });
  await operator.untilReady();
  const uid = await world.create(aBatchTest({ variants: 4, parallelism: 2, pod: RUNS_ON }));
  const [first] = await untilRunning(world, uid, 2);
  await store.gate.shut();
  if (first !== undefined) await world.endPod(first, { exitCode: 0, message: measured(1) });
  const told = await untilProgress(world, uid, 'WaitingForResultStore');
  expect(conditionOf(told, 'ResultStoreAvailable')).toMatchObject({
    status: 'False',
    reason: expect.stringMatching(/^Connection(Refused|Lost)$/),
  });
  await pause(2_000);
  const before = countsOf(proxy);
  await pause(OBSERVATION_MS);
  expect(countsOf(proxy).all - before.all).toBeLessThanOrEqual(2);
  // A new object says as well what it waits for.
  const other = await world.create(aBatchTest({ name: 'other', parallelism: 1, pod: ENDS_SOON }));
  await untilProgress(world, other, 'WaitingForResultStore');
  // The store knows nothing of it, so it need not come back for it to go.
  const neverStored = await world.create(
    aBatchTest({ name: 'never-stored', parallelism: 1, pod: ENDS_SOON }),
  );
  await untilProgress(world, neverStored, 'WaitingForResultStore');
  await world.cluster.request('DELETE', world.path('never-stored'));
  await world.recorder.until('it is gone', (changes) =>
    changes.some(
      ({ type, kind, object }) =>
        type === 'DELETED' && kind === 'BatchTest' && object.metadata.uid === neverStored,
    )
      ? true
      : undefined,
  );
  await store.gate.open();
  await world.untilCondition(other, 'Complete');
  await untilJobsCreated(world, uid, 3);
  await edit(world, { cancel: true });
  await world.untilCondition(uid, 'Cancelled');
  expect(await world.storedRun(uid)).toMatchObject({ state: 'Cancelled', succeeded: 1, cancelled: 3 });
  await untilNothingIsLeft(world, uid);
}, 120_000);

it('says one thing at a time: what stops the run before what it waits for', async () => {
  const world = await site.aWorld('one-reason');
  await aQuota(world, { 'count/jobs.batch': '0' });
  await world.startOperator();
  const uid = await world.create(aBatchTest({ variants: 2, parallelism: 2, pod: RUNS_ON }));
  await untilProgress(world, uid, 'QuotaExceeded');
  await edit(world, { suspend: true });
  await untilProgress(world, uid, 'RunSuspended');
  await edit(world, { suspend: false });
  await untilProgress(world, uid, 'QuotaExceeded');
  await edit(world, { parallelism: 0 });
  await untilProgress(world, uid, 'Paused');
  await edit(world, { cancel: true });
  await world.untilCondition(uid, 'Cancelled');
  expect(carrierCreations(world.recorder.changes(), uid).size).toBe(0);
  expect(await world.storedAttempts(uid)).toEqual([]);
});

it('an operator that may only watch does not lead, and one with the right to lead takes up what waits', async () => {
  const world = await site.aWorld('watching');
  const kubeconfigPath = await kubeconfigWithRights(world.cluster, world.namespace, 'late', world.directory, [
    'watching',
  ]);
  await world.startOperator({ kubeconfigPath });
  const uid = await world.create(aBatchTest({ parallelism: 1, pod: ENDS_SOON }));
  await pause(3_000);
  expect(carrierCreations(world.recorder.changes(), uid).size).toBe(0);
  await grant(world.cluster, world.namespace, 'late', 'leading');
  await world.untilCondition(uid, 'Complete');
});

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

function countsOf({ requests }: FaultyProxy): { readonly all: number; readonly creations: number } {
  return {
    all: requests.filter(({ isWatch }) => !isWatch).length,
    creations: requests.filter(isJobCreation).length,
  };
}

const statusWrites = ({ requests }: FaultyProxy): number =>
  requests.filter(({ method, url }) => method === 'PATCH' && url.endsWith('/status')).length;
