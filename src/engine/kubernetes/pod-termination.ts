/**
 * What a pod's status says of its attempt. Pure.
 *
 * The verdict on the program is left to the core; what is decided here is whether the program came to an end of its own at all. An
 * eviction, a lost node, a deletion or an image that cannot be pulled is not the program's doing, whatever exit code it got by it.
 */
import {
  type AttemptState,
  type Exited,
  RESULT_FILE_LIMIT_BYTES,
  type Termination,
} from '../../core/attempt.ts';
import type { Explanation } from '../../core/status.ts';
import { PROGRAM_CONTAINER_ANNOTATION } from '../program-environment.ts';
import {
  type ContainerStatus,
  holdingCondition,
  type PodObject,
  type TerminatedState,
  timeOf,
} from './kubernetes-objects.ts';

/** An attempt's state as far as its pod alone tells. */
export type PodState = Exclude<AttemptState, { readonly kind: 'Stopping' }>;

/** Reasons of a container that never ran its program, or whose program nobody knows the end of. */
const NEVER_RAN = new Set(['StartError', 'ContainerCannotRun', 'ContainerStatusUnknown']);
/** What containerd says, with {@link UNKNOWN_EXIT_CODE}, of a program that was gone when it came back: the node was restarted. */
const UNKNOWN_END = 'Unknown';
const UNKNOWN_EXIT_CODE = 255;
/**
 * A node's clock tells of the end, the API server's of the deletion. A program that ended just before its pod was deleted is tried again for nothing; one that
 * was deleted and counts as having failed is the worse mistake.
 */
const NODE_CLOCK_TOLERANCE_MS = 5_000;
/** `MaxPodTerminationMessageLogLength` of a kubelet. */
const MESSAGES_OF_POD_BYTES = 12 * 1_024;
const ENDED_PHASES: readonly (string | undefined)[] = ['Succeeded', 'Failed'];

/**
 * The state of the attempt that this pod is. It has ended when all of its containers have, as a Job sees it: a helper container that
 * runs on still uses the node.
 */
export function podState(pod: PodObject): PodState {
  const main = mainStatus(pod);
  if (hasEnded(pod)) return { kind: 'Ended', at: endedAt(pod, main), termination: terminationOf(pod, main) };
  const running = main?.state?.running ?? main?.state?.terminated;
  // Whatever the phase: that is Pending for as long as another container cannot start.
  if (running !== undefined)
    // By the clock of the node, which may be behind; no program starts before its pod is there.
    return { kind: 'Running', since: Math.max(timeOf(running.startedAt) ?? 0, createdAt(pod)) };
  return { kind: 'Waiting', since: createdAt(pod), ...waitingFor(pod, main) };
}

function mainStatus({ metadata, spec, status }: PodObject): ContainerStatus | undefined {
  // Webhooks put containers of theirs before it.
  const chosen = metadata.annotations?.[PROGRAM_CONTAINER_ANNOTATION];
  const containers = spec?.containers ?? [];
  const main = containers.find(({ name }) => name === chosen) ?? containers[0];
  return status?.containerStatuses?.find(({ name }) => name === main?.name);
}

function hasEnded({ spec, status }: PodObject): boolean {
  if (ENDED_PHASES.includes(status?.phase)) return true;
  // The kubelet may write the phase only when the sandbox is gone as well; the program's end is what counts.
  const statuses = status?.containerStatuses ?? [];
  return (
    statuses.length > 0 &&
    statuses.length === spec?.containers?.length &&
    statuses.every(({ state }) => state?.terminated !== undefined)
  );
}

function terminationOf(pod: PodObject, main: ContainerStatus | undefined): Termination {
  const { status } = pod;
  const terminated = main?.state?.terminated;
  const started = startOf(terminated);
  if (status?.reason === 'DeadlineExceeded')
    return { kind: 'DeadlineExceeded', message: status.message ?? '', ...started };
  const lost = lostBy(pod, terminated);
  // Success before the disruption is success if the result is complete, which is for the core to say: a program may exit with 0 when it is told to stop.
  if (terminated?.exitCode === 0)
    return { ...exited(pod, terminated), ...(lost === undefined ? {} : { disruption: lost }) };
  if (lost !== undefined) return { kind: 'Lost', ...lost, ...started };
  if (terminated !== undefined) return exited(pod, terminated);
  return { kind: 'Lost', ...neverStarted(pod, main) };
}

