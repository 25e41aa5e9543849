import type { BatchTest } from '../api/v1alpha1/schema.ts';
import type { BatchTestStatus } from '../api/v1alpha1/status.ts';
import type { RunEnd } from '../core/plan.ts';

/** A run of a cluster that is over and whose stored results cannot be read: what its object said of it last. */
export interface UnreadRun {
  readonly uid: string;
  readonly manifest: BatchTest;
  readonly namespace: string;
  /** How the run ended, by the object. */
  readonly end: RunEnd;
  /** When the object was created, as ISO 8601 in UTC. */
  readonly createdAt: string;
  /** Undefined when no operator ever wrote one. */
  readonly status: BatchTestStatus | undefined;
  readonly problem: UnreadProblem;
}

/**
 * Why nothing stored could be read.
 * - `NotThere`: the result store of this process is another than the operator's.
 * - `Unavailable`: it cannot be read now.
 * - `NotEnded`: the operator has not stored the end yet.
 */
export interface UnreadProblem {
  readonly kind: 'NotThere' | 'Unavailable' | 'NotEnded';
  /** The rest of a sentence that begins with the run or its results. */
  readonly message: string;
}
