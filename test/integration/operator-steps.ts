/** What the tests of the control of a run look for in what the recorder has seen, and ways to the servers that can be disturbed. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, inject, onTestFinished } from 'vitest';
import { ANNOTATION_VARIANT_NAME } from '../../src/api/v1alpha1/constants.ts';
import type { BatchTestManifest } from '../../src/api/v1alpha1/schema.ts';
import type { PodObject } from '../../src/engine/kubernetes/kubernetes-objects.ts';
import { type FaultyProxy, openFaultyProxy, type ProxiedRequest, serverCertificate } from './faulty-proxy.ts';
import { type PlayedPod, withPlay } from './kubernetes-world.ts';
import type { OperatorWorld } from './operator-world.ts';
import {
  type BatchTestObject,
  type Change,
  carrierCreations,
  conditionOf,
  lastOf,
  runOf,
} from './watch-recorder.ts';

type Spec = BatchTestManifest['spec'];

/** Names of a run's pods that run and are not on their way out, each with the pod as it was seen last. */
export function runningPods(changes: readonly Change[], runUid: string): readonly PodObject[] {
  return [...lastPods(changes, runUid).values()].filter(
    ({ metadata, status }) => status?.phase === 'Running' && metadata.deletionTimestamp === undefined,
  );
}

/** The pods of a run that are there, as they were seen last, by name. */
export function lastPods(changes: readonly Change[], runUid: string): ReadonlyMap<string, PodObject> {
  const pods = new Map<string, PodObject>();
  for (const change of changes) {
    if (change.kind !== 'Pod' || runOf(change) !== runUid) continue;
    if (change.type === 'DELETED') pods.delete(change.object.metadata.name);
    else pods.set(change.object.metadata.name, change.object);
  }
  return pods;
}

export const untilRunning = (
  world: OperatorWorld,
  runUid: string,
  count: number,
): Promise<readonly PodObject[]> =>
  world.recorder.until(`${count} pods run`, (changes) => {
    const pods = runningPods(changes, runUid);
    return pods.length === count ? pods : undefined;
  });

/** The status tells so a moment after the pod runs. */
export const untilSaidToRun = (world: OperatorWorld, runUid: string): Promise<true> =>
  world.recorder.until('the status says that trials run', (changes) =>
    conditionOf(lastOf(changes, runUid), 'Progressing')?.reason === 'Running' ? true : undefined,
  );

/** The pod of a variant that runs now. */
export const untilVariantRuns = (
  world: OperatorWorld,
  runUid: string,
  variant: string,
  except: readonly PodObject[] = [],
): Promise<PodObject> =>
  world.recorder.until(`a pod of ${variant} runs`, (changes) =>
    runningPods(changes, runUid).find(
      ({ metadata }) =>
        metadata.annotations?.[ANNOTATION_VARIANT_NAME] === variant &&
        !except.some((pod) => pod.metadata.uid === metadata.uid),
    ),
  );

export const untilJobsCreated = (
  world: OperatorWorld,
  runUid: string,
  count: number,
  deadlineMs?: number,
): Promise<true> =>
  world.recorder.until(
    `${count} Jobs were created`,
    (changes) => (carrierCreations(changes, runUid).size >= count ? true : undefined),
    deadlineMs,
  );

export const untilNothingIsLeft = (world: OperatorWorld, runUid: string): Promise<true> =>
  world.recorder.until('neither Job nor pod is left', (changes) =>
    left(changes, runUid) === 0 ? true : undefined,
  );

/** How many Jobs and pods of a run were there after the last of the changes. */
export function left(changes: readonly Change[], runUid: string): number {
  const there = new Set<string>();
  for (const change of changes) {
    if (change.kind === 'BatchTest' || runOf(change) !== runUid) continue;
    const { uid } = change.object.metadata;
    if (change.type === 'DELETED') there.delete(uid);
    else there.add(uid);
  }
  return there.size;
}

/** The object once `Progressing` gives this reason. */
export const untilProgress = (
  world: OperatorWorld,
  runUid: string,
  reason: string,
  deadlineMs?: number,
): Promise<BatchTestObject> =>
  world.recorder.until(
    `it says ${reason}`,
    (changes) => {
      const object = lastOf(changes, runUid);
      return conditionOf(object, 'Progressing')?.reason === reason ? object : undefined;
    },
    deadlineMs,
  );

export const untilSucceeded = (world: OperatorWorld, runUid: string, trials: number): Promise<true> =>
  world.recorder.until(`${trials} trials succeeded`, (changes) =>
    (lastOf(changes, runUid)?.status?.trials?.succeeded ?? 0) >= trials ? true : undefined,
  );

