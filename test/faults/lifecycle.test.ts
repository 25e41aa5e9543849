/** What an operator makes of what people, and the rest of the cluster, do to the objects of a run. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, inject, it, onTestFinished } from 'vitest';
import {
  aBatchTest,
  type BatchTestOptions,
  measured,
  type OperatorSite,
  type OperatorWorld,
  openOperatorSite,
  RUNS_ON,
} from '../integration/operator-world.ts';
import { carrierCreations, conditionOf, lastOf, present } from '../integration/watch-recorder.ts';
import { aFaultyWay, type FaultyWay } from './faulty-way.ts';
import {
  confirmDeletions,
  confirmEnd,
  deletePod,
  endByDeletion,
  holdPod,
  letPodGo,
  playPods,
} from './kubelet.ts';
import { livePods, untilNothingIsLeft, untilOneRuns, untilRunning, untilSettled } from './run-view.ts';
import { FORWARD_STATEMENT } from './store-proxy.ts';
import { violationsOf } from './violations.ts';

let site: OperatorSite;
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

/** A run whose trials are tried again at once. */
const aRetryingRun = (options: BatchTestOptions, spec: object = {}) => {
  const manifest = aBatchTest(options);
  const retryPolicy = { limit: 1, backoffSeconds: 0, maxBackoffSeconds: 0 };
  return { ...manifest, spec: { ...manifest.spec, retryPolicy, ...spec } };
};
const EXECUTIONS = ['Job', 'Pod'] as const;
const SUCCESS = { kind: 'Exits', exitCode: 0, message: measured(1) } as const;

it.each([
  ['Background', 'Job'],
  ['Orphan', 'Job'],
  ['Orphan', 'Pod'],
] as const)(
  'F21: ends a run whose object is deleted with propagation %s, stores its end, and leaves nothing behind (%s)',
  async (propagationPolicy, execution) => {
    const { world, way } = await aWorldWithAWay('deleted');
    await way.startOperator();
    const spec = { execution };
    const uid = await world.create(aBatchTest({ variants: 3, parallelism: 2, pod: RUNS_ON, spec }));
    await untilRunning(world, uid, 2);
    await world.cluster.request('DELETE', world.path('cache'), { propagationPolicy });
    await untilNothingIsLeft(world, uid);
    expect(await world.storedRun(uid)).toMatchObject({
      state: 'Cancelled',
      reason: 'Deleted',
      pending: 0,
      cancelled: 3,
    });
    expect(await violationsOf(world, uid)).toEqual([]);
  },
);

it('F21: ends what runs though Postgres is away, and lets the object go once the end is stored', async () => {
  const { world, way } = await aWorldWithAWay('deleted-away');
  await way.startOperator();
  const uid = await world.create(aBatchTest({ variants: 3, parallelism: 2, pod: RUNS_ON }));
  await untilRunning(world, uid, 2);
  way.store.onStatement(() => ({ kind: 'CutBefore' }));
  way.store.cut();
  await world.cluster.request('DELETE', world.path('cache'), { propagationPolicy: 'Background' });
  await world.recorder.until('nothing runs any more', (changes) =>
    present(changes, uid, 'Pod').length === 0 ? true : undefined,
  );
  await sleep(1_000);
  expect(lastOf(world.recorder.changes(), uid)?.metadata.deletionTimestamp).toBeDefined();
  way.store.onStatement(() => FORWARD_STATEMENT);
  await untilNothingIsLeft(world, uid);
  expect(await world.storedRun(uid)).toMatchObject({ state: 'Cancelled', reason: 'Deleted', cancelled: 3 });
  expect(await violationsOf(world, uid)).toEqual([]);
});

it.each(EXECUTIONS)(
  'F21: ends a run whose object was deleted while no operator ran (%s)',
  async (execution) => {
    const { world, way } = await aWorldWithAWay('deleted-unseen');
    const first = await way.startOperator();
    const uid = await world.create(
      aBatchTest({ variants: 3, parallelism: 2, pod: RUNS_ON, spec: { execution } }),
    );
    await untilRunning(world, uid, 2);
    await first.kill();
    await world.cluster.request('DELETE', world.path('cache'), { propagationPolicy: 'Background' });
    await sleep(500);
    expect(lastOf(world.recorder.changes(), uid)?.metadata.deletionTimestamp).toBeDefined();
    await way.startOperator();
    await untilNothingIsLeft(world, uid);
    expect(await world.storedRun(uid)).toMatchObject({ state: 'Cancelled', reason: 'Deleted', cancelled: 3 });
    expect(await violationsOf(world, uid)).toEqual([]);
  },
);

