/** The kubelet's part, played by a test: how programs end, and what is said of pods that are deleted. */
import type { PodObject } from '../../src/engine/kubernetes/kubernetes-objects.ts';
import type { OperatorWorld } from '../integration/operator-world.ts';
import type { Change } from '../integration/watch-recorder.ts';
import { ApiRequestError } from '../tools/cluster-client.ts';
import { DEADLINE_MS, identityOf, isOver, livePods, type PlayedAttempt, runningPods } from './run-view.ts';

/** A finalizer that stands for a kubelet which has yet to confirm the end of a pod. */
const KUBELET = 'example.com/kubelet';

/** What a test does with a pod that runs: plays its end, or lets it run on. */
export type PlayedEnd =
  | {
      readonly kind: 'Exits';
      readonly exitCode: number;
      readonly message: string;
      /** The kubelet's own word for the end, such as OOMKilled. */
      readonly reason?: string;
    }
  /** The program was ended to make room for another one. */
  | { readonly kind: 'Preempted' }
  | { readonly kind: 'Evicted' }
  | { readonly kind: 'RunsOn' };

/** Plays the kubelet for a run's pods until the run says that it is over, or its object is gone. */
export async function playPods(
  world: OperatorWorld,
  uid: string,
  endOf: (attempt: PlayedAttempt) => PlayedEnd,
  deadlineMs = 2 * DEADLINE_MS,
): Promise<void> {
  const played = new Set<string>();
  for (;;) {
    const next = await world.recorder.until(
      'another pod runs, or the run is over',
      (changes) => runningPod(changes, uid, played) ?? (isOver(changes, uid) ? 'Over' : undefined),
      deadlineMs,
    );
    if (next === 'Over') return;
    played.add(next.metadata.uid);
    const end = endOf(identityOf(next));
    if (end.kind === 'Exits') await world.endPod(next, end).catch(ignoreGone);
    if (end.kind === 'Evicted') await evict(world, next).catch(ignoreGone);
    if (end.kind === 'Preempted') await preempt(world, next).catch(ignoreGone);
  }
}

/** What a kubelet writes that needs the memory for others. */
const evict = ({ cluster, namespace }: OperatorWorld, { metadata }: PodObject): Promise<unknown> =>
  cluster.request('PATCH', `/api/v1/namespaces/${namespace}/pods/${metadata.name}/status`, {
    status: { phase: 'Failed', reason: 'Evicted', message: 'The node was low on resource: memory.' },
  });

/** What the scheduler and then the kubelet write when a pod has to make room. */
async function preempt(world: OperatorWorld, pod: PodObject): Promise<void> {
  const conditions = [
    ...(pod.status?.conditions ?? []),
    { type: 'DisruptionTarget', status: 'True', reason: 'PreemptionByScheduler', message: 'preempted' },
  ];
  await holdPod(world, pod);
  await deletePod(world, pod);
  await world.cluster.request('PATCH', `${podPath(world, pod)}/status`, {
    status: { phase: 'Failed', conditions },
  });
  await letPodGo(world, pod);
}

/** Where pods are. */
type Place = Pick<OperatorWorld, 'cluster' | 'namespace'>;

const podPath = ({ namespace }: Place, { metadata }: PodObject): string =>
  `/api/v1/namespaces/${namespace}/pods/${metadata.name}`;

/** Keeps a pod from going before its kubelet has confirmed its end, should it be deleted. */
export const holdPod = (world: Place, pod: PodObject): Promise<unknown> =>
  world.cluster.request('PATCH', podPath(world, pod), {
    metadata: { finalizers: [...(pod.metadata.finalizers ?? []), KUBELET] },
  });

/** Somebody deletes a pod. */
export const deletePod = (world: Place, pod: PodObject): Promise<unknown> =>
  world.cluster.request('DELETE', podPath(world, pod));

/** Lets a pod go that was held. */
export async function letPodGo(world: Place, pod: PodObject): Promise<void> {
  const { metadata } = await world.cluster.request<PodObject>('GET', podPath(world, pod));
  const finalizers = (metadata.finalizers ?? []).filter((finalizer) => finalizer !== KUBELET);
  await world.cluster.request('PATCH', podPath(world, pod), { metadata: { finalizers } });
}

/** The kubelet of a pod that is being deleted, and was held, says that its program has ended, and lets it go. */
export async function confirmEnd(world: OperatorWorld, pod: PodObject): Promise<void> {
  await sayEnded(world, pod);
  await letPodGo(world, pod);
}

/** Somebody deletes a pod, and its kubelet ends the program and says so before the pod goes, as the fake one does not. */
export async function endByDeletion(world: OperatorWorld, pod: PodObject): Promise<void> {
  await holdPod(world, pod);
  await deletePod(world, pod);
  await confirmEnd(world, pod);
}

const sayEnded = (world: OperatorWorld, pod: PodObject): Promise<unknown> =>
  world.cluster.request('PATCH', `${podPath(world, pod)}/status`, { status: { phase: 'Failed' } });

/**
 * Plays the kubelets of a run's pods that are being deleted, until the object is gone: says of each that its program has ended. The fake
 * kubelet removes a pod without a word, which the Job controller waits for.
 */
export async function confirmDeletions(world: OperatorWorld, uid: string): Promise<void> {
  const confirmed = new Set<string>();
  for (;;) {
    const next = await world.recorder.until('another pod is deleted, or the object is gone', (changes) => {
      const deleted = livePods(changes, uid).find(
        ({ metadata }) => metadata.deletionTimestamp !== undefined && !confirmed.has(metadata.uid),
      );
      return deleted ?? (isOver(changes, uid) ? 'Over' : undefined);
    });
    if (next === 'Over') return;
    confirmed.add(next.metadata.uid);
    await sayEnded(world, next).catch(ignoreGone);
  }
}

/** A pod that was removed in this very moment has no end to play. */
function ignoreGone(error: unknown): void {
  if (!(error instanceof ApiRequestError) || error.statusCode !== 404) throw error;
}

const runningPod = (
  changes: readonly Change[],
  uid: string,
  played: ReadonlySet<string>,
): PodObject | undefined => runningPods(changes, uid).find(({ metadata }) => !played.has(metadata.uid));
