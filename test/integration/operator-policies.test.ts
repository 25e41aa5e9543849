/** What a run does about what goes wrong: another attempt, the end of a variant, the end of the run; and what is left of it afterwards. */
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import type { PodObject } from '../../src/engine/kubernetes/kubernetes-objects.ts';
import {
  aQuota,
  edit,
  lastPods,
  nowhereToRun,
  outcomes,
  untilJobsCreated,
  untilNothingIsLeft,
  untilProgress,
  untilRunning,
  untilVariantRuns,
} from './operator-steps.ts';
import {
  aBatchTest,
  ENDS_SOON,
  measured,
  type OperatorSite,
  type OperatorWorld,
  openOperatorSite,
  RUNS_ON,
} from './operator-world.ts';
import { conditionOf, lastOf, liveTrials, present, runOf } from './watch-recorder.ts';

const SUCCEEDS = { exitCode: 0, message: measured(1) };

let site: OperatorSite;
beforeAll(async () => {
  site = await openOperatorSite(inject('controlPlane'));
});
afterAll(() => site?.close());

describe('another attempt', () => {
  it('follows the outcomes that retryPolicy names, ever later and up to its limit', async () => {
    const world = await site.aWorld('retry');
    await world.startOperator();
    const uid = await world.create(
      aBatchTest({
        variants: ['recovers', 'never'],
        parallelism: 2,
        pod: RUNS_ON,
        spec: {
          retryPolicy: { limit: 2, backoffSeconds: 1, maxBackoffSeconds: 2, outcomes: ['TestFailed'] },
        },
      }),
    );
    const play = async (variant: string, ends: readonly { readonly exitCode: number }[]) => {
      const before: PodObject[] = [];
      for (const end of ends) {
        const pod = await untilVariantRuns(world, uid, variant, before);
        before.push(pod);
        await world.endPod(pod, end);
      }
    };
    await Promise.all([
      play('recovers', [{ exitCode: 1 }, { exitCode: 1 }, SUCCEEDS]),
      play('never', [{ exitCode: 3 }, { exitCode: 3 }, { exitCode: 3 }]),
    ]);
    const object = await world.untilCondition(uid, 'Failed');
    expect(object.status?.variants).toEqual({ total: 2, succeeded: 1, failed: 1 });
    expect(await outcomes(world, uid)).toEqual([
      'never/0#1 TestFailed NonZeroExitCode',
      'never/0#2 TestFailed NonZeroExitCode',
      'never/0#3 TestFailed NonZeroExitCode',
      'recovers/0#1 TestFailed NonZeroExitCode',
      'recovers/0#2 TestFailed NonZeroExitCode',
      'recovers/0#3 Succeeded Completed',
    ]);
    const waits = await waitsBeforeRetries(world, uid);
    expect(waits).toHaveLength(4);
    // Back-offs are shortened by up to a half; and what is measured is when the recorder heard of it.
    for (const { attempt, ms } of waits) expect(ms).toBeGreaterThanOrEqual(attempt === 2 ? 300 : 700);
  });

  it('follows no failure of the program unless asked, and names one that ran out of memory', async () => {
    const world = await site.aWorld('no-retry');
    await world.startOperator();
    const uid = await world.create(
      aBatchTest({ variants: ['hungry', 'silent'], parallelism: 2, pod: RUNS_ON }),
    );
    await world.endPod(await untilVariantRuns(world, uid, 'hungry'), { exitCode: 137, reason: 'OOMKilled' });
    await world.endPod(await untilVariantRuns(world, uid, 'silent'), { exitCode: 0 });
    const object = await world.untilCondition(uid, 'Failed');
    expect(conditionOf(object, 'Failed')?.reason).toBe('VariantsFailed');
    expect(await outcomes(world, uid)).toEqual([
      'hungry/0#1 TestFailed OOMKilled',
      'silent/0#1 ResultInvalid NoResult',
    ]);
  });

  it('follows an eviction, a drained or lost node and a deleted pod, none of which is the program’s failure', async () => {
    const world = await site.aWorld('disruption');
    await world.startOperator();
    const uid = await world.create(
      aBatchTest({
        variants: ['deleted', 'drained', 'evicted', 'lost'],
        parallelism: 4,
        pod: RUNS_ON,
        spec: { retryPolicy: { backoffSeconds: 0 } },
      }),
    );
    const pods = new Map<string, PodObject>();
    for (const variant of ['deleted', 'drained', 'evicted', 'lost'])
      pods.set(variant, await untilVariantRuns(world, uid, variant));
    const path = (variant: string) =>
      `/api/v1/namespaces/${world.namespace}/pods/${pods.get(variant)?.metadata.name}`;
    const disrupted = (reason: string) => ({
      type: 'DisruptionTarget',
      status: 'True',
      reason,
      message: `by a test: ${reason}`,
      lastTransitionTime: new Date().toISOString(),
    });
    const killed = {
      containerStatuses: [
        {
          name: 'test',
          image: 'test',
          imageID: '',
          ready: false,
          restartCount: 0,
          state: { terminated: { exitCode: 137, reason: 'Error', finishedAt: new Date().toISOString() } },
        },
      ],
    };
    const patchStatus = (variant: string, status: object) =>
      world.cluster.request('PATCH', `${path(variant)}/status`, { status });
    await world.cluster.request('DELETE', path('deleted'));
    // The kubelet ends the program, and the Job waits for that to be told.
    const deletedPod = pods.get('deleted');
    if (deletedPod !== undefined) await world.endPod(deletedPod, { exitCode: 143 });
    await patchStatus('drained', {
      phase: 'Failed',
      conditions: [disrupted('EvictionByEvictionAPI')],
      ...killed,
    });
    await patchStatus('evicted', { phase: 'Failed', reason: 'Evicted', message: 'low on memory' });
    // A node that is lost: its pods are tainted out, and nobody ever says how their containers ended.
    await patchStatus('lost', { phase: 'Failed', conditions: [disrupted('DeletionByTaintManager')] });
    for (const [variant, pod] of pods)
      await world.endPod(await untilVariantRuns(world, uid, variant, [pod]), SUCCEEDS);
    await world.untilCondition(uid, 'Complete');
    expect(await outcomes(world, uid)).toEqual([
      'deleted/0#1 Infrastructure PodDeleted',
      'deleted/0#2 Succeeded Completed',
      'drained/0#1 Infrastructure EvictionByEvictionAPI',
      'drained/0#2 Succeeded Completed',
      'evicted/0#1 Infrastructure Evicted',
      'evicted/0#2 Succeeded Completed',
      'lost/0#1 Infrastructure DeletionByTaintManager',
      'lost/0#2 Succeeded Completed',
    ]);
  });

  it('is decided by failurePolicy where one of its rules has the exit code', async () => {
    const world = await site.aWorld('failure-policy');
    await world.startOperator();
    const uid = await world.create(
      aBatchTest({
        variants: ['fails', 'ignored', 'retried'],
        repetitions: 2,
        parallelism: 3,
        pod: RUNS_ON,
        spec: {
          retryPolicy: { limit: 1, backoffSeconds: 0 },
          failurePolicy: {
            rules: [
              { action: 'FailVariant', onExitCodes: { operator: 'In', values: [42] } },
              { action: 'Ignore', onExitCodes: { operator: 'In', values: [43] } },
              { action: 'Retry', onExitCodes: { operator: 'NotIn', values: [1, 2] } },
            ],
          },
        },
      }),
    );
    // Plays whatever runs by what its variant has come to so far.
    const ended = new Set<string>();
    const starts = new Map<string, number>();
    const playNext = async () => {
      const pod = await world.recorder.until('a pod runs', (changes) =>
        [...lastPods(changes, uid).values()].find(
          ({ metadata, status }) => status?.phase === 'Running' && !ended.has(metadata.uid),
        ),
      );
      ended.add(pod.metadata.uid);
      const variant = pod.metadata.annotations?.['batchtest.dev/variant-name'] ?? '';
      const trial = `${variant}/${pod.metadata.labels?.['batchtest.dev/repetition']}`;
      const start = (starts.get(trial) ?? 0) + 1;
      starts.set(trial, start);
      const exitCode =
        variant === 'fails' ? 42 : variant === 'ignored' ? (start <= 3 ? 43 : 0) : start <= 2 ? 7 : 0;
      await world.endPod(pod, exitCode === 0 ? SUCCEEDS : { exitCode });
    };
    const isOver = () => conditionOf(lastOf(world.recorder.changes(), uid), 'Failed') !== undefined;
    while (!isOver())
      await Promise.race([playNext().catch(() => undefined), world.untilCondition(uid, 'Failed')]);
    const lines = await outcomes(world, uid);
    const of = (variant: string) => lines.filter((line) => line.startsWith(`${variant}/`));
    // Ignored failures use up no attempt; the rule for retries takes what the limit allows.
    expect(of('ignored')).toEqual(
      [0, 1].flatMap((repetition) => [
        ...[1, 2, 3].map((attempt) => `ignored/${repetition}#${attempt} TestFailed NonZeroExitCode`),
        `ignored/${repetition}#4 Succeeded Completed`,
      ]),
    );
    expect(of('retried')).toEqual(
      [0, 1].flatMap((repetition) =>
        [1, 2].map((attempt) => `retried/${repetition}#${attempt} TestFailed NonZeroExitCode`),
      ),
    );
    // The other repetition was not run, or was ended.
    expect(of('fails').filter((line) => line.includes('TestFailed'))).toHaveLength(1);
    expect(of('fails').every((line) => /TestFailed|VariantFailed/.test(line))).toBe(true);
    expect(await world.storedRun(uid)).toMatchObject({ state: 'Failed', succeeded: 2, pending: 0 });
    expect(lastOf(world.recorder.changes(), uid)?.status?.variants).toEqual({
      total: 3,
      succeeded: 1,
      failed: 2,
    });
  });
});

