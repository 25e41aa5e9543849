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
  /** Once we were asked to do something for the run: what carries its UID anywhere else is a forgery. */
  namespace: string | undefined;
  readonly records: Map<string, AttemptRecord>;
  /** What is shown of them, kept apart because it is asked for on every event of a run that may have 10,000. */
  readonly shown: Map<string, ObservedAttempt>;
}

const NONE: ReadonlySet<string> = new Set();

/** The records of all attempts, by run. */
export class AttemptIndex {
  readonly #runs = new Map<string, RunRecords>();

  find(runUid: string, namespace: string, name: string): AttemptRecord | undefined {
    return this.#runs.get(runUid)?.records.get(keyOf(namespace, name));
  }

  /** All records of a run in a namespace, in no order. */
  recordsOf(runUid: string, namespace: string): readonly AttemptRecord[] {
    const records = this.#runs.get(runUid)?.records.values() ?? [];
    return [...records].filter((record) => record.namespace === namespace);
  }

  /** The record of this attempt; a new, empty one when there was none. */
  ensure({ runUid, namespace, name, key }: RecordIdentity, now: number): AttemptRecord {
    const run = this.#runs.get(runUid) ?? { namespace: undefined, records: new Map(), shown: new Map() };
    this.#runs.set(runUid, run);
    const recordKey = keyOf(namespace, name);
    const known = run.records.get(recordKey);
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
    run.records.set(recordKey, record);
    return record;
  }

  /** Takes note of where a run is. */
  noteNamespace(runUid: string, namespace: string): void {
    const run = this.#runs.get(runUid);
    if (run === undefined || run.namespace === namespace) return;
    run.namespace = namespace;
    for (const record of run.records.values()) this.show(record);
  }

  /** Takes over what the record says to show. */
  show({ runUid, namespace, name, shown }: AttemptRecord): void {
    const run = this.#runs.get(runUid);
    if (run === undefined) return;
    if (shown === undefined || (run.namespace ?? namespace) !== namespace)
      run.shown.delete(keyOf(namespace, name));
    else run.shown.set(keyOf(namespace, name), shown);
  }

  forget({ runUid, namespace, name }: AttemptRecord): void {
    const run = this.#runs.get(runUid);
    run?.records.delete(keyOf(namespace, name));
    run?.shown.delete(keyOf(namespace, name));
    if (run?.records.size === 0) this.#runs.delete(runUid);
  }

  /** What is shown of the attempts of a run in its own namespace, in no order. */
  shownOf(runUid: string): readonly ObservedAttempt[] {
    return [...(this.#runs.get(runUid)?.shown.values() ?? [])];
  }
}
