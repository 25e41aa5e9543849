import { describe, expect, it } from 'vitest';
import { RESULT_FILE_LIMIT_BYTES } from '../../core/attempt.ts';
import type { ContainerStatus, PodObject } from './kubernetes-objects.ts';
import { podState } from './pod-termination.ts';

const time = (seconds: number): string => new Date(Date.UTC(2026, 0, 1, 0, 0, seconds)).toISOString();
const at = (seconds: number): number => Date.UTC(2026, 0, 1, 0, 0, seconds);

type Status = NonNullable<PodObject['status']>;
type Terminated = NonNullable<NonNullable<ContainerStatus['state']>['terminated']>;

/** A pod created at second 1. */
function aPod(
  status: Status,
  options: Partial<PodObject['metadata']> & { readonly containers?: readonly string[] } = {},
): PodObject {
  const { containers = ['test'], ...metadata } = options;
  return {
    metadata: { name: 'pod-1', uid: 'u', resourceVersion: '1', creationTimestamp: time(1), ...metadata },
    spec: { containers: containers.map((name) => ({ name })) },
    status,
  };
}

const terminated = (state: Partial<Terminated>, name = 'test'): ContainerStatus => ({
  name,
  state: { terminated: { exitCode: 0, startedAt: time(5), finishedAt: time(9), ...state } },
});
const waiting = (reason: string, message?: string): ContainerStatus => ({
  name: 'test',
  state: { waiting: { reason, ...(message === undefined ? {} : { message }) } },
});
const failed = (state: Partial<Terminated>): Status => ({
  phase: 'Failed',
  containerStatuses: [terminated(state)],
});
const disrupted = {
  type: 'DisruptionTarget',
  status: 'True',
  reason: 'EvictionByEvictionAPI',
  message: 'Eviction API: evicting',
};

describe('a pod that has not ended', () => {
  it('of a node whose clock is behind has run since it was created at most', () => {
    const running = { name: 'test', state: { running: { startedAt: time(0) } } };
    expect(podState(aPod({ phase: 'Running', containerStatuses: [running] }))).toEqual({
      kind: 'Running',
      since: at(1),
    });
  });

  it.each<[string, Status, object]>([
    ['without a status', {}, { kind: 'Waiting', since: at(1) }],
    [
      'that no node takes',
      {
        phase: 'Pending',
        conditions: [
          { type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message: '0/3 nodes' },
        ],
      },
      { kind: 'Waiting', since: at(1), reason: 'Unschedulable', message: '0/3 nodes' },
    ],
    [
      'whose image cannot be pulled',
      { phase: 'Pending', containerStatuses: [waiting('ImagePullBackOff', 'Back-off pulling image "x"')] },
      { kind: 'Waiting', since: at(1), reason: 'ImagePullBackOff', message: 'Back-off pulling image "x"' },
    ],
    [
      'whose configuration is wrong',
      {
        phase: 'Pending',
        containerStatuses: [waiting('CreateContainerConfigError', 'secret "x" not found')],
      },
      {
        kind: 'Waiting',
        since: at(1),
        reason: 'CreateContainerConfigError',
        message: 'secret "x" not found',
      },
    ],
    [
      'whose container is being made',
      { phase: 'Pending', containerStatuses: [waiting('ContainerCreating')] },
      { kind: 'Waiting', since: at(1), reason: 'ContainerCreating' },
    ],
    [
      'whose init container waits for its image',
      {
        phase: 'Pending',
        conditions: [{ type: 'PodScheduled', status: 'True' }],
        initContainerStatuses: [
          { ...waiting('ImagePullBackOff', 'Back-off pulling image "y"'), name: 'prepare' },
        ],
        containerStatuses: [waiting('PodInitializing')],
      },
      {
        kind: 'Waiting',
        since: at(1),
        reason: 'ImagePullBackOff',
        message: 'container prepare: Back-off pulling image "y"',
      },
    ],
    [
      'whose init containers have their turn',
      { phase: 'Pending', containerStatuses: [waiting('PodInitializing')] },
      { kind: 'Waiting', since: at(1), reason: 'PodInitializing' },
    ],
    [
      'whose program has ended while a helper cannot start, which keeps the phase Pending',
      {
        phase: 'Pending',
        containerStatuses: [terminated({}), { ...waiting('ErrImagePull', 'not found'), name: 'database' }],
      },
      { kind: 'Running', since: at(5) },
    ],
    [
      'that runs',
      { phase: 'Running', containerStatuses: [{ name: 'test', state: { running: { startedAt: time(5) } } }] },
      { kind: 'Running', since: at(5) },
    ],
    [
      'whose other container runs while the program waits',
      {
        phase: 'Running',
        containerStatuses: [waiting('ContainerCreating'), { name: 'database', state: { running: {} } }],
      },
      { kind: 'Waiting', since: at(1), reason: 'ContainerCreating' },
    ],
  ])('%s', (_, status, expected) => {
    expect(podState(aPod(status))).toEqual(expected);
  });

  it('runs on while another container of it does', () => {
    const pod = aPod(
      { phase: 'Running', containerStatuses: [terminated({}), { name: 'database', state: { running: {} } }] },
      { containers: ['test', 'database'] },
    );
    expect(podState(pod)).toEqual({ kind: 'Running', since: at(5) });
  });
});