describe('deadlines', () => {
  it('of the run end it as Failed, with its pods', async () => {
    const world = await site.aWorld('run-deadline');
    await world.startOperator();
    const uid = await world.create(
      aBatchTest({ variants: 4, parallelism: 3, pod: RUNS_ON, spec: { activeDeadlineSeconds: 5 } }),
    );
    const [first] = await untilRunning(world, uid, 3);
    if (first !== undefined) await world.endPod(first, SUCCEEDS);
    const object = await world.untilCondition(uid, 'Failed');
    expect(conditionOf(object, 'Failed')).toMatchObject({
      reason: 'DeadlineExceeded',
      message: 'the run was active for longer than spec.activeDeadlineSeconds, with 1 of 4 trials done',
    });
    await untilNothingIsLeft(world, uid);
    expect(await world.storedRun(uid)).toMatchObject({
      state: 'Failed',
      reason: 'DeadlineExceeded',
      succeeded: 1,
      cancelled: 3,
      failed: 0,
    });
  });

  it('of a start name what the pod waited for: a node', async () => {
    const world = await site.aWorld('unschedulable');
    await world.startOperator();
    const uid = await world.create(
      aBatchTest({
        parallelism: 1,
        pod: RUNS_ON,
        spec: { template: nowhereToRun(RUNS_ON), retryPolicy: { limit: 1, backoffSeconds: 0 } },
      }),
    );
    await world.recorder.until(
      'the object says what it waits for',
      (changes) =>
        conditionOf(lastOf(changes, uid), 'Progressing')?.message?.includes('Unschedulable') || undefined,
    );
    await edit(world, { trialStartDeadlineSeconds: 3 });
    const object = await world.untilCondition(uid, 'Failed');
    expect(conditionOf(object, 'Failed')?.reason).toBe('InfrastructureFailed');
    expect(await outcomes(world, uid)).toEqual([
      'v0/0#1 Infrastructure StartDeadlineExceeded',
      'v0/0#2 Infrastructure StartDeadlineExceeded',
    ]);
    expect((await world.storedAttempts(uid))[0]?.message).toMatch(
      /^did not start within 3 s \(spec\.trialStartDeadlineSeconds\); last seen: Unschedulable: 0\/3 nodes/,
    );
    await untilNothingIsLeft(world, uid);
  });

  it('of a start name what the pod waited for: its image', async () => {
    const world = await site.aWorld('image-pull');
    await world.startOperator();
    const uid = await world.create(
      aBatchTest({
        parallelism: 1,
        pod: RUNS_ON,
        spec: { template: nowhereToRun(RUNS_ON), retryPolicy: { limit: 0 } },
      }),
    );
    const pod = await world.recorder.until('the pod is there', (changes) =>
      [...lastPods(changes, uid).values()].find(({ status }) => status?.conditions !== undefined),
    );
    await world.cluster.request(
      'PATCH',
      `/api/v1/namespaces/${world.namespace}/pods/${pod.metadata.name}/status`,
      {
        status: {
          containerStatuses: [
            {
              name: 'test',
              image: 'test:1',
              imageID: '',
              ready: false,
              restartCount: 0,
              state: { waiting: { reason: 'ImagePullBackOff', message: 'Back-off pulling image "test:1"' } },
            },
          ],
        },
      },
    );
    await world.recorder.until('the object says what it waits for', (changes) =>
      conditionOf(lastOf(changes, uid), 'Progressing')?.message ===
      '1 trial has not started: ImagePullBackOff: Back-off pulling image "test:1"'
        ? true
        : undefined,
    );
    await edit(world, { trialStartDeadlineSeconds: 1 });
    await world.untilCondition(uid, 'Failed');
    expect(await world.storedAttempts(uid)).toMatchObject([
      {
        outcome: 'Infrastructure',
        reason: 'StartDeadlineExceeded',
        message:
          'did not start within 1 s (spec.trialStartDeadlineSeconds); last seen: ImagePullBackOff: Back-off pulling image "test:1"',
      },
    ]);
    await untilNothingIsLeft(world, uid);
  });

  it('of a start say when a pod could not even be made', async () => {
    const world = await site.aWorld('no-pods');
    await aQuota(world, { pods: '0' });
    await world.startOperator();
    const uid = await world.create(
      aBatchTest({
        parallelism: 1,
        pod: RUNS_ON,
        spec: { trialStartDeadlineSeconds: 3, retryPolicy: { limit: 0 } },
      }),
    );
    await world.recorder.until(
      'its status says why',
      (changes) =>
        conditionOf(lastOf(changes, uid), 'Progressing')?.message?.includes('PodNotCreated') || undefined,
    );
    await world.untilCondition(uid, 'Failed');
    expect(await outcomes(world, uid)).toEqual(['v0/0#1 Infrastructure StartDeadlineExceeded']);
    expect((await world.storedAttempts(uid))[0]?.message).toContain('last seen: PodNotCreated');
    await untilNothingIsLeft(world, uid);
  });

  it('of a start that are lowered meanwhile hold at once', async () => {
    const world = await site.aWorld('start-deadline-edit');
    await world.startOperator();
    const uid = await world.create(
      aBatchTest({
        parallelism: 1,
        pod: RUNS_ON,
        spec: { template: nowhereToRun(RUNS_ON), retryPolicy: { limit: 0 } },
      }),
    );
    await untilProgress(world, uid, 'WaitingForStart');
    await edit(world, { trialStartDeadlineSeconds: 1 });
    await world.untilCondition(uid, 'Failed');
  });
});