it('F24: tries again what somebody else has deleted, be it the Job or its pod', async () => {
  const { world, way } = await aWorldWithAWay('meddled');
  await way.startOperator();
  const uid = await world.create(aRetryingRun({ variants: 2, parallelism: 2, pod: RUNS_ON }));
  const [first, second] = await untilRunning(world, uid, 2);
  const job = first?.metadata.ownerReferences?.[0]?.name;
  const { namespace, cluster } = world;
  await cluster.request('DELETE', `/apis/batch/v1/namespaces/${namespace}/jobs/${job}`, {
    propagationPolicy: 'Background',
  });
  if (second === undefined) throw new Error('there is no second pod');
  await endByDeletion(world, second);
  await playPods(world, uid, ({ attempt }) => (attempt === 1 ? { kind: 'RunsOn' } : SUCCESS));
  await untilSettled(world, uid);
  const attempts = await world.storedAttempts(uid);
  expect(attempts.map(({ attempt, outcome }) => `${attempt} ${outcome}`)).toEqual([
    '1 Infrastructure',
    '2 Succeeded',
    '1 Infrastructure',
    '2 Succeeded',
  ]);
  expect(await violationsOf(world, uid)).toEqual([]);
});

it('F24: tries again what somebody else has deleted when there is no Job: at once gone, ended first, or ended before', async () => {
  const { world, way } = await aWorldWithAWay('meddled-pods');
  await way.startOperator();
  const uid = await world.create(
    aRetryingRun({ variants: 3, parallelism: 3, pod: RUNS_ON }, { execution: 'Pod' }),
  );
  const [first, second, third] = await untilRunning(world, uid, 3);
  if (first === undefined || second === undefined || third === undefined) throw new Error('three run');
  await deletePod(world, first);
  await endByDeletion(world, second);
  await world.endPod(third, SUCCESS);
  // Its end may be stored by now, and the pod removed.
  await deletePod(world, third).catch(() => undefined);
  await playPods(world, uid, ({ attempt }) => (attempt === 1 ? { kind: 'RunsOn' } : SUCCESS));
  await untilSettled(world, uid);
  const attempts = await world.storedAttempts(uid);
  expect(attempts.map(({ attempt, outcome }) => `${attempt} ${outcome}`).sort()).toEqual([
    '1 Infrastructure',
    '1 Infrastructure',
    '1 Succeeded',
    '2 Succeeded',
    '2 Succeeded',
  ]);
  expect(await violationsOf(world, uid)).toEqual([]);
});

it('F24: ends a run whose finalizer was stripped and whose object was then deleted', async () => {
  const { world, way } = await aWorldWithAWay('stripped');
  await way.startOperator();
  const uid = await world.create(aBatchTest({ variants: 2, parallelism: 2, pod: RUNS_ON }));
  await untilRunning(world, uid, 2);
  await world.cluster.request('PATCH', world.path('cache'), { metadata: { finalizers: null } });
  await world.cluster.request('DELETE', world.path('cache'), { propagationPolicy: 'Background' });
  await untilNothingIsLeft(world, uid);
  await expect
    .poll(() => world.storedRun(uid), { timeout: 20_000 })
    .toMatchObject({ state: 'Cancelled', reason: 'Deleted', cancelled: 2 });
  expect(await violationsOf(world, uid)).toEqual([]);
});

