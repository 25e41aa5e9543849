import type { BatchTest } from '../api/v1alpha1/schema.ts';
import type { BatchTestStatus } from '../api/v1alpha1/status.ts';
import type { RunControls } from '../core/run.ts';

interface DesiredObject {
  /** Identifies the run; another UID under the same key is another run. */
  readonly uid: string;
  /** `metadata.generation` of the object; undefined where there is none. */
  readonly generation: number | undefined;
  /** The status that was last written, as far as the source has seen. */
  readonly status: BatchTestStatus | undefined;
  /** When its deletion was asked for (milliseconds since the epoch); undefined when it was not. */
  readonly deletedAt: number | undefined;
  /** True while the object cannot go before it is let go: see {@link RunSource.hold}. */
  readonly isHeld: boolean;
}

/** What a user wants now of one run. */
export type DesiredRun =
  | (DesiredObject & {
      readonly kind: 'Runnable';
      readonly manifest: BatchTest;
      /** Where the object has fields that this version does not know, and that count for nothing: `spec.comparison.later`. */
      readonly ignoredFields: readonly string[];
      readonly cancel: RunControls['cancel'];
    })
  /** The object is there and cannot be run; `message` names the field, the value and what was expected. */
  | (DesiredObject & {
      readonly kind: 'Invalid';
      readonly message: string;
      readonly metadata: Pick<BatchTest['metadata'], 'name' | 'namespace'>;
    });

/** Where wanted runs come from and where their status goes: BatchTest objects in a cluster, one manifest locally. */
export interface RunSource {
  /** What relative paths of its manifests are relative to; undefined in a cluster. */
  readonly directory: string | undefined;
  /** What is wanted under a key now; undefined when nothing is (any more). Cheap: called on every event. */
  get(key: string): DesiredRun | undefined;
  /** The keys of everything that is wanted now. */
  keys(): Iterable<string>;
  /** The key of the run with this UID; undefined when it is not known. */
  keyOf(uid: string): string | undefined;
  /**
   * Writes the status of the run; rejects when it may not have been written. Resolves with false when there is nothing to be told any more: the object is gone,
   * or tells of an end of the run that this status does not know.
   */
  writeStatus(key: string, uid: string, status: BatchTestStatus): Promise<boolean>;
  /** Keeps the object from going, should it be deleted, until {@link letGo}. Idempotent; resolves as well when the object is gone. */
  hold(key: string, uid: string): Promise<void>;
  /** Undoes {@link hold}. Idempotent; resolves as well when the object is gone. */
  letGo(key: string, uid: string): Promise<void>;
  /** Deletes the object. Idempotent. */
  remove(key: string, uid: string): Promise<void>;
  /** Calls the listener with the key of every run whose wanted state changed, or whose end the status tells of. Returns how to stop that. */
  onChange(listener: (key: string) => void): () => void;
}