describe('maxFailedVariants', () => {
  it('of 0 ends the run with the first variant that fails', async () => {
    const world = await site.aWorld('fail-fast');
    await world.startOperator();
    const uid = await world.create(
      aBatchTest({
        variants: ['bad', 'b', 'c', 'd'],
        parallelism: 4,
        pod: RUNS_ON,
        spec: { maxFailedVariants: 0 },
      }),
    );
    await untilRunning(world, uid, 4);
    await world.endPod(await untilVariantRuns(world, uid, 'bad'), { exitCode: 1 });
    const object = await world.untilCondition(uid, 'Failed');
    expect(conditionOf(object, 'Failed')).toMatchObject({
      reason: 'TooManyFailedVariants',
      message: '1 variant failed, more than spec.maxFailedVariants (0) allows, with 1 of 4 trials done',
    });
    expect(await world.storedRun(uid)).toMatchObject({ state: 'Failed', failed: 1, cancelled: 3 });
    await world.recorder.until('only the Job of the failed one is left', (changes) =>
      present(changes, uid, 'Job').length === 1 && liveTrials(changes, uid).at(-1)?.live === 0
        ? true
        : undefined,
    );
  });

  it('allows as many as it says, and not one more', async () => {
    const world = await site.aWorld('max-failed');
    await world.startOperator();
    const uid = await world.create(
      aBatchTest({
        variants: ['a', 'b', 'c', 'd'],
        parallelism: 2,
        pod: RUNS_ON,
        spec: { maxFailedVariants: 1 },
      }),
    );
    const [first, second] = await untilRunning(world, uid, 2);
    if (first === undefined || second === undefined) throw new Error('unreachable: two were waited for');
    await world.endPod(first, { exitCode: 1 });
    await untilJobsCreated(world, uid, 3);
    await untilProgress(world, uid, 'Running');
    await untilRunning(world, uid, 2);
    await world.endPod(second, { exitCode: 1 });
    const object = await world.untilCondition(uid, 'Failed');
    expect(conditionOf(object, 'Failed')?.reason).toBe('TooManyFailedVariants');
    const stored = await world.storedRun(uid);
    expect(stored).toMatchObject({ failed: 2, succeeded: 0, cancelled: 2 });
  });
});