it.each(EXECUTIONS)(
  'F26: starts a trial again only once the pod on its lost node is gone for certain (%s)',
  async (execution) => {
    const { world, way } = await aWorldWithAWay('node-lost');
    await way.startOperator();
    const uid = await world.create(
      aRetryingRun({ variants: 1, parallelism: 1, pod: RUNS_ON }, { execution }),
    );
    const pod = await untilOneRuns(world, uid);
    // A kubelet that cannot be reached confirms no deletion; the pod stays, and may still run.
    await holdPod(world, pod);
    const path = `/api/v1/namespaces/${world.namespace}/pods/${pod.metadata.name}/status`;
    await world.cluster.request('PATCH', path, {
      status: {
        conditions: [
          { type: 'DisruptionTarget', status: 'True', reason: 'DeletionByTaintManager', message: 'lost' },
        ],
      },
    });
    await deletePod(world, pod);
    await sleep(2_500);
    expect(carrierCreations(world.recorder.changes(), uid).size).toBe(1);
    await confirmEnd(world, pod);
    await playPods(world, uid, ({ attempt }) => (attempt === 1 ? { kind: 'RunsOn' } : SUCCESS));
    await untilSettled(world, uid);
    expect(await world.storedAttempts(uid)).toMatchObject([
      { attempt: 1, outcome: 'Infrastructure', is_accepted: false },
      { attempt: 2, outcome: 'Succeeded', is_accepted: true },
    ]);
    expect(await violationsOf(world, uid)).toEqual([]);
  },
);

it.each(EXECUTIONS)(
  'F26: counts a late result of a pod that was given up once, and starts nothing more (%s)',
  async (execution) => {
    const { world, way } = await aWorldWithAWay('late-result');
    await way.startOperator();
    const uid = await world.create(
      aRetryingRun({ variants: 1, parallelism: 1, pod: RUNS_ON }, { execution }),
    );
    const pod = await untilOneRuns(world, uid);
    await holdPod(world, pod);
    await deletePod(world, pod);
    await sleep(500);
    await world.endPod(pod, SUCCESS);
    await letPodGo(world, pod);
    await world.untilCondition(uid, 'Complete');
    await untilSettled(world, uid);
    expect(await world.storedAttempts(uid)).toMatchObject([
      { attempt: 1, outcome: 'Succeeded', is_accepted: true },
    ]);
    expect(await violationsOf(world, uid)).toEqual([]);
  },
);

it('F29: ends a run whose namespace is deleted, stores its end, and does not ask for ever', async () => {
  const world = await site.aWorld('namespace');
  // An operator's own rights would go with the namespace.
  const way = await aFaultyWay(world, { onTestFinished }, 'Administrator');
  const operator = await way.startOperator();
  const uid = await world.create(aBatchTest({ variants: 3, parallelism: 2, pod: RUNS_ON }));
  await untilRunning(world, uid, 2);
  await world.cluster.request('DELETE', `/api/v1/namespaces/${world.namespace}`);
  await Promise.all([confirmDeletions(world, uid), untilNothingIsLeft(world, uid)]);
  await expect
    .poll(() => world.storedRun(uid), { timeout: 20_000 })
    .toMatchObject({ state: 'Cancelled', reason: 'Deleted', pending: 0 });
  await expect
    .poll(() => world.cluster.request('GET', '/api/v1/namespaces'), { timeout: 40_000, interval: 200 })
    .not.toMatchObject({
      items: expect.arrayContaining([
        expect.objectContaining({ metadata: expect.objectContaining({ name: world.namespace }) }),
      ]),
    });
  const writes = way.apiWrites().length;
  await sleep(2_000);
  expect(way.apiWrites().length).toBe(writes);
  expect(operator.isRunning).toBe(true);
  expect(await violationsOf(world, uid)).toEqual([]);
});

it('F30: uses the slots that a quota leaves, says what it waits for, and does not ask in a hot loop', async () => {
  const { world, way } = await aWorldWithAWay('quota');
  const quotas = `/api/v1/namespaces/${world.namespace}/resourcequotas`;
  await world.cluster.request('POST', quotas, {
    metadata: { name: 'two-jobs' },
    spec: { hard: { 'count/jobs.batch': '2' } },
  });
  // A quota holds from the moment on at which its controller has counted.
  await expect
    .poll(() => world.cluster.request('GET', `${quotas}/two-jobs`), { timeout: 20_000 })
    .toMatchObject({ status: { hard: { 'count/jobs.batch': '2' } } });
  await way.startOperator();
  const uid = await world.create(aBatchTest({ variants: 4, parallelism: 4, pod: RUNS_ON }));
  await untilRunning(world, uid, 2);
  await world.recorder.until('it says that it waits for the quota', (changes) =>
    conditionOf(lastOf(changes, uid), 'Progressing')?.reason === 'QuotaExceeded' ? true : undefined,
  );
  await playPods(world, uid, () => SUCCESS);
  await untilSettled(world, uid);
  expect(await world.storedRun(uid)).toMatchObject({ state: 'Complete', succeeded: 4 });
  expect(way.apiWrites().filter((name) => name === 'POST jobs').length).toBeLessThanOrEqual(30);
  expect(await violationsOf(world, uid)).toEqual([]);
});

