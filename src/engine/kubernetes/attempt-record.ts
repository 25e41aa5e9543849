import type { AttemptKey, AttemptState, ObservedAttempt, Termination } from '../../core/attempt.ts';
import {
  type CarrierProjection,
  isCarrier,
  type JobProjection,
  type PodProjection,
} from './attempt-projections.ts';

/** Everything that is known of one attempt: what was seen of what carries it and of its pods, and what we did ourselves that was not seen yet. */
export interface AttemptRecord extends AttemptKey {
  readonly runUid: string;
  readonly namespace: string;
  readonly name: string;
  /** When its start was asked for, while the answer is out (milliseconds since the epoch). */
  startingSince: number | undefined;
  carrier: KnownCarrier | undefined;
  /** UIDs of carriers of this name that were ours, those that are gone included: a pod of any other is not believed. */
  readonly carrierUids: Set<string>;
  /** By UID. */
  readonly pods: Map<string, PodProjection>;
  /** A pod was seen, whether or not it is still there. */
  podWasSeen: boolean;
  /** The end that was seen, which outlives the pod. */
  end: SeenEnd | undefined;
  /** UIDs of pods that were ended because a queue suspended the Job. The Job goes on with another pod, so what became of them is not the attempt's end. */
  interruptedPods: ReadonlySet<string>;
  removal: Removal | undefined;
  /** When the record came into the state that it is to be looked at again for; infinite while the server is asked about it. */
  changedAt: number;
  /** What is shown of it now. */
  shown: ObservedAttempt | undefined;
}

export interface KnownCarrier {
  readonly projection: CarrierProjection;
  /** False while only answers to our own requests tell of it: the watch has yet to, and tells of its end only then. */
  readonly isObserved: boolean;
}

export interface SeenEnd {
  readonly at: number;
  readonly termination: Termination;
  readonly podName: string | undefined;
  readonly podUid: string | undefined;
}

export interface Removal {
  /** An attempt that had ended when its removal was asked for is not shown again. */
  readonly ofEnded: boolean;
  /** The Job controller may have made a pod, in the moment before the Job went, that we do not see yet. */
  mayStillGetPod: boolean;
}

/** What the contract of `Engine.observe` says to show of an attempt; undefined when nothing is to be shown. */
export function observedAttempt(record: AttemptRecord): ObservedAttempt | undefined {
  const state = stateOf(record);
  if (state === undefined) return undefined;
  const { name, variantId, repetition, attempt } = record;
  const logs = podNameOf(record);
  const startId = state.kind === 'Ended' ? record.end?.podUid : undefined;
  return {
    ...{ name, variantId, repetition, attempt, state },
    ...(startId === undefined ? {} : { startId }),
    ...(logs === undefined ? {} : { logs }),
  };
}

function stateOf(record: AttemptRecord): AttemptState | undefined {
  const { end, removal, startingSince } = record;
  const job = jobOf(record);
  const livePod = livePodOf(record);
  if (removal !== undefined) {
    const isLive =
      livePod !== undefined || (!removal.ofEnded && (job !== undefined || removal.mayStillGetPod));
    return isLive ? { kind: 'Stopping' } : undefined;
  }
  if (end !== undefined) {
    const { at, termination } = end;
    return { kind: 'Ended', at, termination, ...(mayRunAgain(record, end) ? { mayRunAgain: true } : {}) };
  }
  if (livePod !== undefined) {
    if (livePod.isDeleted || !record.carrierUids.has(livePod.carrierUid)) return { kind: 'Stopping' };
    return livePod.state;
  }
  if (job !== undefined) return withoutPod(job);
  return startingSince === undefined
    ? undefined
    : { kind: 'Waiting', since: startingSince, reason: 'Starting' };
}

/** A Job that is there and has no pod that lives. */
function withoutPod({ isDeleted, finished, isSuspended, waitsSince }: JobProjection): AttemptState {
  // Over, and the pod that tells how has yet to be seen; or somebody deletes it, and no pod follows.
  if (isDeleted || finished !== undefined) return { kind: 'Stopping' };
  return isSuspended
    ? {
        kind: 'Waiting',
        since: waitsSince,
        reason: 'Suspended',
        message: 'its Job waits to be admitted (spec.suspend)',
      }
    : {
        kind: 'Waiting',
        since: waitsSince,
        reason: 'PodNotCreated',
        message: 'its Job has no pod yet; the events of the Job tell why, if that lasts',
      };
}

/** The Job is not over, as one is whose pod ended by itself: it is suspended, or has another pod already. */
function mayRunAgain(record: AttemptRecord, end: SeenEnd): boolean {
  const job = jobOf(record);
  if (job === undefined || !canGoOn(job)) return false;
  const livePod = livePodOf(record);
  return (
    job.isSuspended ||
    (livePod !== undefined && livePod.uid !== end.podUid && record.carrierUids.has(livePod.carrierUid))
  );
}

