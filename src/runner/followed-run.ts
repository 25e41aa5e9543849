import { FINAL_CONDITIONS } from '../api/v1alpha1/constants.ts';
import type { BatchTestStatus } from '../api/v1alpha1/status.ts';
import type { RunEnd } from '../core/plan.ts';
import { finishedCondition } from '../core/status.ts';
import type { KubeClient } from '../engine/kubernetes/kube-client.ts';
import { Reflector } from '../engine/kubernetes/reflector.ts';
import { type BatchTestObject, collectionPath } from './batchtest-object.ts';
import { clusterError } from './cluster.ts';
import { toleratedListener } from './tolerated-listener.ts';

/** An operator that works writes a first status within a second or two. */
const NO_OPERATOR_NOTICE_MS = 10_000;
/** Failures in a row, without a sign of the server in between, after which a person is told. */
const FAILURES_BEFORE_NOTICE = 3;

export interface FollowOptions {
  /** Aborting it stops the following; the run goes on. */
  readonly signal: AbortSignal;
  /** Told of the object with each change of it, from how it is found on. */
  readonly onChange?: (object: BatchTestObject) => void;
  /** Told in a sentence for a person what the run, or the one who follows it, waits for; once for each such thing. */
  readonly onNotice?: (notice: string) => void;
}

/** Why an object is followed no more; with it as it was seen last. */
export type FollowOutcome =
  | { readonly kind: 'Over'; readonly end: RunEnd; readonly status: BatchTestStatus }
  /** It was deleted before its run was over; undefined when no operator ever wrote a status. */
  | { readonly kind: 'Deleted'; readonly status: BatchTestStatus | undefined }
  /** The signal was aborted. */
  | { readonly kind: 'Left'; readonly status: BatchTestStatus | undefined };

/**
 * Follows one object, told by its UID, until its run is over or the object is gone. Whatever goes wrong with the connection, it tries
 * again until the signal is aborted.
 */
export async function followedRun(
  client: KubeClient,
  object: FollowedObject,
  options: FollowOptions,
): Promise<FollowOutcome> {
  const seen = await lastSeen(client, object, options);
  return seen.kind === 'Over' ? { ...seen, end: endOf(seen.status) } : seen;
}

/** Which object is followed. */
export interface FollowedObject {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
}

type LastSeen =
  | Exclude<FollowOutcome, { kind: 'Over' }>
  | { readonly kind: 'Over'; readonly status: BatchTestStatus };

function lastSeen(
  client: KubeClient,
  { namespace, name, uid }: FollowedObject,
  { signal, onChange, onNotice }: FollowOptions,
): Promise<LastSeen> {
  let status: BatchTestStatus | undefined;
  let unattended: NodeJS.Timeout | undefined;
  const failures = new FailuresInARow();
  const changed = toleratedListener(onChange, 'what was to be told of the run', onNotice);
  return new Promise((resolve) => {
    const settle = (outcome: LastSeen) => {
      clearTimeout(unattended);
      signal.removeEventListener('abort', leave);
      void reflector.stop().then(() => resolve(outcome));
    };
    const leave = () => settle({ kind: 'Left', status });
    const reflector = new Reflector<BatchTestObject, Followed>({
      client,
      path: collectionPath(namespace),
      fieldSelector: `metadata.name=${name}`,
      project: (object) =>
        object.metadata.uid === uid
          ? { uid, resourceVersion: object.metadata.resourceVersion, object }
          : undefined,
      onChange: (_key, _before, after) => {
        if (after === undefined) return settle({ kind: 'Deleted', status });
        changed(after.object);
        if (after.object.status === undefined) return;
        clearTimeout(unattended);
        status = after.object.status;
        if (finishedCondition(status) !== undefined) settle({ kind: 'Over', status });
      },
      onProblem: ({ error }) => {
        if (failures.note(reflector.lastActivityAt) === FAILURES_BEFORE_NOTICE)
          onNotice?.(`${clusterError(error, client).message}; still trying`);
      },
    });
    signal.addEventListener('abort', leave);
    if (signal.aborted) return leave();
    reflector.start();
    void reflector.whenSynced().then(
      () => {
        // Gone before the first list: no change will ever tell.
        if (reflector.size === 0) settle({ kind: 'Deleted', status });
        else if (status === undefined)
          unattended = setTimeout(
            () => onNotice?.(noOperatorNotice(namespace, name)),
            NO_OPERATOR_NOTICE_MS,
          ).unref();
      },
      () => undefined,
    );
  });
}

interface Followed {
  readonly uid: string;
  readonly resourceVersion: string;
  readonly object: BatchTestObject;
}

/** Counts failures that no sign of the server came between. */
class FailuresInARow {
  #count = 0;
  #heardAt = 0;

  /** @returns how many there are, this one included */
  note(heardAt: number): number {
    this.#count = heardAt === this.#heardAt ? this.#count + 1 : 1;
    this.#heardAt = heardAt;
    return this.#count;
  }
}

const noOperatorNotice = (namespace: string, name: string): string =>
  `no operator has picked up BatchTest ${namespace}/${name} within ${NO_OPERATOR_NOTICE_MS / 1_000} s: is the operator running, and does it watch the namespace ${namespace}? Still waiting for it`;

/** What a final condition says, when the stored run is out of reach. */
function endOf(status: BatchTestStatus): RunEnd {
  const condition = finishedCondition(status);
  const reasons: readonly RunEnd['reason'][] = [
    'AllTrialsSucceeded',
    'StoppedEarly',
    'TargetMet',
    'VariantsFailed',
    'InfrastructureFailed',
    'TooManyFailedVariants',
    'SharedDataChanged',
    'DeadlineExceeded',
    'CancelRequested',
    'Deleted',
    'InvalidSpec',
  ];
  const reason = reasons.find((known) => known === condition?.reason);
  const state = FINAL_CONDITIONS.find((known) => known === condition?.type);
  if (condition === undefined || reason === undefined || state === undefined)
    throw new Error(`a condition of another version of the operator: ${JSON.stringify(condition)}`);
  return { state, reason, message: condition.message };
}