it('F30: of many slots that a quota leaves free it asks for few at each end', async () => {
  const { world, way } = await aWorldWithAWay('quota-wide');
  const quotas = `/api/v1/namespaces/${world.namespace}/resourcequotas`;
  await world.cluster.request('POST', quotas, {
    metadata: { name: 'two-pods' },
    spec: { hard: { pods: '2' } },
  });
  await expect
    .poll(() => world.cluster.request('GET', `${quotas}/two-pods`), { timeout: 20_000 })
    .toMatchObject({ status: { hard: { pods: '2' } } });
  await way.startOperator();
  const trials = 20;
  const uid = await world.create(
    aBatchTest({ variants: trials, parallelism: trials, pod: RUNS_ON, spec: { execution: 'Pod' } }),
  );
  await untilRunning(world, uid, 2);
  await playPods(world, uid, () => SUCCESS);
  await untilSettled(world, uid);
  expect(await world.storedRun(uid)).toMatchObject({ state: 'Complete', succeeded: trials });
  // All at first; then, at each end, one that may find room, and two more where it did.
  expect(way.apiWrites().filter((name) => name === 'POST pods').length).toBeLessThanOrEqual(4 * trials);
  expect(await violationsOf(world, uid)).toEqual([]);
});

it('F32: gives up a trial whose pod finds no node in time, and gives its slot to the next', async () => {
  const { world, way } = await aWorldWithAWay('unschedulable');
  await way.startOperator();
  const manifest = aRetryingRun({ variants: 2, parallelism: 1, pod: RUNS_ON });
  const template = {
    ...manifest.spec.template,
    spec: { ...manifest.spec.template.spec, nodeSelector: { 'example.com/gpu': 'yes' } },
  };
  const uid = await world.create({ ...manifest, spec: { ...manifest.spec, template } } as typeof manifest);
  // The clock of the start runs before there is a pod: however late that comes, the scheduler is heard first.
  await world.recorder.until('it says that the pod finds no node', (changes) =>
    conditionOf(lastOf(changes, uid), 'Progressing')?.message?.includes('Unschedulable') ? true : undefined,
  );
  await world.cluster.request('PATCH', world.path('cache'), { spec: { trialStartDeadlineSeconds: 1 } });
  const object = await world.untilCondition(uid, 'Failed');
  expect(conditionOf(object, 'Failed')?.reason).toBe('InfrastructureFailed');
  await untilSettled(world, uid);
  const attempts = await world.storedAttempts(uid);
  expect(attempts.map(({ attempt, outcome, reason }) => `${attempt} ${outcome} ${reason}`)).toEqual([
    '1 Infrastructure StartDeadlineExceeded',
    '2 Infrastructure StartDeadlineExceeded',
    '1 Infrastructure StartDeadlineExceeded',
    '2 Infrastructure StartDeadlineExceeded',
  ]);
  expect(attempts[0]?.message).toContain('Unschedulable');
  expect(await violationsOf(world, uid)).toEqual([]);
});

it.each(EXECUTIONS)(
  'F32: holds the slot of a pod that is stuck while it terminates, and ends the run once it is gone (%s)',
  async (execution) => {
    const { world, way } = await aWorldWithAWay('stuck');
    await way.startOperator();
    const uid = await world.create(
      aBatchTest({ variants: 2, parallelism: 1, pod: RUNS_ON, spec: { execution } }),
    );
    const pod = await untilOneRuns(world, uid);
    await holdPod(world, pod);
    await world.cluster.request('PATCH', world.path('cache'), { spec: { cancel: true } });
    await world.recorder.until('the Job is gone, or the pod is going', (changes) =>
      present(changes, uid, 'Job').length === 0 &&
      livePods(changes, uid).every(({ metadata }) => metadata.deletionTimestamp !== undefined)
        ? true
        : undefined,
    );
    await sleep(1_500);
    expect(conditionOf(lastOf(world.recorder.changes(), uid), 'Cancelled')?.status).not.toBe('True');
    await confirmEnd(world, pod);
    await world.untilCondition(uid, 'Cancelled');
    await untilSettled(world, uid);
    expect(await violationsOf(world, uid)).toEqual([]);
  },
);
