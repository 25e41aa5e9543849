import type { BatchTest } from '../api/v1alpha1/schema.ts';
import type { BatchTestStatus } from '../api/v1alpha1/status.ts';
import type { DesiredRun, RunSource } from '../engine/run-source.ts';

export interface SingleRunOptions {
  readonly uid: string;
  readonly manifest: BatchTest;
  /** What relative paths of the manifest are relative to. */
  readonly directory: string;
  /** What was told of the run before; undefined for a new one. */
  readonly status: BatchTestStatus | undefined;
  readonly onStatus: (status: BatchTestStatus) => void;
}

/** One manifest, wanted once: what a local run is to the controller. Its key is the run's UID. */
export class SingleRunSource implements RunSource {
  readonly directory: string;
  readonly #uid: string;
  readonly #manifest: BatchTest;
  readonly #onStatus: (status: BatchTestStatus) => void;
  readonly #listeners = new Set<(key: string) => void>();
  #status: BatchTestStatus | undefined;
  #cancelRequested = false;

  constructor({ uid, manifest, directory, status, onStatus }: SingleRunOptions) {
    this.directory = directory;
    this.#uid = uid;
    this.#manifest = manifest;
    this.#status = status;
    this.#onStatus = onStatus;
  }

  /** From now on the run is wanted cancelled. */
  requestCancel(): void {
    if (this.#cancelRequested) return;
    this.#cancelRequested = true;
    for (const listener of this.#listeners) listener(this.#uid);
  }

  get(key: string): DesiredRun | undefined {
    if (key !== this.#uid) return undefined;
    return {
      kind: 'Runnable',
      uid: this.#uid,
      manifest: this.#manifest,
      ignoredFields: [],
      generation: undefined,
      status: this.#status,
      cancel: this.#cancelRequested || this.#manifest.spec.cancel ? 'Requested' : undefined,
      deletedAt: undefined,
      isHeld: true,
    };
  }

  keys(): Iterable<string> {
    return [this.#uid];
  }

  keyOf(uid: string): string | undefined {
    return uid === this.#uid ? uid : undefined;
  }

  async writeStatus(_key: string, _uid: string, status: BatchTestStatus): Promise<boolean> {
    this.#status = status;
    this.#onStatus(status);
    return true;
  }

  /** It is there for as long as the process that asks. */
  async hold(): Promise<void> {}
  async letGo(): Promise<void> {}
  async remove(): Promise<void> {}

  onChange(listener: (key: string) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}
