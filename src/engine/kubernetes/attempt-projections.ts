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

/** Which attempt an object belongs to, by its labels. `name` is that of what carries the attempt. */
interface Identity {
  readonly namespace: string;
  readonly name: string;
  readonly runUid: string;
  readonly key: AttemptKey;
}

/** What is kept of what carries an attempt: a Job, or a pod that carries itself. */
export type CarrierProjection = JobProjection | PodProjection;

/** What is kept of a Job. */
export interface JobProjection extends Identity, Reflected {
  readonly kind: 'Job';
  /** Since when it waits while it has no pod: it was created, or suspended or resumed last (milliseconds since the epoch). */
  readonly waitsSince: number;
  readonly isDeleted: boolean;
  readonly isSuspended: boolean;
  /** Why the Job is over; undefined while it is not. */
  readonly finished: { readonly reason: string; readonly message: string; readonly at: number } | undefined;
}

/** What is kept of a Job or pod that a run's UID is written on and that carries no attempt of it. */
export interface ForeignObject extends Reflected {
  readonly namespace: string | undefined;
  readonly foreignTo: string;
}

/** What is kept of a pod. */
export interface PodProjection extends Identity, Reflected {
  readonly kind: 'Pod';
  readonly podName: string;
  /** Of the Job that made it; its own, when no Job did and it carries the attempt itself. */
  readonly carrierUid: string;
  readonly isDeleted: boolean;
  readonly state: PodState;
}

/**
 * A Job of an attempt; undefined for one that a run's UID is written on and that the run's object does not own.
 * @param known what was kept of the same Job before
 */
export function projectJob({ metadata, spec, status }: JobObject, known?: Known): JobProjection | undefined {
  const identity = identityOf(metadata, metadata.name);
  if (identity === undefined || !isOfRun(metadata, known)) return undefined;
  const suspension = status?.conditions?.find(({ type }) => type === 'Suspended');
  const end =
    holdingCondition(status?.conditions, 'Failed') ?? holdingCondition(status?.conditions, 'Complete');
  return {
    ...identity,
    kind: 'Job',
    uid: metadata.uid,
    resourceVersion: metadata.resourceVersion,
    waitsSince: timeOf(suspension?.lastTransitionTime) ?? timeOf(metadata.creationTimestamp) ?? 0,
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

/**
 * A pod of an attempt; undefined for one that neither a Job manages nor the run's object owns.
 * @param known what was kept of the same pod before
 */
export function projectPod(pod: PodObject, known?: Known): PodProjection | undefined {
  const { metadata } = pod;
  const owner = controllerOf(metadata);
  const carrier = owner?.kind === 'Job' ? owner : isOfRun(metadata, known) ? metadata : undefined;
  const identity = carrier === undefined ? undefined : identityOf(metadata, carrier.name);
  if (carrier === undefined || identity === undefined) return undefined;
  return {
    ...identity,
    kind: 'Pod',
    uid: metadata.uid,
    resourceVersion: metadata.resourceVersion,
    podName: metadata.name,
    carrierUid: carrier.uid,
    isDeleted: metadata.deletionTimestamp !== undefined,
    state: podState(pod),
  };
}

/** A pod that carries an attempt itself; undefined for any other. */
export function projectCarrierPod(pod: PodObject, known?: Known): PodProjection | undefined {
  const projection = projectPod(pod, known);
  return projection !== undefined && isCarrier(projection) ? projection : undefined;
}

/** Takes note of any object with a run's UID on it: `project` says what is of an attempt. */
export const orForeign =
  <Raw extends { readonly metadata: ObjectMeta }, T>(
    project: (object: Raw, known?: Known) => T | undefined,
  ) =>
  (object: Raw, known?: Known): T | ForeignObject => {
    const { uid, resourceVersion, namespace, labels } = object.metadata;
    return (
      project(object, known) ?? { uid, resourceVersion, namespace, foreignTo: labels?.[LABEL_RUN_UID] ?? '' }
    );
  };

/** What may be kept of an object. */
export type Known = CarrierProjection | ForeignObject;

export const isForeign = (known: Known): known is ForeignObject => 'foreignTo' in known;

/** True for a Job, and for a pod that no Job made. */
export const isCarrier = (projection: CarrierProjection): boolean =>
  projection.kind === 'Job' || projection.carrierUid === projection.uid;

/**
 * True when the object of the run that is written on it owns it. One that was ours stays ours, though it has no owner any more: a
 * deletion with propagation Orphan takes that away, and what was started has to be ended all the same.
 */
function isOfRun(metadata: ObjectMeta, known: Known | undefined): boolean {
  const owner = controllerOf(metadata);
  if (owner === undefined) return known !== undefined && !isForeign(known) && isCarrier(known);
  return owner.kind === KIND && owner.uid === metadata.labels?.[LABEL_RUN_UID];
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