describe('podCleanupPolicy', () => {
  it.each([
    ['Succeeded', ['bad']],
    ['Always', []],
    ['Never', ['bad', 'good']],
  ] as const)('%s keeps the Jobs of %j', async (podCleanupPolicy, kept) => {
    const world = await site.aWorld(`cleanup-${podCleanupPolicy.toLowerCase()}`);
    await world.startOperator();
    const uid = await world.create(
      aBatchTest({ variants: ['good', 'bad'], parallelism: 2, pod: RUNS_ON, spec: { podCleanupPolicy } }),
    );
    await world.endPod(await untilVariantRuns(world, uid, 'good'), SUCCEEDS);
    await world.endPod(await untilVariantRuns(world, uid, 'bad'), { exitCode: 1 });
    await world.untilLetGo(uid);
    await world.recorder.until('what goes is gone', (changes) =>
      present(changes, uid, 'Job').length === kept.length &&
      present(changes, uid, 'Pod').length === kept.length
        ? true
        : undefined,
    );
    await world.recorder.untilQuietFor(1_500);
    const variants = [...lastPods(world.recorder.changes(), uid).values()].map(
      ({ metadata }) => metadata.annotations?.['batchtest.dev/variant-name'],
    );
    expect(variants.sort()).toEqual([...kept].sort());
    // Whatever is kept goes with the object.
    await world.remove('cache');
    await untilNothingIsLeft(world, uid);
    expect(await world.storedRun(uid)).toMatchObject({ state: 'Failed', succeeded: 1, failed: 1 });
  });
});