describe('a program that came to its own end', () => {
  it('is told by its exit code, message and times', () => {
    const state = podState(
      aPod({ phase: 'Succeeded', containerStatuses: [terminated({ reason: 'Completed', message: '{}' })] }),
    );
    expect(state).toEqual({
      kind: 'Ended',
      at: at(9),
      termination: { kind: 'Exited', exitCode: 0, reason: 'Completed', message: '{}', startedAt: at(5) },
    });
  });

  it('is told before the phase is, once all containers have ended', () => {
    const pod = aPod({ phase: 'Running', containerStatuses: [terminated({ exitCode: 3 })] });
    expect(podState(pod)).toMatchObject({ kind: 'Ended', termination: { kind: 'Exited', exitCode: 3 } });
  });

  it('is that of the container which the annotation names', () => {
    const pod = aPod(
      {
        phase: 'Failed',
        containerStatuses: [terminated({ exitCode: 1 }), terminated({ exitCode: 7 }, 'bench')],
      },
      { containers: ['test', 'bench'], annotations: { 'kubectl.kubernetes.io/default-container': 'bench' } },
    );
    expect(podState(pod)).toMatchObject({ termination: { kind: 'Exited', exitCode: 7 } });
  });

  it('ran out of memory by its own doing', () => {
    expect(podState(aPod(failed({ exitCode: 137, reason: 'OOMKilled' })))).toMatchObject({
      termination: { kind: 'Exited', exitCode: 137, reason: 'OOMKilled' },
    });
  });

  it('keeps its result though its pod was evicted afterwards', () => {
    const pod = aPod({
      phase: 'Succeeded',
      conditions: [disrupted],
      containerStatuses: [terminated({ exitCode: 0, message: '{}' })],
    });
    expect(podState(pod)).toMatchObject({
      termination: { kind: 'Exited', exitCode: 0, message: '{}', disruption: { reason: disrupted.reason } },
    });
  });

  it('is not disrupted when nothing was', () => {
    const pod = aPod({ phase: 'Succeeded', containerStatuses: [terminated({ exitCode: 0, message: '{}' })] });
    expect(podState(pod)).not.toHaveProperty('termination.disruption');
  });

  it('keeps its verdict when its pod was deleted after it had ended', () => {
    const pod = aPod(failed({ exitCode: 3 }), {
      deletionTimestamp: time(50),
      deletionGracePeriodSeconds: 30,
    });
    expect(podState(pod)).toMatchObject({ termination: { kind: 'Exited', exitCode: 3 } });
  });

  it('is cut at the limit of a result file, between characters', () => {
    const long = `x${'é'.repeat(RESULT_FILE_LIMIT_BYTES)}`;
    const state = podState(aPod(failed({ exitCode: 1, message: long })));
    if (state.kind !== 'Ended' || state.termination.kind !== 'Exited') return expect.unreachable();
    const { message, truncated } = state.termination;
    expect(truncated).toBe(true);
    expect(long.startsWith(message)).toBe(true);
    expect(Buffer.byteLength(message)).toBe(RESULT_FILE_LIMIT_BYTES - 1);
  });
});

describe('the message of a program in a pod of many containers', () => {
  const limitOf = (spec: NonNullable<PodObject['spec']>): unknown => {
    const state = podState({ ...aPod(failed({ exitCode: 1 })), spec });
    return state.kind === 'Ended' && state.termination.kind === 'Exited'
      ? state.termination.messageLimitBytes
      : 'none';
  };

  it('is cut by the kubelet where its share of 12 KiB ends', () => {
    const test = { name: 'test' };
    expect(limitOf({ containers: [test] })).toBeUndefined();
    expect(
      limitOf({ containers: [test, test], initContainers: [{}] }),
      'as large as a result',
    ).toBeUndefined();
    expect(limitOf({ containers: [test, test], initContainers: [{}, {}] })).toBe(3_072);
    expect(limitOf({ containers: [test], initContainers: [{}, {}, {}], ephemeralContainers: [{}] })).toBe(
      2_457,
    );
  });
});