/** Why the program did not get to its own end; undefined when it did. */
function lostBy(
  { metadata, status }: PodObject,
  terminated: TerminatedState | undefined,
): Explanation | undefined {
  // Evicted, Preempting, NodeLost, Terminated (node shutdown), OutOfcpu, UnexpectedAdmissionError, …: a kubelet's word for the pod.
  if (status?.reason) return { reason: status.reason, message: status.message ?? '' };
  const disruption = holdingCondition(status?.conditions, 'DisruptionTarget');
  if (disruption !== undefined)
    return { reason: disruption.reason ?? 'DisruptionTarget', message: disruption.message ?? '' };
  if (terminated === undefined) return undefined;
  if (
    NEVER_RAN.has(terminated.reason ?? '') ||
    (terminated.reason === UNKNOWN_END && terminated.exitCode === UNKNOWN_EXIT_CODE)
  )
    return { reason: terminated.reason ?? '', message: terminated.message ?? '' };
  const deleted = timeOf(metadata.deletionTimestamp);
  const finished = timeOf(terminated.finishedAt);
  if (deleted === undefined || finished === undefined) return undefined;
  // The timestamp of a deletion is when its grace period ends.
  const asked = deleted - (metadata.deletionGracePeriodSeconds ?? 0) * 1_000;
  return finished >= asked - NODE_CLOCK_TOLERANCE_MS
    ? { reason: 'PodDeleted', message: `pod ${metadata.name} was deleted while its program ran` }
    : undefined;
}

/** A pod that failed before its program ran. */
function neverStarted({ metadata, status }: PodObject, main: ContainerStatus | undefined): Explanation {
  const failedInit = status?.initContainerStatuses?.find(
    ({ state }) => (state?.terminated?.exitCode ?? 0) !== 0,
  );
  if (failedInit?.state?.terminated !== undefined) {
    const { exitCode, message } = failedInit.state.terminated;
    const said = message === undefined || message === '' ? '' : `: ${message}`;
    return {
      reason: 'InitContainerFailed',
      message: `init container ${failedInit.name} ended with exit code ${exitCode}${said}`,
    };
  }
  const waiting = main?.state?.waiting;
  return {
    reason: waiting?.reason ?? 'PodFailed',
    message:
      waiting?.message ?? status?.message ?? `pod ${metadata.name} ended without having run its program`,
  };
}

function exited(pod: PodObject, terminated: TerminatedState): Exited {
  const { message, truncated } = boundedMessage(terminated.message ?? '');
  const messageLimitBytes = messageLimitOf(pod);
  return {
    kind: 'Exited',
    exitCode: terminated.exitCode,
    ...(terminated.reason ? { reason: terminated.reason } : {}),
    message,
    ...(truncated ? { truncated } : {}),
    ...(messageLimitBytes < RESULT_FILE_LIMIT_BYTES ? { messageLimitBytes } : {}),
    ...startOf(terminated),
  };
}

/** All containers of a pod share what a kubelet tells of their messages (`normalizeStatus` in its status_manager.go). */
function messageLimitOf({ spec }: PodObject): number {
  const containers = [spec?.containers, spec?.initContainers, spec?.ephemeralContainers];
  return Math.floor(MESSAGES_OF_POD_BYTES / containers.flatMap((some) => some ?? []).length);
}

const startOf = (terminated: TerminatedState | undefined): { readonly startedAt?: number } => {
  const startedAt = timeOf(terminated?.startedAt);
  return startedAt === undefined ? {} : { startedAt };
};

/** A kubelet never writes more; whoever else writes a status must not fill our memory. */
function boundedMessage(message: string): { readonly message: string; readonly truncated: boolean } {
  if (Buffer.byteLength(message) <= RESULT_FILE_LIMIT_BYTES) return { message, truncated: false };
  const cut = Buffer.from(message).subarray(0, RESULT_FILE_LIMIT_BYTES).toString();
  // A character that was cut in two has become one replacement character.
  return { message: cut.replace(/\uFFFD$/, ''), truncated: true };
}

/** When the program ended, else the last time that the status tells of. */
function endedAt(pod: PodObject, main: ContainerStatus | undefined): number {
  const finished = timeOf(main?.state?.terminated?.finishedAt);
  if (finished !== undefined) return finished;
  const changes = (pod.status?.conditions ?? []).map(({ lastTransitionTime }) => timeOf(lastTransitionTime));
  return [...changes, timeOf(pod.status?.startTime)].reduce<number>(
    (latest, time) => Math.max(latest, time ?? 0),
    createdAt(pod),
  );
}

/** What a kubelet says of a container that only has its turn to come. */
const IN_PREPARATION = new Set(['ContainerCreating', 'PodInitializing']);

/** Why a pod waits: for an image or configuration, of its program or of a container that comes before or beside it, or for a node. */
function waitingFor(
  { status }: PodObject,
  main: ContainerStatus | undefined,
): { readonly reason?: string; readonly message?: string } {
  const waiting = main?.state?.waiting;
  const all = [main, ...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])];
  for (const container of all) {
    const { reason, message } = container?.state?.waiting ?? {};
    if (!reason || IN_PREPARATION.has(reason)) continue;
    return explained(
      reason,
      container === main ? message : `container ${container?.name}: ${message ?? reason}`,
    );
  }
  const scheduled = status?.conditions?.find(({ type }) => type === 'PodScheduled');
  if (scheduled?.status === 'False') return explained(scheduled.reason ?? 'Unscheduled', scheduled.message);
  return waiting?.reason ? { reason: waiting.reason } : {};
}

const explained = (reason: string, message: string | undefined): { reason: string; message?: string } =>
  message === undefined ? { reason } : { reason, message };

const createdAt = ({ metadata }: PodObject): number => timeOf(metadata.creationTimestamp) ?? 0;