describe('ttlSecondsAfterFinished', () => {
  it('lets the object go, with what was kept of it; the results stay', async () => {
    const world = await site.aWorld('ttl');
    await world.startOperator();
    const uid = await world.create(
      aBatchTest({
        variants: ['good', 'bad'],
        parallelism: 2,
        pod: RUNS_ON,
        spec: { ttlSecondsAfterFinished: 3 },
      }),
    );
    await world.endPod(await untilVariantRuns(world, uid, 'good'), SUCCEEDS);
    await world.endPod(await untilVariantRuns(world, uid, 'bad'), { exitCode: 1 });
    await world.untilLetGo(uid);
    const endedAt = performance.now();
    await world.recorder.until('the object is gone', (changes) =>
      lastOf(changes, uid) === undefined ? true : undefined,
    );
    // Times of conditions are whole seconds.
    expect(performance.now() - endedAt).toBeGreaterThan(1_500);
    await untilNothingIsLeft(world, uid);
    expect(await world.storedRun(uid)).toMatchObject({ state: 'Failed', succeeded: 1, failed: 1 });
    expect(await outcomes(world, uid)).toHaveLength(2);
  });

  it('holds for a run that had ended before the operator came, and may be set after the end', async () => {
    const world = await site.aWorld('ttl-later');
    const operator = await world.startOperator();
    const uid = await world.create(aBatchTest({ parallelism: 1, pod: RUNS_ON }));
    await world.endPod(await untilVariantRuns(world, uid, 'v0'), SUCCEEDS);
    await world.untilLetGo(uid);
    await operator.kill();
    await edit(world, { ttlSecondsAfterFinished: 0 });
    await world.startOperator();
    await world.recorder.until('the object is gone', (changes) =>
      lastOf(changes, uid) === undefined ? true : undefined,
    );
    expect(await world.storedRun(uid)).toMatchObject({ state: 'Complete', succeeded: 1 });
  });
});