describe('a program that did not', () => {
  it.each<[string, Status, Partial<PodObject['metadata']>, object]>([
    [
      'evicted by a kubelet',
      { phase: 'Failed', reason: 'Evicted', message: 'low on memory', startTime: time(4) },
      {},
      { kind: 'Lost', reason: 'Evicted', message: 'low on memory' },
    ],
    [
      'gone when the node was back',
      failed({ exitCode: 255, reason: 'Unknown' }),
      {},
      { kind: 'Lost', reason: 'Unknown', message: '', startedAt: at(5) },
    ],
    [
      'evicted through the API',
      { ...failed({ exitCode: 143 }), conditions: [disrupted] },
      {},
      { kind: 'Lost', reason: 'EvictionByEvictionAPI', message: 'Eviction API: evicting', startedAt: at(5) },
    ],
    [
      'shut down with its node',
      { ...failed({ exitCode: 137 }), reason: 'Terminated', message: 'node shutdown' },
      {},
      { kind: 'Lost', reason: 'Terminated', message: 'node shutdown', startedAt: at(5) },
    ],
    [
      'refused by its kubelet',
      { phase: 'Failed', reason: 'OutOfcpu', message: 'Node did not have enough resource: cpu' },
      {},
      { kind: 'Lost', reason: 'OutOfcpu', message: 'Node did not have enough resource: cpu' },
    ],
    [
      'deleted by somebody',
      failed({ exitCode: 143 }),
      { deletionTimestamp: time(38), deletionGracePeriodSeconds: 30 },
      {
        kind: 'Lost',
        reason: 'PodDeleted',
        message: 'pod pod-1 was deleted while its program ran',
        startedAt: at(5),
      },
    ],
    [
      'deleted by somebody, on a node whose clock is behind',
      failed({ exitCode: 143, finishedAt: time(6) }),
      { deletionTimestamp: time(38), deletionGracePeriodSeconds: 30 },
      {
        kind: 'Lost',
        reason: 'PodDeleted',
        message: 'pod pod-1 was deleted while its program ran',
        startedAt: at(5),
      },
    ],
    [
      'that could not be started',
      failed({
        exitCode: 128,
        reason: 'StartError',
        message: 'exec: "x": not found',
        startedAt: '1970-01-01T00:00:00Z',
      }),
      {},
      { kind: 'Lost', reason: 'StartError', message: 'exec: "x": not found' },
    ],
    [
      'of which nobody knows the end',
      failed({ exitCode: 137, reason: 'ContainerStatusUnknown', message: 'could not be located' }),
      {},
      { kind: 'Lost', reason: 'ContainerStatusUnknown', message: 'could not be located', startedAt: at(5) },
    ],
    [
      'whose init container failed',
      {
        phase: 'Failed',
        containerStatuses: [waiting('PodInitializing')],
        initContainerStatuses: [terminated({ exitCode: 2, message: 'no data' }, 'fetch')],
      },
      {},
      {
        kind: 'Lost',
        reason: 'InitContainerFailed',
        message: 'init container fetch ended with exit code 2: no data',
      },
    ],
    [
      'without any word',
      { phase: 'Failed' },
      {},
      { kind: 'Lost', reason: 'PodFailed', message: 'pod pod-1 ended without having run its program' },
    ],
    [
      'past its deadline',
      {
        ...failed({ exitCode: 143 }),
        reason: 'DeadlineExceeded',
        message: 'active on the node for too long',
      },
      {},
      { kind: 'DeadlineExceeded', message: 'active on the node for too long', startedAt: at(5) },
    ],
  ])('%s', (_, status, metadata, termination) => {
    expect(podState(aPod(status, metadata))).toMatchObject({ kind: 'Ended' });
    expect(podState(aPod(status, metadata))).toHaveProperty('termination', termination);
  });

  it('ended when its status last changed, if nothing tells better', () => {
    const conditions = [{ type: 'Ready', status: 'False', lastTransitionTime: time(7) }];
    expect(
      podState(aPod({ phase: 'Failed', reason: 'Evicted', startTime: time(4), conditions })),
    ).toMatchObject({
      at: at(7),
    });
  });
});
