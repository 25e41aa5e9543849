import {
  KIND,
  LABEL_ATTEMPT,
  LABEL_REPETITION,
  LABEL_RUN_UID,
  LABEL_VARIANT_ID,
} from '../../api/v1alpha1/constants.ts';
import type { AttemptKey } from '../../core/attempt.ts';
import {
  controllerOf,
  holdingCondition,
  type JobObject,
  type ObjectMeta,
  type PodObject,
  timeOf,
} from './kubernetes-objects.ts';
import { type PodState, podState } from './pod-termination.ts';
import type { Reflected } from './reflector.ts';

/** Which attempt an object belongs to, by its labels. `name` is the Job's. */
interface Identity {
  readonly namespace: string;
  readonly name: string;
  readonly runUid: string;
  readonly key: AttemptKey;
}

/** What is kept of a Job. */
export interface JobProjection extends Identity, Reflected {
  readonly createdAt: number;
  readonly isDeleted: boolean;
  readonly isSuspended: boolean;
  /** Why the Job is over; undefined while it is not. */
  readonly finished: { readonly reason: string; readonly message: string; readonly at: number } | undefined;
}

/** What is kept of a Job that a run's UID is written on and that the run's object does not own. */
export interface ForeignJob extends Reflected {
  readonly namespace: string | undefined;
  readonly foreignTo: string;
}

/** What is kept of a pod. */
export interface PodProjection extends Identity, Reflected {
  readonly podName: string;
  /** Of the Job that made it. */
  readonly jobUid: string;
  readonly isDeleted: boolean;
  readonly state: PodState;
}

/**
 * A Job of an attempt; undefined for one that a run's UID is written on and that the run's object does not own.
 * @param known what was kept of the same Job before. One that was ours stays ours, though it has no owner any more: a deletion with propagation Orphan
 * takes that away, and what was started has to be ended all the same.
 */
export function projectJob(
  { metadata, spec, status }: JobObject,
  known?: JobProjection | ForeignJob,
): JobProjection | undefined {
  const owner = controllerOf(metadata);
  const identity = identityOf(metadata, metadata.name);
  if (identity === undefined) return undefined;
  const isOwned = owner?.kind === KIND && owner.uid === identity.runUid;
  const wasOurs = owner === undefined && known !== undefined && !isForeign(known);
  if (!isOwned && !wasOurs) return undefined;
  const end =
    holdingCondition(status?.conditions, 'Failed') ?? holdingCondition(status?.conditions, 'Complete');
  return {
    ...identity,
    uid: metadata.uid,
    resourceVersion: metadata.resourceVersion,
    createdAt: timeOf(metadata.creationTimestamp) ?? 0,
    isDeleted: metadata.deletionTimestamp !== undefined,
    isSuspended: spec?.suspend ?? false,
    finished:
      end === undefined
        ? undefined
        : {
            reason: end.reason ?? end.type,
            message: end.message ?? '',
            at: timeOf(end.lastTransitionTime) ?? 0,
          },
  };
}

/** Takes note of a Job with a run's UID on it, whatever it is: {@link projectJob} says what is one of ours. */
export const projectAnyJob = (
  job: JobObject,
  known?: JobProjection | ForeignJob,
): JobProjection | ForeignJob => {
  const { uid, resourceVersion, namespace, labels } = job.metadata;
  return (
    projectJob(job, known) ?? { uid, resourceVersion, namespace, foreignTo: labels?.[LABEL_RUN_UID] ?? '' }
  );
};

export const isForeign = (job: JobProjection | ForeignJob): job is ForeignJob => 'foreignTo' in job;

/** A pod of an attempt; undefined for one that no Job manages. */
export function projectPod(pod: PodObject): PodProjection | undefined {
  const { metadata } = pod;
  const owner = controllerOf(metadata);
  if (owner?.kind !== 'Job') return undefined;
  const identity = identityOf(metadata, owner.name);
  if (identity === undefined) return undefined;
  return {
    ...identity,
    uid: metadata.uid,
    resourceVersion: metadata.resourceVersion,
    podName: metadata.name,
    jobUid: owner.uid,
    isDeleted: metadata.deletionTimestamp !== undefined,
    state: podState(pod),
  };
}

function identityOf({ namespace, labels }: ObjectMeta, name: string): Identity | undefined {
  const runUid = labels?.[LABEL_RUN_UID];
  const variantId = labels?.[LABEL_VARIANT_ID];
  const repetition = Number(labels?.[LABEL_REPETITION] ?? Number.NaN);
  const attempt = Number(labels?.[LABEL_ATTEMPT] ?? Number.NaN);
  if (namespace === undefined || !runUid || !variantId) return undefined;
  if (!Number.isSafeInteger(repetition) || !Number.isSafeInteger(attempt)) return undefined;
  return { namespace, name, runUid, key: { variantId, repetition, attempt } };
}
