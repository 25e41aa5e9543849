import type { BatchTestStatus } from '../api/v1alpha1/status.ts';
import { isFinished } from '../core/status.ts';
import type { RunSource } from '../engine/run-source.ts';

/** Where statuses go. */
type StatusTarget = Pick<RunSource, 'writeStatus'>;

interface WrittenStatus {
  readonly uid: string;
  /** Undefined when it was not wanted any more: what is told of the run is somebody else's. */
  readonly text: string | undefined;
  readonly at: number;
}

/**
 * Writes statuses to a source: none that says what was written before, and no two of one run closer together than the interval. The
 * one that ends a run is written at once.
 */
export class StatusWriter {
  readonly #source: StatusTarget;
  readonly #intervalMs: number;
  readonly #now: () => number;
  /** By key, of the object that was there last: an object that went may never have had a run, or one that is over and was forgotten before it. */
  readonly #written = new Map<string, WrittenStatus>();

  constructor(source: StatusTarget, intervalMs: number, now: () => number) {
    this.#source = source;
    this.#intervalMs = intervalMs;
    this.#now = now;
  }

  /** Writes the status, or gives the time (milliseconds since the epoch) at which it may be written. */
  async write(key: string, uid: string, status: BatchTestStatus): Promise<number | undefined> {
    const text = JSON.stringify(status);
    if (this.#of(key, uid)?.text === text) return undefined;
    const heldUntil = isFinished(status) ? undefined : this.heldUntil(key, uid);
    if (heldUntil !== undefined) return heldUntil;
    const isWritten = await this.#source.writeStatus(key, uid, status);
    this.#written.set(key, { uid, text: isWritten ? text : undefined, at: this.#now() });
    return undefined;
  }

  /** True for a status that says what was written last. */
  isWritten(key: string, uid: string, status: BatchTestStatus): boolean {
    return this.#of(key, uid)?.text === JSON.stringify(status);
  }

  /**
   * Until when (milliseconds since the epoch) no status of a run is written, but the one that ends it; undefined when one may be written
   * now. Asked before a status is worked out, which takes longer than everything else that happens when a trial ends.
   */
  heldUntil(key: string, uid: string): number | undefined {
    const before = this.#of(key, uid);
    if (before === undefined) return undefined;
    const since = this.#now() - before.at;
    // Negative when the clock was set back, which must not silence a run for as long as that.
    return since >= 0 && since < this.#intervalMs ? before.at + this.#intervalMs : undefined;
  }

  /** The last status written of a run. */
  last(key: string, uid: string): BatchTestStatus | undefined {
    const text = this.#of(key, uid)?.text;
    return text === undefined ? undefined : JSON.parse(text);
  }

  forget(key: string): void {
    this.#written.delete(key);
  }

  #of(key: string, uid: string): WrittenStatus | undefined {
    const written = this.#written.get(key);
    return written?.uid === uid ? written : undefined;
  }
}
