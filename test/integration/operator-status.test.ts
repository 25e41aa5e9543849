/** What the object of a run says while it runs: conditions, counts, columns and events; and what a user may change meanwhile. */
import { afterAll, beforeAll, expect, inject, it } from 'vitest';
import { ANNOTATION_VARIANT_NAME } from '../../src/api/v1alpha1/constants.ts';
import {
  aBatchTest,
  ENDS_SOON,
  measured,
  type OperatorSite,
  type OperatorWorld,
  openOperatorSite,
  RUNS_ON,
} from './operator-world.ts';
import {
  carrierCreations,
  conditionOf,
  creationsAboveParallelism,
  endedPods,
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

it('tells of failed trials at once, in the object and by one event, also when it is killed in between', async () => {
  const world = await site.aWorld('failures');
  const operator = await world.startOperator();
  const uid = await world.create(
    aBatchTest({ variants: ['good', 'exits', 'hungry'], parallelism: 3, pod: RUNS_ON }),
  );
  await endPodOf(world, uid, 'exits', { exitCode: 3, message: 'out of cheese' });
  await world.recorder.until('the failure is told', (changes) =>
    lastOf(changes, uid)?.status?.trials?.failed === 1 ? true : undefined,
  );
  expect(conditionOf(lastOf(world.recorder.changes(), uid), 'Progressing')).toMatchObject({
    status: 'True',
    reason: 'Running',
  });
  await operator.kill();
  await endPodOf(world, uid, 'hungry', { exitCode: 137, reason: 'OOMKilled' });
  await endPodOf(world, uid, 'good', { exitCode: 0, message: measured(1) });
  await world.startOperator();

  const object = await world.untilCondition(uid, 'Failed');
  expect(conditionOf(object, 'Failed')).toMatchObject({
    reason: 'VariantsFailed',
    message: '2 of 3 variants failed (2 trials TestFailed)',
  });
  expect(object.status).toMatchObject({
    observedGeneration: 1,
    runUid: uid,
    trials: { total: 3, pending: 0, running: 0, succeeded: 1, failed: 2, cancelled: 0 },
    variants: { total: 3, succeeded: 1, failed: 2 },
    best: { name: 'good' },
  });
  expect(await world.storedAttempts(uid)).toMatchObject([
    {
      variant: 'exits',
      attempt: 1,
      outcome: 'TestFailed',
      message: 'exit code 3: out of cheese',
      exit_code: 3,
    },
    { variant: 'good', attempt: 1, outcome: 'Succeeded', exit_code: 0 },
    {
      variant: 'hungry',
      outcome: 'TestFailed',
      reason: 'OOMKilled',
      message: 'ran out of memory and was killed (exit code 137)',
    },
  ]);
  await world.recorder.until('the Job of the one that succeeded is gone', (changes) =>
    present(changes, uid, 'Job').length === 2 ? true : undefined,
  );
  expect(await eventsOf(world, uid, 3)).toEqual([
    'Failed: 2 of 3 variants failed (2 trials TestFailed)',
    'FirstTrialFailed: exits: TestFailed: NonZeroExitCode, exit code 3; batchtest report tells what the program said',
    'Started: 3 variants, 3 trials',
  ]);
});

it('can be paused, resumed and scaled while it runs; what runs then finishes', async () => {
  const world = await site.aWorld('scaled');
  await world.startOperator();
  const uid = await world.create(aBatchTest({ variants: 8, repetitions: 3, parallelism: 4, pod: ENDS_SOON }));
  const scaleTo = (replicas: number) =>
    world.cluster.request('PATCH', world.path('cache', 'scale'), { spec: { replicas } });
  await world.recorder.until('6 Jobs were created', (changes) =>
    carrierCreations(changes, uid).size >= 6 ? true : undefined,
  );
  await scaleTo(0);
  await world.recorder.until('it is paused', (changes) => {
    const { reason } = conditionOf(lastOf(changes, uid), 'Progressing') ?? {};
    return reason === 'Paused' && lastOf(changes, uid)?.status?.trials?.running === 0 ? true : undefined;
  });
  const { succeeded = 0, pending = 0 } = lastOf(world.recorder.changes(), uid)?.status?.trials ?? {};
  expect(succeeded).toBe(carrierCreations(world.recorder.changes(), uid).size);
  expect(pending).toBe(24 - succeeded);
  await world.recorder.untilQuietFor(1_500);
  expect(carrierCreations(world.recorder.changes(), uid).size).toBe(succeeded);

  expect(await scaleTo(6)).toMatchObject({ kind: 'Scale', spec: { replicas: 6 }, status: { replicas: 0 } });
  await world.recorder.until('6 run', (changes) =>
    liveTrials(changes, uid).some(({ live }) => live === 6) ? true : undefined,
  );
  await scaleTo(1);
  await world.untilCondition(uid, 'Complete');
  const changes = world.recorder.changes();
  expect(creationsAboveParallelism(changes, uid)).toEqual([]);
  expect([...carrierCreations(changes, uid).values()]).toEqual(Array(24).fill(1));
});

it('writes a status once a second at most, and counts that never go down', async () => {
  const world = await site.aWorld('rate');
  await world.startOperator();
  const uid = await world.create(
    aBatchTest({ variants: 10, repetitions: 4, parallelism: 4, pod: { ...ENDS_SOON, runMs: 50 } }),
  );
  await world.untilCondition(uid, 'Complete');
  // The object also changes when it is held and let go, its status then does not.
  const seen = world.recorder.changes().flatMap((change) => {
    const status = change.kind === 'BatchTest' && runOf(change) === uid ? change.object.status : undefined;
    return status === undefined ? [] : [{ status, at: change.at }];
  });
  const statuses = seen.filter(
    ({ status }, index) => JSON.stringify(status) !== JSON.stringify(seen[index - 1]?.status),
  );
  const seconds = ((statuses.at(-1)?.at ?? 0) - (statuses[0]?.at ?? 0)) / 1_000;
  // One at the start, one a second, and the last one, which is not held back.
  expect(statuses.length).toBeLessThanOrEqual(seconds + 2);
  expect(statuses.length).toBeGreaterThan(1);
  const done = statuses.map(({ status }) => status.trials?.succeeded ?? 0);
  expect(done).toEqual(done.toSorted((a, b) => a - b));
  expect(await eventsOf(world, uid, 2)).toEqual([
    'Complete: all 40 trials succeeded',
    'Started: 10 variants, 40 trials',
  ]);
});

it('F37: says as much of 2,000 variants as of two', async () => {
  const world = await site.aWorld('large');
  await world.startOperator();
  const { spec, ...manifest } = aBatchTest({ parallelism: 0, pod: ENDS_SOON });
  const { variants: _, ...rest } = spec;
  const values = (count: number) => Array.from({ length: count }, (_, index) => `value-${index}`);
  const parameters = [
    { name: 'CACHE', values: values(8) },
    { name: 'POLICY', values: values(250) },
  ];
  const uid = await world.create({ ...manifest, spec: { ...rest, matrix: { parameters } } });
  const object = await world.recorder.until('it is paused', (changes) => {
    const last = lastOf(changes, uid);
    return conditionOf(last, 'Progressing')?.reason === 'Paused' ? last : undefined;
  });
  expect(object?.status?.variants).toEqual({ total: 2_000, succeeded: 0, failed: 0 });
  expect(Buffer.byteLength(JSON.stringify(object?.status))).toBeLessThan(8 * 1_024);
  expect(await world.storedRun(uid)).toMatchObject({ state: 'Running', pending: 2_000 });
});

it('ends a trial that is over its deadline, records that, and gives its slot to the next', async () => {
  const world = await site.aWorld('deadline');
  await world.startOperator();
  const uid = await world.create(
    aBatchTest({ variants: 2, parallelism: 1, trialDeadlineSeconds: 1, pod: RUNS_ON }),
  );
  const object = await world.untilCondition(uid, 'Failed');
  expect(conditionOf(object, 'Failed')?.message).toBe('2 of 2 variants failed (2 trials TimedOut)');
  const timedOut = { attempt: 1, outcome: 'TimedOut', reason: 'DeadlineExceeded', exit_code: null };
  expect(await world.storedAttempts(uid)).toMatchObject([timedOut, timedOut]);
  expect((await world.storedAttempts(uid))[0]?.message).toBe(
    'did not end within 1 s (spec.trialDeadlineSeconds)',
  );
  await world.recorder.until('nothing is left', (changes) =>
    present(changes, uid, 'Pod').length + present(changes, uid, 'Job').length === 0 ? true : undefined,
  );
  const changes = world.recorder.changes();
  expect(creationsAboveParallelism(changes, uid)).toEqual([]);
  expect(carrierCreations(changes, uid).size).toBe(2);
  expect(endedPods(changes, uid).size).toBe(0);
});

it('ends a run whose object is deleted in the foreground, and keeps what was stored', async () => {
  const world = await site.aWorld('foreground');
  await world.startOperator();
  const uid = await world.create(aBatchTest({ variants: ['done', 'a', 'b'], parallelism: 3, pod: RUNS_ON }));
  await endPodOf(world, uid, 'done', { exitCode: 0, message: measured(4) });
  await world.recorder.until('one succeeded', (changes) =>
    lastOf(changes, uid)?.status?.trials?.succeeded === 1 ? true : undefined,
  );
  await world.cluster.request('DELETE', world.path('cache'), { propagationPolicy: 'Foreground' });
  await world.recorder.until('the object, its Jobs and pods are gone', (changes) =>
    lastOf(changes, uid) === undefined &&
    present(changes, uid, 'Pod').length + present(changes, uid, 'Job').length === 0
      ? true
      : undefined,
  );
  await expect
    .poll(() => world.storedRun(uid), { timeout: 20_000 })
    .toMatchObject({ state: 'Cancelled', succeeded: 1, cancelled: 2, pending: 0 });
});

/** Plays the end of the pod of a variant, once it runs. */
async function endPodOf(
  world: OperatorWorld,
  uid: string,
  variant: string,
  end: Parameters<OperatorWorld['endPod']>[1],
): Promise<void> {
  const pod = await world.recorder.until(`the pod of ${variant} runs`, (changes) => {
    const running = changes.find(
      (change) =>
        change.kind === 'Pod' &&
        runOf(change) === uid &&
        change.object.metadata.annotations?.[ANNOTATION_VARIANT_NAME] === variant &&
        change.object.status?.phase === 'Running',
    );
    return running?.kind === 'Pod' ? running.object : undefined;
  });
  await world.endPod(pod, end);
}

interface EventObject {
  readonly reason: string;
  readonly note: string;
  readonly regarding: { readonly uid?: string };
}

/** `reason: note` of the events about a run, sorted, once there are as many as expected. */
async function eventsOf(world: OperatorWorld, uid: string, expected: number): Promise<readonly string[]> {
  const path = `/apis/events.k8s.io/v1/namespaces/${world.namespace}/events`;
  const read = async () => {
    const { items } = await world.cluster.request<{ items: readonly EventObject[] }>('GET', path);
    return items.filter(({ regarding }) => regarding.uid === uid);
  };
  await expect.poll(read, { timeout: 10_000 }).toHaveLength(expected);
  return (await read()).map(({ reason, note }) => `${reason}: ${note}`).sort();
}