/** Changes the spec of the BatchTest called cache; the object as the server has it then. */
export const edit = (world: OperatorWorld, spec: Record<string, unknown>): Promise<BatchTestObject> =>
  world.cluster.request<BatchTestObject>('PATCH', world.path('cache'), { spec });

/** Jobs of a run that were created after a revision. */
export const createdAfter = (
  changes: readonly Change[],
  runUid: string,
  revision: number,
): readonly string[] =>
  changes.flatMap((change) =>
    change.kind !== 'BatchTest' &&
    change.type === 'ADDED' &&
    runOf(change) === runUid &&
    change.revision > revision
      ? [`${change.kind} ${change.object.metadata.name} at ${change.revision}`]
      : [],
  );

/** The revision at which a status said for the first time that this generation was observed. */
export const observedAt = (changes: readonly Change[], runUid: string, generation: number): number =>
  changes.find(
    (change) =>
      change.kind === 'BatchTest' &&
      runOf(change) === runUid &&
      (change.object.status?.observedGeneration ?? 0) >= generation,
  )?.revision ?? Number.POSITIVE_INFINITY;

/** How each attempt of a run ended, in words: `variant/repetition#attempt Outcome Reason`. */
export async function outcomes(world: OperatorWorld, runUid: string): Promise<readonly string[]> {
  const attempts = await world.storedAttempts(runUid);
  return attempts.map(
    ({ variant, repetition, attempt, outcome, reason }) =>
      `${variant}/${repetition}#${attempt} ${outcome} ${reason}`,
  );
}

/** A template that no node fits: its pods wait, unless a test binds them to a node. */
export const nowhereToRun = (pod: PlayedPod): Spec['template'] =>
  withPlay(
    {
      spec: {
        nodeSelector: { 'example.com/gpu': 'yes' },
        containers: [{ name: 'test', image: 'test:1' }],
      },
    },
    pod,
  );

/** A template whose pods have a grace period and take this long to end once they are to. */
export const slowToEnd = (pod: PlayedPod, graceSeconds: number, stopMs: number): Spec['template'] =>
  withPlay(
    {
      metadata: { annotations: { 'kwok.test/stop': `${stopMs}ms` } },
      spec: {
        terminationGracePeriodSeconds: graceSeconds,
        containers: [{ name: 'test', image: 'test:1' }],
      },
    },
    pod,
  );

export interface EventObject {
  readonly type: string;
  readonly reason: string;
  readonly note: string;
  readonly regarding: { readonly uid?: string };
}

/** The event of this reason about a run, once there is one. */
export async function untilEvent(
  world: OperatorWorld,
  runUid: string,
  reason: string,
): Promise<EventObject | undefined> {
  const path = `/apis/events.k8s.io/v1/namespaces/${world.namespace}/events`;
  const read = async () => {
    const { items } = await world.cluster.request<{ items: readonly EventObject[] }>('GET', path);
    return items.find((event) => event.regarding.uid === runUid && event.reason === reason);
  };
  await expect.poll(read, { timeout: 10_000 }).toBeDefined();
  return read();
}

/** Gives the namespace the quota `small`, and waits until it holds: from the moment on at which its controller has counted. */
export async function aQuota(world: OperatorWorld, hard: Readonly<Record<string, string>>): Promise<void> {
  const path = `/api/v1/namespaces/${world.namespace}/resourcequotas`;
  await world.cluster.request('POST', path, { metadata: { name: 'small' }, spec: { hard } });
  await expect
    .poll(() => world.cluster.request('GET', `${path}/small`), { timeout: 20_000 })
    .toMatchObject({ status: { hard } });
}

/** A way to the API server with the operator's rights that counts requests and breaks what it is told to. */
export async function aProxyToTheCluster(
  world: OperatorWorld,
): Promise<{ readonly proxy: FaultyProxy; readonly kubeconfigPath: string }> {
  const upstream = inject('controlPlane');
  const proxy = await openFaultyProxy(upstream, await serverCertificate(upstream.kubeconfigPath));
  onTestFinished(() => proxy.close());
  const kubeconfigPath = join(world.directory, 'proxy.kubeconfig');
  const direct = await readFile(world.operatorKubeconfig, 'utf8');
  await writeFile(kubeconfigPath, direct.replace(upstream.url, proxy.access.server), { mode: 0o600 });
  return { proxy, kubeconfigPath };
}

export const isJobCreation = ({ method, url }: ProxiedRequest): boolean =>
  method === 'POST' && url.endsWith('/jobs');

export const isDeletion = ({ method }: ProxiedRequest): boolean => method === 'DELETE';