/** How long after the end of an attempt the Job of the next one of its trial was created, as the recorder saw it. */
async function waitsBeforeRetries(
  world: OperatorWorld,
  uid: string,
): Promise<readonly { readonly attempt: number; readonly ms: number }[]> {
  const changes = world.recorder.changes();
  const endedAt = new Map<string, number>();
  for (const change of changes)
    if (change.kind === 'Pod' && runOf(change) === uid && change.object.status?.phase === 'Failed') {
      const job = change.object.metadata.ownerReferences?.[0]?.name ?? '';
      endedAt.set(job, endedAt.get(job) ?? change.at);
    }
  const attempts = await world.storedAttempts(uid);
  const nameOf = (variant: string, attempt: number) =>
    attempts.find((stored) => stored.variant === variant && stored.attempt === attempt)?.name ?? '';
  return attempts.flatMap(({ variant, attempt, name }) => {
    const created = changes.find(
      (change) => change.kind === 'Job' && change.type === 'ADDED' && change.object.metadata.name === name,
    );
    const ended = endedAt.get(nameOf(variant, attempt - 1));
    return created === undefined || ended === undefined ? [] : [{ attempt, ms: created.at - ended }];
  });
}

it('results go from Postgres when they are older than the operator’s --retention, those of a run under way do not', async () => {
  const world = await site.aWorld('retention');
  const operator = await world.startOperator();
  const over = await world.create(aBatchTest({ name: 'over', parallelism: 1, pod: ENDS_SOON }));
  await world.untilLetGo(over);
  const underWay = await world.create(aBatchTest({ name: 'under-way', parallelism: 1, pod: RUNS_ON }));
  await untilVariantRuns(world, underWay, 'v0');
  await operator.terminate();
  expect(await world.storedRun(over)).toMatchObject({ state: 'Complete' });
  await world.startOperator({ options: ['--retention', '1s'] });
  await expect.poll(() => world.storedRun(over), { timeout: 30_000 }).toBeUndefined();
  expect(await world.storedRun(underWay)).toMatchObject({ state: 'Running' });
});
