import { ConditionType } from '../api/v1alpha1/constants.ts';
import type { BatchTestStatus, Condition } from '../api/v1alpha1/status.ts';
import { finishedCondition } from '../core/status.ts';

/** A BatchTest of a cluster as far as its status is told of. */
export interface StatusObject {
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly uid: string;
    readonly creationTimestamp: string;
    readonly deletionTimestamp?: string;
  };
  readonly status?: BatchTestStatus;
}

/**
 * What a run of a cluster does now.
 * - `Unattended`: no operator has picked it up.
 * - `Running`: trials run. `Waiting`: they do not, and `waitingFor` says why.
 * - `Suspended`: by `spec.suspend`.
 * - `Complete`, `Failed`, `Cancelled`: it is over.
 */
export type RunPhase =
  | 'Unattended'
  | 'Running'
  | 'Waiting'
  | 'Suspended'
  | 'Complete'
  | 'Failed'
  | 'Cancelled';

/** As JSON it is what `batchtest status -o json` prints. Fields are added to it, never renamed or removed. Times are ISO 8601 in UTC. */
export interface RunStatus {
  readonly name: string;
  readonly namespace: string | null;
  readonly uid: string;
  readonly phase: RunPhase;
  /** True when the object has been asked to go. */
  readonly deleting: boolean;
  readonly createdAt: string;
  readonly finishedAt: string | null;
  /** Null before an operator has written it, as what follows. */
  readonly trials: BatchTestStatus['trials'] | null;
  readonly variants: BatchTestStatus['variants'] | null;
  /** The best variant so far, final once the run is over. */
  readonly best: {
    readonly name: string;
    readonly score: number;
    /** The first ten of those that cannot be told apart from it, once the run is over. */
    readonly ties: readonly string[];
    readonly tieCount: number | null;
  } | null;
  readonly gate: 'Passed' | 'Failed' | null;
  /** Why nothing moves; null while trials run, and once the run is over. */
  readonly waitingFor: { readonly reason: string; readonly message: string } | null;
  readonly conditions: readonly Condition[];
}

/** What the object of a run says of it. The same object gives the same status. */
export function runStatus({ metadata, status }: StatusObject): RunStatus {
  const waitingFor = waitingForOf(status);
  const best = status?.best;
  return {
    name: metadata.name,
    namespace: metadata.namespace ?? null,
    uid: metadata.uid,
    phase: phaseOf(status, waitingFor !== null),
    deleting: metadata.deletionTimestamp !== undefined,
    createdAt: isoTime(metadata.creationTimestamp),
    finishedAt: status?.completionTime === undefined ? null : isoTime(status.completionTime),
    trials: status?.trials ?? null,
    variants: status?.variants ?? null,
    best:
      best === undefined
        ? null
        : {
            name: best.name,
            score: Number(best.score),
            ties: best.ties ?? [],
            tieCount: best.tieCount ?? null,
          },
    gate: status?.gate ?? null,
    waitingFor,
    conditions: status?.conditions ?? [],
  };
}

function phaseOf(status: BatchTestStatus | undefined, isWaiting: boolean): RunPhase {
  if (status === undefined) return 'Unattended';
  switch (finishedCondition(status)?.type) {
    case ConditionType.Complete:
      return 'Complete';
    case ConditionType.Failed:
      return 'Failed';
    case ConditionType.Cancelled:
      return 'Cancelled';
  }
  if (conditionOf(status, ConditionType.Suspended)?.status === 'True') return 'Suspended';
  return isWaiting ? 'Waiting' : 'Running';
}

function waitingForOf(status: BatchTestStatus | undefined): RunStatus['waitingFor'] {
  if (status === undefined) return { reason: 'NoOperator', message: 'no operator has picked it up' };
  if (finishedCondition(status) !== undefined) return null;
  const store = conditionOf(status, ConditionType.ResultStoreAvailable);
  if (store?.status === 'False') return explained(store);
  const suspended = conditionOf(status, ConditionType.Suspended);
  if (suspended?.status === 'True') return explained(suspended);
  const progressing = conditionOf(status, ConditionType.Progressing);
  return progressing === undefined || progressing.reason === 'Running' ? null : explained(progressing);
}

const explained = ({ reason, message }: Condition) => ({ reason, message });

const conditionOf = ({ conditions }: BatchTestStatus, type: string): Condition | undefined =>
  conditions?.find((condition) => condition.type === type);

/** Times of objects have no fraction of a second; those of reports have. */
const isoTime = (time: string): string => new Date(time).toISOString();
