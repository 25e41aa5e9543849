/** What a user may do to a run that is under way: cancel, delete, suspend and resume it, and change how much of it runs at once. */
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { FINALIZER } from '../../src/api/v1alpha1/constants.ts';
import { withoutThose } from '../faults/watch-shapes.ts';
import { FORWARD } from './faulty-proxy.ts';
import { OPERATOR_RULES } from './operator-rights.ts';
import {
  aProxyToTheCluster,
  createdAfter,
  edit,
  isDeletion,
  isJobCreation,
  lastPods,
  left,
  nowhereToRun,
  observedAt,
  outcomes,
  runningPods,
  slowToEnd,
  untilEvent,
  untilJobsCreated,
  untilNothingIsLeft,
  untilProgress,
  untilRunning,
  untilSucceeded,
  untilVariantRuns,
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
import {
  carrierCreations,
  conditionOf,
  creationsAboveParallelism,
  lastOf,
  liveTrials,
  present,
  runOf,
} from './watch-recorder.ts';

let site: OperatorSite;
beforeAll(async () => {
  site = await openOperatorSite(inject('controlPlane'));
});
afterAll(() => site?.close());

describe('cancelling', () => {
  it('ends what runs with its grace period, keeps what is stored, and starts nothing more', async () => {
    const world = await site.aWorld('cancel');
    await world.startOperator();
    const uid = await world.create(
      aBatchTest({
        variants: 7,
        parallelism: 3,
        pod: RUNS_ON,
        spec: { template: slowToEnd(RUNS_ON, 7, 300) },
      }),
    );
    const [first] = await untilRunning(world, uid, 3);
    if (first === undefined) throw new Error('unreachable: three were waited for');
    await world.endPod(first, { exitCode: 0, message: measured(1) });
    await untilSucceeded(world, uid, 1);
    await untilRunning(world, uid, 3);

    const cancelled = await edit(world, { cancel: true });
    const object = await world.untilLetGo(uid);
    expect(conditionOf(object, 'Cancelled')).toMatchObject({ status: 'True', reason: 'CancelRequested' });
    expect(conditionOf(object, 'Progressing')?.status).toBe('False');
    expect(object.status?.trials).toEqual({
      total: 7,
      pending: 0,
      running: 0,
      succeeded: 1,
      failed: 0,
      cancelled: 6,
    });
    const changes = world.recorder.changes();
    // All slots were taken, so that not even a start was under way.
    expect(createdAfter(changes, uid, Number(cancelled.metadata.resourceVersion))).toEqual([]);
    // As it was asked to end, not as it was gone.
    const graces = new Map<string, number | undefined>();
    for (const change of changes) {
      if (change.kind !== 'Pod' || runOf(change) !== uid) continue;
      const { name, deletionTimestamp, deletionGracePeriodSeconds } = change.object.metadata;
      if (deletionTimestamp !== undefined && name !== first.metadata.name && !graces.has(name))
        graces.set(name, deletionGracePeriodSeconds);
    }
    expect([...graces.values()]).toEqual([7, 7, 7]);
    const told = changes.findIndex(
      (change) => change.kind === 'BatchTest' && conditionOf(change.object, 'Cancelled')?.status === 'True',
    );
    expect(liveTrials(changes.slice(0, told), uid).at(-1)?.live).toBe(0);
    expect(await world.storedRun(uid)).toMatchObject({
      state: 'Cancelled',
      reason: 'CancelRequested',
      succeeded: 1,
      cancelled: 6,
      pending: 0,
      failed: 0,
    });
    expect((await outcomes(world, uid)).map((line) => line.replace(/^.* (\w+ \w+)$/, '$1')).sort()).toEqual([
      ...Array(3).fill('Cancelled RunCancelled'),
      'Succeeded Completed',
    ]);
    await untilNothingIsLeft(world, uid);
  });

  it('of a run that starts trials all the time creates nothing once the object says that it was observed', async () => {
    const world = await site.aWorld('cancel-busy');
    await world.startOperator();
    const uid = await world.create(
      aBatchTest({ variants: 20, repetitions: 20, parallelism: 6, pod: { ...ENDS_SOON, runMs: 50 } }),
    );
    await untilSucceeded(world, uid, 12);
    const { metadata } = await edit(world, { cancel: true });
    await world.untilCondition(uid, 'Cancelled');
    await untilNothingIsLeft(world, uid);
    const changes = world.recorder.changes();
    expect(createdAfter(changes, uid, observedAt(changes, uid, metadata.generation))).toEqual([]);
    const stored = await world.storedRun(uid);
    const attempts = await world.storedAttempts(uid);
    expect(stored?.succeeded).toBe(attempts.filter(({ outcome }) => outcome === 'Succeeded').length);
    expect(stored).toMatchObject({ state: 'Cancelled', pending: 0, failed: 0 });
    // Every pod that was ever made is accounted for, by exactly one row.
    expect(attempts.map(({ name }) => name).sort()).toEqual(
      [...carrierCreations(changes, uid).keys()].sort(),
    );
  });

  it('lets what has not been given a node go at once', async () => {
    const world = await site.aWorld('cancel-pending');
    await world.startOperator();
    const uid = await world.create(
      aBatchTest({ variants: 6, parallelism: 6, pod: RUNS_ON, spec: { template: nowhereToRun(RUNS_ON) } }),
    );
    await world.recorder.until('6 pods wait', (changes) =>
      lastPods(changes, uid).size === 6 ? true : undefined,
    );
    await edit(world, { cancel: true });
    await world.untilCondition(uid, 'Cancelled');
    await untilNothingIsLeft(world, uid);
    expect(await outcomes(world, uid)).toEqual(
      Array.from({ length: 6 }, (_, index) => `v${index}/0#1 Cancelled RunCancelled`),
    );
  });

  it('ends 100 running pods by a handful of requests', async () => {
    const world = await site.aWorld('cancel-100');
    const { proxy, kubeconfigPath } = await aProxyToTheCluster(world);
    await world.startOperator({ kubeconfigPath });
    const uid = await world.create(
      aBatchTest({
        variants: 100,
        parallelism: 100,
        pod: RUNS_ON,
        spec: { template: slowToEnd(RUNS_ON, 1, 1_000) },
      }),
    );
    await untilRunning(world, uid, 100);
    const before = proxy.requests.length;
    const cancelledAt = performance.now();
    const cancelled = await edit(world, { cancel: true });
    await untilNothingIsLeft(world, uid);
    const goneMs = performance.now() - cancelledAt;
    await world.untilCondition(uid, 'Cancelled');
    const toldMs = performance.now() - cancelledAt;
    const requests = proxy.requests.slice(before).filter(({ isWatch }) => !isWatch);
    const deletions = requests.filter(isDeletion);
    process.stderr.write(
      `100 pods with a grace period of 1 s: gone ${Math.round(goneMs)} ms after the cancel, told after ${Math.round(toldMs)} ms, by ${deletions.length} DELETE of ${requests.length} requests\n`,
    );
    expect(deletions.length).toBeLessThanOrEqual(3);
    expect(goneMs).toBeLessThan(15_000);
    expect(createdAfter(world.recorder.changes(), uid, Number(cancelled.metadata.resourceVersion))).toEqual(
      [],
    );
    expect(await world.storedRun(uid)).toMatchObject({ state: 'Cancelled', cancelled: 100 });
    expect(new Set(await outcomes(world, uid)).size).toBe(100);
  });

  it('ends as well what a start made that a proxy said had failed, before the run is over', async () => {
    const world = await site.aWorld('cancel-unseen');
    const { proxy, kubeconfigPath } = await aProxyToTheCluster(world);
    // No watch tells of what was made.
    proxy.onWatch(({ url }) => (/\/(jobs|pods)\?/.test(url) ? withoutThose(() => true) : undefined));
    proxy.onRequest((request) => (isJobCreation(request) ? { kind: 'TimeOut' } : FORWARD));
    await world.startOperator({ kubeconfigPath });
    const uid = await world.create(aBatchTest({ parallelism: 1, pod: RUNS_ON }));
    await untilProgress(world, uid, 'ServerUnavailable');
    expect(present(world.recorder.changes(), uid, 'Job')).toHaveLength(1);
    await edit(world, { cancel: true });
    await world.untilCondition(uid, 'Cancelled');
    const changes = world.recorder.changes();
    const told = changes.findIndex(
      (change) => change.kind === 'BatchTest' && conditionOf(change.object, 'Cancelled')?.status === 'True',
    );
    expect(present(changes.slice(0, told), uid, 'Job')).toEqual([]);
    await untilNothingIsLeft(world, uid);
  });

  it('works one Job at a time where the right to delete them together was not granted', async () => {
    const world = await site.aWorld('cancel-singly');
    const { proxy, kubeconfigPath } = await aProxyToTheCluster(world);
    const role = `/apis/rbac.authorization.k8s.io/v1/namespaces/${world.namespace}/roles/operator-leading`;
    const rules = OPERATOR_RULES.leading.map((rule) => ({
      ...rule,
      verbs: rule.verbs.filter((verb) => verb !== 'deletecollection'),
    }));
    await world.cluster.request('PATCH', role, { rules });
    await world.startOperator({ kubeconfigPath });
    const uid = await world.create(aBatchTest({ variants: 8, parallelism: 8, pod: RUNS_ON }));
    await untilRunning(world, uid, 8);
    await edit(world, { cancel: true });
    await world.untilCondition(uid, 'Cancelled');
    await untilNothingIsLeft(world, uid);
    const ofJobs = proxy.requests.filter(isDeletion).filter(({ url }) => url.includes('/jobs'));
    expect(ofJobs).toHaveLength(9);
  });
});

describe('deleting the object', () => {
  it('ends the run, and the object goes only when its end is stored', async () => {
    const world = await site.aWorld('delete');
    await world.startOperator();
    const uid = await world.create(
      aBatchTest({ variants: ['done', 'a', 'b'], parallelism: 3, pod: RUNS_ON }),
    );
    await world.endPod(await untilVariantRuns(world, uid, 'done'), { exitCode: 0, message: measured(4) });
    await untilSucceeded(world, uid, 1);
    expect(lastOf(world.recorder.changes(), uid)?.metadata.finalizers).toEqual([FINALIZER]);
    await world.remove('cache');
    expect(await world.storedRun(uid)).toMatchObject({
      state: 'Cancelled',
      reason: 'Deleted',
      succeeded: 1,
      cancelled: 2,
      pending: 0,
    });
    await untilNothingIsLeft(world, uid);
    const changes = world.recorder.changes();
    const gone = changes.findIndex(({ kind, type }) => kind === 'BatchTest' && type === 'DELETED');
    expect(liveTrials(changes.slice(0, gone), uid).at(-1)?.live).toBe(0);
  });

  it('that was asked for while no operator ran is done by the next one', async () => {
    const world = await site.aWorld('delete-unattended');
    const operator = await world.startOperator();
    const uid = await world.create(aBatchTest({ variants: 2, parallelism: 2, pod: RUNS_ON }));
    await untilRunning(world, uid, 2);
    await operator.kill();
    await world.cluster.request('DELETE', world.path('cache'));
    await world.startOperator();
    await world.recorder.until('the object is gone', (changes) =>
      lastOf(changes, uid) === undefined ? true : undefined,
    );
    expect(await world.storedRun(uid)).toMatchObject({ state: 'Cancelled', reason: 'Deleted', cancelled: 2 });
    await untilNothingIsLeft(world, uid);
  });
});

describe('suspending', () => {
  it('ends what runs, keeps results, and when it is over runs only what has none', async () => {
    const world = await site.aWorld('suspend');
    await world.startOperator();
    const uid = await world.create(
      aBatchTest({
        variants: ['done', 'a', 'b', 'c'],
        parallelism: 4,
        pod: RUNS_ON,
        // Suspending is no failure: it uses up no attempt.
        spec: { retryPolicy: { limit: 0 } },
      }),
    );
    await untilRunning(world, uid, 4);
    await world.endPod(await untilVariantRuns(world, uid, 'done'), { exitCode: 0, message: measured(1) });
    await untilSucceeded(world, uid, 1);
    const startTime = lastOf(world.recorder.changes(), uid)?.status?.startTime ?? '';
    expect(Date.parse(startTime)).toBeGreaterThan(0);

    await edit(world, { suspend: true });
    await world.untilCondition(uid, 'Suspended');
    await untilNothingIsLeft(world, uid);
    const suspended = await world.recorder.until('nothing runs, says the status', (changes) => {
      const object = lastOf(changes, uid);
      return object?.status?.trials?.running === 0 ? object : undefined;
    });
    expect(suspended?.status?.startTime).toBeUndefined();
    expect(suspended?.status?.trials).toMatchObject({ succeeded: 1, pending: 3, cancelled: 0 });
    expect(conditionOf(suspended, 'Progressing')).toMatchObject({ status: 'False', reason: 'RunSuspended' });
    expect(await world.storedRun(uid)).toMatchObject({ state: 'Running', succeeded: 1, pending: 3 });
    const created = carrierCreations(world.recorder.changes(), uid).size;
    await world.recorder.untilQuietFor(2_000);
    expect(carrierCreations(world.recorder.changes(), uid).size).toBe(created);

    await edit(world, { suspend: false });
    for (const pod of await untilRunning(world, uid, 3))
      await world.endPod(pod, { exitCode: 0, message: measured(2) });
    const object = await world.untilCondition(uid, 'Complete');
    expect(conditionOf(object, 'Suspended')?.status).toBe('False');
    expect(Date.parse(object.status?.startTime ?? '')).toBeGreaterThan(Date.parse(startTime));
    expect(await outcomes(world, uid)).toEqual([
      ...['a', 'b', 'c'].flatMap((name) => [
        `${name}/0#1 Cancelled RunSuspended`,
        `${name}/0#2 Succeeded Completed`,
      ]),
      'done/0#1 Succeeded Completed',
    ]);
  });

  it('stops the clock of the run’s deadline, which begins anew when the run is resumed', async () => {
    const world = await site.aWorld('suspend-clock');
    await world.startOperator();
    const uid = await world.create(
      aBatchTest({ parallelism: 1, pod: RUNS_ON, spec: { activeDeadlineSeconds: 4, suspend: true } }),
    );
    const waiting = await world.untilCondition(uid, 'Suspended');
    expect(waiting.status?.startTime).toBeUndefined();
    // Longer than the deadline.
    await world.recorder.untilQuietFor(5_000);
    expect(carrierCreations(world.recorder.changes(), uid).size).toBe(0);
    await edit(world, { suspend: false });
    await untilRunning(world, uid, 1);
    await edit(world, { suspend: true });
    await world.untilCondition(uid, 'Suspended');
    await world.recorder.untilQuietFor(5_000);
    expect(conditionOf(lastOf(world.recorder.changes(), uid), 'Failed')).toBeUndefined();
    await edit(world, { suspend: false });
    const object = await world.untilCondition(uid, 'Failed');
    expect(conditionOf(object, 'Failed')?.reason).toBe('DeadlineExceeded');
    const { startTime = '', completionTime = '' } = object.status ?? {};
    // Both are rounded down to seconds.
    expect(Date.parse(completionTime) - Date.parse(startTime)).toBeGreaterThanOrEqual(4_000);
    expect(await outcomes(world, uid)).toEqual([
      'v0/0#1 Cancelled RunSuspended',
      'v0/0#2 Cancelled DeadlineExceeded',
    ]);
  });

  it('outlives the operator, and can be ended by cancelling', async () => {
    const world = await site.aWorld('suspend-cancel');
    const operator = await world.startOperator();
    const uid = await world.create(aBatchTest({ variants: 3, parallelism: 2, pod: RUNS_ON }));
    await untilRunning(world, uid, 2);
    await edit(world, { suspend: true });
    await world.untilCondition(uid, 'Suspended');
    await untilNothingIsLeft(world, uid);
    await operator.kill();
    const revision = Number(lastOf(world.recorder.changes(), uid)?.metadata.resourceVersion);
    await (await world.startOperator()).untilReady();
    await world.recorder.untilQuietFor(2_000);
    expect(createdAfter(world.recorder.changes(), uid, revision)).toEqual([]);
    await edit(world, { cancel: true });
    await world.untilCondition(uid, 'Cancelled');
    expect(await world.storedRun(uid)).toMatchObject({ state: 'Cancelled', cancelled: 3 });
  });
});

describe('parallelism', () => {
  it('that is raised starts more at once; lowered, it lets what runs finish', async () => {
    const world = await site.aWorld('drain');
    await world.startOperator();
    const uid = await world.create(aBatchTest({ variants: 12, parallelism: 2, pod: RUNS_ON }));
    await untilRunning(world, uid, 2);
    await edit(world, { parallelism: 6 });
    const running = await untilRunning(world, uid, 6);
    await world.cluster.request('PATCH', world.path('cache', 'scale'), { spec: { replicas: 2 } });
    await world.recorder.untilQuietFor(2_000);
    expect(runningPods(world.recorder.changes(), uid)).toHaveLength(6);
    for (const pod of running.slice(0, 4)) await world.endPod(pod, { exitCode: 0, message: measured(1) });
    await untilSucceeded(world, uid, 4);
    await world.recorder.untilQuietFor(1_500);
    expect(carrierCreations(world.recorder.changes(), uid).size).toBe(6);
    const [last] = running.slice(4);
    if (last !== undefined) await world.endPod(last, { exitCode: 0, message: measured(1) });
    await untilJobsCreated(world, uid, 7);
    await untilRunning(world, uid, 2);
    expect(creationsAboveParallelism(world.recorder.changes(), uid)).toEqual([]);
    expect(await outcomes(world, uid)).toHaveLength(5);
  });

  it('that is lowered with scaleDownPolicy Preempt ends the youngest, which are run again later', async () => {
    const world = await site.aWorld('preempt');
    await world.startOperator();
    const uid = await world.create(
      aBatchTest({
        variants: 4,
        parallelism: 1,
        pod: RUNS_ON,
        spec: { scaleDownPolicy: 'Preempt', retryPolicy: { limit: 0 } },
      }),
    );
    const [oldest] = await untilRunning(world, uid, 1);
    // Times of pods are whole seconds.
    await world.recorder.untilQuietFor(1_100);
    await edit(world, { parallelism: 4 });
    await untilRunning(world, uid, 4);
    await edit(world, { parallelism: 1 });
    const [survivor] = await untilRunning(world, uid, 1);
    expect(survivor?.metadata.uid).toBe(oldest?.metadata.uid);
    await world.recorder.until('those that were ended are gone', (changes) =>
      present(changes, uid, 'Job').length === 1 && present(changes, uid, 'Pod').length === 1
        ? true
        : undefined,
    );
    expect(await outcomes(world, uid)).toHaveLength(3);
    for (const line of await outcomes(world, uid)) expect(line).toMatch(/#1 Cancelled Preempted$/);
    expect(lastOf(world.recorder.changes(), uid)?.status?.trials).toMatchObject({ failed: 0, cancelled: 0 });

    await edit(world, { parallelism: 4 });
    for (const pod of await untilRunning(world, uid, 4))
      await world.endPod(pod, { exitCode: 0, message: measured(1) });
    await world.untilCondition(uid, 'Complete');
    const lines = await outcomes(world, uid);
    expect(lines.filter((line) => line.endsWith('#2 Succeeded Completed'))).toHaveLength(3);
    expect(lines.filter((line) => line.endsWith('#1 Succeeded Completed'))).toHaveLength(1);
    expect(creationsAboveParallelism(world.recorder.changes(), uid)).toEqual([]);
  });

  it('of 0 with scaleDownPolicy Preempt ends everything, and the run goes on when it is raised', async () => {
    const world = await site.aWorld('preempt-all');
    await world.startOperator();
    const uid = await world.create(
      aBatchTest({ variants: 2, parallelism: 2, pod: RUNS_ON, spec: { scaleDownPolicy: 'Preempt' } }),
    );
    await untilRunning(world, uid, 2);
    await edit(world, { parallelism: 0 });
    await untilNothingIsLeft(world, uid);
    await untilProgress(world, uid, 'Paused');
    await edit(world, { parallelism: 2 });
    for (const pod of await untilRunning(world, uid, 2))
      await world.endPod(pod, { exitCode: 0, message: measured(1) });
    await world.untilCondition(uid, 'Complete');
  });
});

it('starts no more than maxPending ahead of what runs, and says so', async () => {
  const world = await site.aWorld('max-pending');
  await world.startOperator();
  const uid = await world.create(
    aBatchTest({
      variants: 12,
      parallelism: 10,
      pod: RUNS_ON,
      spec: { maxPending: 3, template: nowhereToRun(RUNS_ON) },
    }),
  );
  const waiting = await untilProgress(world, uid, 'WaitingForStart');
  await world.recorder.until('its message has the scheduler’s words', (changes) =>
    /^3 trials have not started: Unschedulable: 0\/3 nodes/.test(
      conditionOf(lastOf(changes, uid), 'Progressing')?.message ?? '',
    )
      ? true
      : undefined,
  );
  expect(conditionOf(waiting, 'Progressing')?.status).toBe('True');
  await world.recorder.untilQuietFor(2_000);
  expect(carrierCreations(world.recorder.changes(), uid).size).toBe(3);

  const [pod] = lastPods(world.recorder.changes(), uid).values();
  const { name = '' } = pod?.metadata ?? {};
  await world.cluster.request('POST', `/api/v1/namespaces/${world.namespace}/pods/${name}/binding`, {
    metadata: { name },
    target: { apiVersion: 'v1', kind: 'Node', name: 'node-a' },
  });
  await untilRunning(world, uid, 1);
  await untilJobsCreated(world, uid, 4);
  const held = await untilProgress(world, uid, 'MaxPending');
  expect(conditionOf(held, 'Progressing')?.message).toContain('no more than 3 may wait to start');
  await world.recorder.untilQuietFor(1_500);
  expect(carrierCreations(world.recorder.changes(), uid).size).toBe(4);
});

describe('while the result store is away', () => {
  /** Three trials run, `done` among them, and the store is away from then on. */
  async function cutOff(name: string) {
    const world = await site.aWorld(name);
    const store = await aGateToTheStore(world);
    await store.gate.open();
    const operator = await world.startOperator({ databaseUrl: store.url });
    const uid = await world.create(
      aBatchTest({ variants: ['done', 'a', 'b'], parallelism: 3, pod: RUNS_ON }),
    );
    await untilRunning(world, uid, 3);
    await store.gate.shut();
    return { world, store, operator, uid };
  }

  /** Nothing of that is told before it is stored. */
  async function untilLivePodsAreGone({ world, uid }: Awaited<ReturnType<typeof cutOff>>): Promise<void> {
    await world.recorder.until('the live pods are gone', (changes) =>
      present(changes, uid, 'Pod').length === 1 ? true : undefined,
    );
    expect(conditionOf(lastOf(world.recorder.changes(), uid), 'Cancelled')).toBeUndefined();
  }

  const CANCELLED_BUT_DONE = [
    'a/0#1 Cancelled RunCancelled',
    'b/0#1 Cancelled RunCancelled',
    'done/0#1 Succeeded Completed',
  ];

  it('cancelling ends the pods at once, and the run is recorded as cancelled when the store is back', async () => {
    const cut = await cutOff('cancel-away');
    const { world, store, uid } = cut;
    // Its result is in its pod alone, and must not be lost by the cancel.
    await world.endPod(await untilVariantRuns(world, uid, 'done'), { exitCode: 0, message: measured(4) });
    await world.untilCondition(uid, 'ResultStoreAvailable', 'False');
    await edit(world, { cancel: true });
    await untilLivePodsAreGone(cut);
    expect(await world.storedAttempts(uid)).toEqual([]);
    await store.gate.open();
    await world.untilCondition(uid, 'Cancelled');
    expect(await outcomes(world, uid)).toEqual(CANCELLED_BUT_DONE);
    expect(await world.storedRun(uid)).toMatchObject({ state: 'Cancelled', succeeded: 1, cancelled: 2 });
    await untilNothingIsLeft(world, uid);
  });

  it('cancelling ends the pods also when the operator was started anew meanwhile', async () => {
    const cut = await cutOff('cancel-restart');
    const { world, store, operator, uid } = cut;
    await operator.kill();
    await world.endPod(await untilVariantRuns(world, uid, 'done'), { exitCode: 0, message: measured(4) });
    await edit(world, { cancel: true });
    await world.startOperator({ databaseUrl: store.url });
    await untilLivePodsAreGone(cut);
    await store.gate.open();
    await world.untilCondition(uid, 'Cancelled');
    expect(await outcomes(world, uid)).toEqual(CANCELLED_BUT_DONE);
    await untilNothingIsLeft(world, uid);
  }, 120_000);

  it('cancelling does not wait for one that does not answer, and what had ended before is stored when it does', async () => {
    const world = await site.aWorld('cancel-silent');
    const store = await aGateToTheStore(world);
    await store.gate.open();
    await world.startOperator({ databaseUrl: store.url });
    const uid = await world.create(
      aBatchTest({ variants: ['done', 'a', 'b'], repetitions: 2, parallelism: 3, pod: RUNS_ON }),
    );
    await untilRunning(world, uid, 3);
    await world.endPod(await untilVariantRuns(world, uid, 'done'), { exitCode: 0, message: measured(3) });
    await world.recorder.until('it is stored', (changes) =>
      lastOf(changes, uid)?.status?.trials?.succeeded === 1 ? true : undefined,
    );
    const running = await untilRunning(world, uid, 3);
    store.gate.freeze();
    const [ended] = running;
    if (ended !== undefined) await world.endPod(ended, { exitCode: 0, message: measured(4) });
    await edit(world, { cancel: true });
    // A statement is given up after 35 s.
    await world.recorder.until(
      'the live pods are gone',
      (changes) =>
        present(changes, uid, 'Pod').every((name) => name === ended?.metadata.name) ? true : undefined,
      25_000,
    );
    expect(present(world.recorder.changes(), uid, 'Pod')).toHaveLength(1);
    expect(conditionOf(lastOf(world.recorder.changes(), uid), 'Cancelled')).toBeUndefined();
    store.gate.thaw();
    await world.recorder.until(
      'it is cancelled',
      (changes) => (conditionOf(lastOf(changes, uid), 'Cancelled')?.status === 'True' ? true : undefined),
      60_000,
    );
    expect(await world.storedRun(uid)).toMatchObject({ state: 'Cancelled', succeeded: 2, cancelled: 4 });
    expect((await outcomes(world, uid)).filter((text) => text.includes('RunCancelled'))).toHaveLength(2);
    await untilNothingIsLeft(world, uid);
  }, 120_000);

  it('cancelling does not wait for one that opens none of many other runs', async () => {
    const world = await site.aWorld('cancel-behind-many');
    const store = await aGateToTheStore(world);
    await store.gate.open();
    await world.startOperator({ databaseUrl: store.url });
    const uid = await world.create(aBatchTest({ variants: 2, parallelism: 2, pod: RUNS_ON }));
    await untilRunning(world, uid, 2);
    store.gate.freeze();
    const others = Array.from({ length: 40 }, (_, index) =>
      aBatchTest({ name: `other-${index}`, parallelism: 1, pod: ENDS_SOON }),
    );
    await Promise.all(others.map((other) => world.create(other)));
    await edit(world, { cancel: true });
    // Eight of them are looked at at once, and a connection alone is given up after 10 s.
    await world.recorder.until(
      'the live pods are gone',
      (changes) => (present(changes, uid, 'Pod').length === 0 ? true : undefined),
      30_000,
    );
    expect(conditionOf(lastOf(world.recorder.changes(), uid), 'Cancelled')).toBeUndefined();
    store.gate.thaw();
    await world.recorder.until(
      'it is cancelled',
      (changes) => (conditionOf(lastOf(changes, uid), 'Cancelled')?.status === 'True' ? true : undefined),
      60_000,
    );
    expect(await world.storedRun(uid)).toMatchObject({ state: 'Cancelled', cancelled: 2 });
  }, 120_000);

  it('a deleted object goes when the operator’s patience ends, with an event; the run is closed once the store is back', async () => {
    const world = await site.aWorld('delete-away');
    const store = await aGateToTheStore(world);
    await store.gate.open();
    const operator = await world.startOperator({
      databaseUrl: store.url,
      options: ['--deletion-patience', '3s'],
    });
    await operator.untilReady();
    const uid = await world.create(aBatchTest({ variants: 2, parallelism: 2, pod: RUNS_ON }));
    await untilRunning(world, uid, 2);
    await store.gate.shut();
    const askedAt = performance.now();
    await world.cluster.request('DELETE', world.path('cache'));
    const told = await world.recorder.until('the object says what it waits for', (changes) => {
      const object = lastOf(changes, uid);
      const isDeleted = object?.metadata.deletionTimestamp !== undefined;
      return isDeleted && conditionOf(object, 'ResultStoreAvailable')?.status === 'False'
        ? object
        : undefined;
    });
    expect(conditionOf(told, 'ResultStoreAvailable')?.reason).toMatch(/^Connection(Refused|Lost)$/);
    await untilNothingIsLeft(world, uid);
    await world.recorder.until('the object is gone', (changes) =>
      lastOf(changes, uid) === undefined ? true : undefined,
    );
    // A deletion's time is rounded down to a second.
    expect(performance.now() - askedAt).toBeGreaterThan(2_000);
    expect(await untilEvent(world, uid, 'ResultsAbandoned')).toMatchObject({ type: 'Warning' });
    expect(await world.storedRun(uid)).toMatchObject({ state: 'Running' });
    await store.gate.open();
    await expect
      .poll(() => world.storedRun(uid), { timeout: 30_000 })
      .toMatchObject({ state: 'Cancelled', reason: 'Deleted', cancelled: 2, pending: 0 });
  });

  it('a deleted object whose run was never opened goes as well', async () => {
    const world = await site.aWorld('delete-unopened');
    const store = await aGateToTheStore(world);
    await world.startOperator({ databaseUrl: store.url, options: ['--deletion-patience', '3s'] });
    const uid = await world.create(aBatchTest({ parallelism: 1, pod: RUNS_ON }));
    await untilProgress(world, uid, 'WaitingForResultStore');
    await world.remove('cache');
    expect(left(world.recorder.changes(), uid)).toBe(0);
  });
});
