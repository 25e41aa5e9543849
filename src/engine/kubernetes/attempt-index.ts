import type { AttemptKey, ObservedAttempt } from '../../core/attempt.ts';
import type { AttemptRecord } from './attempt-record.ts';
import { keyOf } from './reflector.ts';

/** Where a record belongs, as an object's labels or a request say. */
export interface RecordIdentity {
  readonly runUid: string;
  readonly namespace: string;
  readonly name: string;
  readonly key: AttemptKey;
}

interface RunRecords {
  /** By name. */
  readonly records: Map<string, AttemptRecord>;
  /** What is shown of them, kept apart because it is asked for on every event of a run that may have 10,000. */
  readonly shown: Map<string, ObservedAttempt>;
}

const NONE: ReadonlySet<string> = new Set();

/**
 * The records of all attempts, by run and namespace: a run is where its object is, and whoever writes its UID on something elsewhere must not be believed, from
 * the first look on.
 */
export class AttemptIndex {
  /** By namespace and UID of the run. */
  readonly #runs = new Map<string, RunRecords>();

  find(runUid: string, namespace: string, name: string): AttemptRecord | undefined {
    return this.#runs.get(keyOf(namespace, runUid))?.records.get(name);
  }

  /** All records of a run in a namespace, in no order. */
  recordsOf(runUid: string, namespace: string): readonly AttemptRecord[] {
    return [...(this.#runs.get(keyOf(namespace, runUid))?.records.values() ?? [])];
  }

  /** The record of this attempt; a new, empty one when there was none. */
  ensure({ runUid, namespace, name, key }: RecordIdentity, now: number): AttemptRecord {
    const runKey = keyOf(namespace, runUid);
    const run = this.#runs.get(runKey) ?? { records: new Map(), shown: new Map() };
    this.#runs.set(runKey, run);
    const known = run.records.get(name);
    if (known !== undefined) return known;
    const record: AttemptRecord = {
      ...key,
      runUid,
      namespace,
      name,
      startingSince: undefined,
      carrier: undefined,
      carrierUids: new Set(),
      pods: new Map(),
      podWasSeen: false,
      end: undefined,
      interruptedPods: NONE,
      removal: undefined,
      changedAt: now,
      shown: undefined,
    };
    run.records.set(name, record);
    return record;
  }

  /** Takes over what the record says to show. */
  show({ runUid, namespace, name, shown }: AttemptRecord): void {
    const run = this.#runs.get(keyOf(namespace, runUid));
    if (shown === undefined) run?.shown.delete(name);
    else run?.shown.set(name, shown);
  }

  forget({ runUid, namespace, name }: AttemptRecord): void {
    const runKey = keyOf(namespace, runUid);
    const run = this.#runs.get(runKey);
    run?.records.delete(name);
    run?.shown.delete(name);
    if (run?.records.size === 0) this.#runs.delete(runKey);
  }

  /** What is shown of the attempts of a run in its namespace, in no order. */
  shownOf(runUid: string, namespace: string): readonly ObservedAttempt[] {
    return [...(this.#runs.get(keyOf(namespace, runUid))?.shown.values() ?? [])];
  }
}