const canGoOn = ({ isDeleted, finished }: JobProjection): boolean => !isDeleted && finished === undefined;

/** Takes note of the pods that a suspension ends. */
export function noteInterruptedPods(record: AttemptRecord): void {
  const job = jobOf(record);
  if (job === undefined || !job.isSuspended || !canGoOn(job)) return;
  const interrupted = [...record.pods.values()].filter(
    ({ isDeleted, state }) => isDeleted || (state.kind === 'Ended' && state.termination.kind === 'Lost'),
  );
  if (interrupted.length > 0)
    record.interruptedPods = new Set([...record.interruptedPods, ...interrupted.map(({ uid }) => uid)]);
}

/** The Job that carries the attempt, which may have a pod that we do not see. */
export const jobOf = ({ carrier }: AttemptRecord): JobProjection | undefined =>
  carrier?.projection.kind === 'Job' ? carrier.projection : undefined;

const livePodOf = ({ pods }: AttemptRecord): PodProjection | undefined =>
  [...pods.values()].find(({ state }) => state.kind !== 'Ended');

/** The pods that Jobs of ours made, that live, and that nobody deletes yet. */
export const podsToStop = ({ pods, carrierUids }: AttemptRecord): readonly PodProjection[] =>
  [...pods.values()].filter(
    (pod) =>
      pod.state.kind !== 'Ended' && !pod.isDeleted && !isCarrier(pod) && carrierUids.has(pod.carrierUid),
  );

function podNameOf({ end, pods }: AttemptRecord): string | undefined {
  if (end !== undefined) return end.podName;
  for (const { podName } of pods.values()) return podName;
  return undefined;
}

/**
 * The end that pods tell of, once one of ours has ended.
 * @param pods by default those that were seen of the attempt
 */
export function endByPod(
  record: AttemptRecord,
  pods: Iterable<PodProjection> = record.pods.values(),
): SeenEnd | undefined {
  for (const { state, carrierUid, podName, uid } of pods) {
    if (state.kind !== 'Ended' || !record.carrierUids.has(carrierUid)) continue;
    // What it came to by itself before it was told to stop counts all the same.
    if (state.termination.kind !== 'Lost' || !record.interruptedPods.has(uid))
      return { at: state.at, termination: state.termination, podName, podUid: uid };
  }
  return undefined;
}

/** The end of an attempt whose Job is over and whose pod, which alone could tell how, is not there. */
export function endByJob({ name, finished }: JobProjection): SeenEnd | undefined {
  if (finished === undefined) return undefined;
  const { reason, message, at } = finished;
  const termination: Termination =
    reason === 'DeadlineExceeded'
      ? { kind: 'DeadlineExceeded', message }
      : {
          kind: 'Lost',
          reason: 'PodMissing',
          message: `Job ${name} is over (${reason}: ${message}), and its pod was gone before it was read`,
        };
  return { at, termination, podName: undefined, podUid: undefined };
}

/**
 * Takes over what is known of a carrier now; `after` is undefined when it is gone. A pod that carries the attempt itself is its own
 * pod.
 */
export function takeCarrier(
  record: AttemptRecord,
  uid: string,
  after: CarrierProjection | undefined,
  from: 'Watch' | 'Answer',
): void {
  record.carrierUids.add(uid);
  if (after !== undefined) record.carrier = { projection: after, isObserved: from === 'Watch' };
  else if (record.carrier?.projection.uid === uid) record.carrier = undefined;
  if (after?.kind === 'Pod') record.pods.set(uid, after);
  else record.pods.delete(uid);
}

/** True when nothing is left to know, show or wait for. */
export const isForgettable = ({ startingSince, carrier, pods, end, removal }: AttemptRecord): boolean =>
  startingSince === undefined &&
  carrier === undefined &&
  pods.size === 0 &&
  end === undefined &&
  removal === undefined;

/** True when time alone changes nothing of it: it is all seen, and nothing of it waits to be forgotten. */
export function isSettled(record: AttemptRecord): boolean {
  const { carrier, pods, end, removal } = record;
  if (removal !== undefined || carrier?.isObserved === false) return false;
  if (carrier === undefined) return end === undefined;
  return end !== undefined || jobOf(record)?.finished === undefined || pods.size > 0;
}

/** True when both are the same to whoever observes. */
export function shownAlike(a: ObservedAttempt | undefined, b: ObservedAttempt | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return a.logs === b.logs && sameState(a.state, b.state);
}

function sameState(a: AttemptState, b: AttemptState): boolean {
  switch (a.kind) {
    case 'Waiting':
      return b.kind === 'Waiting' && a.since === b.since && a.reason === b.reason && a.message === b.message;
    case 'Running':
      return b.kind === 'Running' && a.since === b.since;
    case 'Stopping':
      return b.kind === 'Stopping';
    case 'Ended':
      return (
        b.kind === 'Ended' &&
        a.at === b.at &&
        a.termination === b.termination &&
        a.mayRunAgain === b.mayRunAgain
      );
  }
}
