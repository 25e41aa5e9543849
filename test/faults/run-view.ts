/** What an independent watch tells of a run: its pods and Jobs as they are now, and whether it is over. */
import {
  ANNOTATION_VARIANT_NAME,
  LABEL_ATTEMPT,
  LABEL_REPETITION,
} from '../../src/api/v1alpha1/constants.ts';
import type { PodObject } from '../../src/engine/kubernetes/kubernetes-objects.ts';
import type { OperatorWorld } from '../integration/operator-world.ts';
import {
  type Change,
  carrierOfPod,
  conditionOf,
  lastOf,
  present,
  runOf,
} from '../integration/watch-recorder.ts';

/** How long one part of a run may take in a test, unless the test says otherwise. */
export const DEADLINE_MS = 60_000;

/** An attempt as a test names it. */
export interface PlayedAttempt {
  readonly variant: string;
  readonly repetition: number;
  readonly attempt: number;
}

/** Which attempt a pod is, with its variant's name. */
export function identityOf({ metadata }: Pick<PodObject, 'metadata'>): PlayedAttempt {
  return {
    variant: metadata.annotations?.[ANNOTATION_VARIANT_NAME] ?? '',
    repetition: Number(metadata.labels?.[LABEL_REPETITION]),
    attempt: Number(metadata.labels?.[LABEL_ATTEMPT]),
  };
}

/** True once a run says that it is over, or its object is gone. */
export const isOver = (changes: readonly Change[], uid: string): boolean => {
  const object = lastOf(changes, uid);
  const wasThere = changes.some((change) => change.kind === 'BatchTest' && runOf(change) === uid);
  return object === undefined
    ? wasThere
    : ['Complete', 'Failed', 'Cancelled'].some((type) => conditionOf(object, type)?.status === 'True');
};

/** A run's pods as they are now, by name. */
export function podsNow(changes: readonly Change[], uid: string): ReadonlyMap<string, PodObject> {
  const pods = new Map<string, PodObject>();
  for (const change of changes) {
    if (change.kind !== 'Pod' || runOf(change) !== uid) continue;
    if (change.type === 'DELETED') pods.delete(change.object.metadata.name);
    else pods.set(change.object.metadata.name, change.object);
  }
  return pods;
}

/** A run's pods whose program runs now and was not asked to end. */
export const runningPods = (changes: readonly Change[], uid: string): readonly PodObject[] =>
  [...podsNow(changes, uid).values()].filter(
    ({ metadata, status }) => status?.phase === 'Running' && metadata.deletionTimestamp === undefined,
  );

/** A run's pods whose program has not ended, as far as anybody knows. */
export const livePods = (changes: readonly Change[], uid: string): readonly PodObject[] =>
  [...podsNow(changes, uid).values()].filter(
    ({ status }) => !['Succeeded', 'Failed'].includes(status?.phase ?? ''),
  );

/** Names of what carries an attempt, is there, and of which no pod was seen to end. */
function carriersWithoutEnd(changes: readonly Change[], uid: string): readonly string[] {
  const ended = new Set(
    changes.flatMap((change) =>
      change.kind === 'Pod' && ['Succeeded', 'Failed'].includes(change.object.status?.phase ?? '')
        ? [carrierOfPod(change.object.metadata).name]
        : [],
    ),
  );
  return present(changes, uid, 'Carrier').filter((name) => !ended.has(name));
}

/** Resolves when a run is over, its object is held no longer, and nothing of it lives. */
export const untilSettled = (world: OperatorWorld, uid: string, deadlineMs = DEADLINE_MS): Promise<true> =>
  world.recorder.until(
    'the run is over, let go, and nothing of it lives',
    (changes) =>
      isOver(changes, uid) &&
      (lastOf(changes, uid)?.metadata.finalizers ?? []).length === 0 &&
      livePods(changes, uid).length === 0 &&
      carriersWithoutEnd(changes, uid).length === 0
        ? true
        : undefined,
    deadlineMs,
  );

/** Resolves with the pods of a run once so many run. */
export const untilRunning = (
  world: OperatorWorld,
  uid: string,
  count: number,
): Promise<readonly PodObject[]> =>
  world.recorder.until(`${count} pods run`, (changes) => {
    const pods = runningPods(changes, uid);
    return pods.length === count ? pods : undefined;
  });

/** Resolves with the one pod of a run once it runs. */
export async function untilOneRuns(world: OperatorWorld, uid: string): Promise<PodObject> {
  const [pod] = await untilRunning(world, uid, 1);
  if (pod === undefined) throw new Error('no pod runs');
  return pod;
}

/** Resolves when the object of a run is gone, and with it everything that it owned. */
export const untilNothingIsLeft = (world: OperatorWorld, uid: string): Promise<true> =>
  world.recorder.until('the object, its Jobs and its pods are gone', (changes) =>
    lastOf(changes, uid) === undefined &&
    present(changes, uid, 'Job').length + present(changes, uid, 'Pod').length === 0
      ? true
      : undefined,
  );
