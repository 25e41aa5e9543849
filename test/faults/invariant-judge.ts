/**
 * Judges a run by what others saw of it: an independent watch of the cluster, and the rows in Postgres. Nothing of the operator's own
 * account is believed, its status included: that is one of the things judged.
 */
import {
  LABEL_ATTEMPT,
  LABEL_REPETITION,
  LABEL_RUN_UID,
  LABEL_VARIANT_ID,
} from '../../src/api/v1alpha1/constants.ts';
import type { ObjectMeta, PodObject } from '../../src/engine/kubernetes/kubernetes-objects.ts';
import {
  type BatchTestObject,
  type Change,
  carrierCreations,
  carrierOfPod,
  conditionOf,
  creationsAboveParallelism,
  isOfCarrier,
  lastOf,
  present,
  runOf,
} from '../integration/watch-recorder.ts';

export type Invariant = 'I1' | 'I2' | 'I3' | 'I4' | 'I5' | 'I6' | 'I7' | 'I8';

export interface Violation {
  readonly invariant: Invariant;
  /** What was seen, in words that name it. */
  readonly evidence: string;
}

export interface StoredTrial {
  readonly variantId: string;
  readonly repetition: number;
  readonly phase: 'Pending' | 'Succeeded' | 'Failed' | 'Cancelled';
  readonly acceptedAttempt: number | null;
}

export interface StoredAttempt {
  readonly variantId: string;
  readonly repetition: number;
  readonly attempt: number;
  readonly name: string;
  readonly outcome: string;
  readonly exitCode: number | null;
}

/** A row of the outbox: something that was committed, and when. */
export interface StoredEvent {
  readonly kind: 'ResultStored' | 'RunFinished';
  /** What a result made of its trial; null for the end of the run. */
  readonly trialPhase: StoredTrial['phase'] | null;
  /** Milliseconds since the epoch, by the clock of the server, a moment before its commit. */
  readonly at: number;
}

/** Everything that Postgres holds of a run, as far as it is judged. */
export interface StoredRunHistory {
  readonly uid: string;
  readonly state: 'Running' | 'Complete' | 'Failed' | 'Cancelled';
  readonly trials: readonly StoredTrial[];
  readonly attempts: readonly StoredAttempt[];
  readonly events: readonly StoredEvent[];
}

export interface JudgedHistory {
  /** All that happened in the namespace, in order. */
  readonly changes: readonly Change[];
  readonly run: StoredRunHistory;
  /** The revision from which on nothing of the run may change any more: it has settled. */
  readonly settledAt?: number;
  /** `performance.timeOrigin` of the recorder of the changes. */
  readonly timeOrigin: number;
}

/** Every breach of I1 to I8 that a settled run shows; none when all hold. */
export function judge(history: JudgedHistory): readonly Violation[] {
  return [
    ...startedAgain(history),
    ...lostOrDoubledResults(history),
    ...creationsAboveParallelism(history.changes, history.run.uid).map((evidence) =>
      breach('I3', `above the parallelism: ${evidence}`),
    ),
    ...notTerminal(history),
    ...orphans(history),
    ...writesAfterTheEnd(history),
    ...untrueStatuses(history),
    ...crossTalk(history),
  ];
}

const breach = (invariant: Invariant, evidence: string): Violation => ({ invariant, evidence });

/** I1: what carries an attempt is made once, attempts of a trial follow one another, and none follows the accepted one. */
function startedAgain({ changes, run }: JudgedHistory): readonly Violation[] {
  const found: Violation[] = [];
  for (const [name, count] of carrierCreations(changes, run.uid))
    if (count > 1) found.push(breach('I1', `${name} was created ${count} times`));
  const accepted = new Map(run.trials.map((trial) => [trialKey(trial), trial.acceptedAttempt]));
  const highest = new Map<string, number>();
  for (const change of changes) {
    if (!isOfCarrier(change) || change.type !== 'ADDED' || runOf(change) !== run.uid) continue;
    const { name } = change.object.metadata;
    const attempt = attemptOf(change.object.metadata);
    const key = trialKey(attempt);
    const last = highest.get(key) ?? 0;
    if (attempt.attempt < last)
      found.push(breach('I1', `${name} is attempt ${attempt.attempt} of ${key}, after attempt ${last}`));
    highest.set(key, Math.max(last, attempt.attempt));
    const success = accepted.get(key) ?? undefined;
    if (success !== undefined && attempt.attempt > success)
      found.push(
        breach(
          'I1',
          `${name} is attempt ${attempt.attempt} of ${key}, whose attempt ${success} was accepted`,
        ),
      );
  }
  return found;
}

/** I2: who was seen to end has one row, which says what was seen; and who has a row was seen. */
function lostOrDoubledResults({ changes, run }: JudgedHistory): readonly Violation[] {
  const found: Violation[] = [];
  const rows = new Map<string, StoredAttempt>();
  for (const row of run.attempts) {
    const key = attemptKey(row);
    if (rows.has(key)) found.push(breach('I2', `attempt ${key} has more than one row`));
    rows.set(key, row);
  }
  const carrierUids = carrierUidsOf(changes, run.uid);
  for (const [name, pod] of endsOf(changes, run.uid)) {
    if (!carrierUids.has(carrierOfPod(pod.metadata).uid)) continue;
    const key = attemptKey(attemptOf(pod.metadata));
    const row = rows.get(key);
    if (row === undefined) {
      found.push(breach('I2', `pod ${name} (attempt ${key}) ended and has no row`));
      continue;
    }
    const exitCode = pod.status?.containerStatuses?.[0]?.state?.terminated?.exitCode;
    // What the operator ended at the same moment may be stored as that.
    const isVerdict = row.outcome === 'Succeeded' || row.outcome === 'TestFailed';
    if (isVerdict && exitCode !== undefined && row.exitCode !== exitCode)
      found.push(
        breach(
          'I2',
          `pod ${name} (attempt ${key}) ended with exit code ${exitCode}; its row says ${row.outcome}, ${row.exitCode}`,
        ),
      );
    if (exitCode === 0 && !['Succeeded', 'ResultInvalid', 'Cancelled', 'TimedOut'].includes(row.outcome))
      found.push(breach('I2', `pod ${name} (attempt ${key}) ended well; its row says ${row.outcome}`));
  }
  const created = carrierCreations(changes, run.uid);
  // A start that the cluster refused has a row and was never there.
  for (const { name, outcome, ...row } of run.attempts)
    if (outcome !== 'Infrastructure' && !created.has(name))
      found.push(breach('I2', `row ${attemptKey(row)} (${outcome}) is of ${name}, which nobody has seen`));
  return found;
}

/** I4: the run is over, says so everywhere, and its counts add up. */
function notTerminal({ changes, run }: JudgedHistory): readonly Violation[] {
  const found: Violation[] = [];
  if (run.state === 'Running') found.push(breach('I4', 'the store says that the run is Running'));
  const pending = run.trials.filter(({ phase }) => phase === 'Pending');
  if (run.state !== 'Running' && pending.length > 0)
    found.push(breach('I4', `the run is ${run.state} and ${pending.length} of its trials are Pending`));
  const object = lastOf(changes, run.uid);
  if (object === undefined) return found;
  const final = finalConditionsOf(object);
  if (final.length !== 1 || final[0] !== run.state)
    found.push(
      breach('I4', `the store says ${run.state}, the object ${final.join(' and ') || 'that it is not over'}`),
    );
  const { trials } = object.status ?? {};
  if (trials === undefined) return [...found, breach('I4', 'the object has no counts')];
  const { total, pending: waiting, running, succeeded, failed, cancelled, skipped = 0 } = trials;
  if (waiting + running + succeeded + failed + cancelled + skipped !== total || total !== run.trials.length)
    found.push(breach('I4', `the counts do not add up to ${run.trials.length}: ${JSON.stringify(trials)}`));
  const stored = countsOf(run);
  if (stored.succeeded !== succeeded || stored.failed !== failed || stored.cancelled !== cancelled)
    found.push(
      breach('I4', `the store counts ${JSON.stringify(stored)}, the object ${JSON.stringify(trials)}`),
    );
  return found;
}

/** I5: nothing lives any more; of a run whose object is gone, nothing is there at all. */
function orphans({ changes, run }: JudgedHistory): readonly Violation[] {
  const found: Violation[] = [];
  const pods = present(changes, run.uid, 'Pod');
  const carriers = present(changes, run.uid, 'Carrier');
  const wasSeen = changes.some((change) => change.kind === 'BatchTest' && runOf(change) === run.uid);
  const object = lastOf(changes, run.uid);
  if (wasSeen && object === undefined)
    return [...new Set([...carriers, ...pods])].map((name) =>
      breach('I5', `${name} is there, and its BatchTest is gone`),
    );
  const ends = endsOf(changes, run.uid);
  for (const name of pods) if (!ends.has(name)) found.push(breach('I5', `pod ${name} runs on`));
  const ended = new Set([...ends.values()].map(({ metadata }) => carrierOfPod(metadata).name));
  for (const name of carriers)
    if (!ended.has(name)) found.push(breach('I5', `${name} is there, and no pod of it has ended`));
  if ((object?.metadata.finalizers ?? []).length > 0)
    found.push(breach('I5', `the object still has finalizers: ${object?.metadata.finalizers?.join(', ')}`));
  return found;
}

/** I6: a settled run is left alone. */
function writesAfterTheEnd({ changes, run, settledAt }: JudgedHistory): readonly Violation[] {
  if (settledAt === undefined) return [];
  return changes
    .filter((change) => change.revision > settledAt && runOf(change) === run.uid)
    .map(({ kind, type, object, revision }) =>
      breach('I6', `revision ${revision}: ${kind} ${object.metadata.name} ${type} after the run had settled`),
    );
}

/** I7: what a status says never goes back, and was committed before. */
function untrueStatuses({ changes, run, timeOrigin }: JudgedHistory): readonly Violation[] {
  const found: Violation[] = [];
  const before = { succeeded: 0, failed: 0, cancelled: 0 };
  for (const change of changes) {
    if (change.kind !== 'BatchTest' || runOf(change) !== run.uid || change.type === 'DELETED') continue;
    const { status, metadata } = change.object;
    const at = `revision ${change.revision}`;
    for (const { type, observedGeneration } of status?.conditions ?? [])
      if (observedGeneration === undefined || observedGeneration > metadata.generation)
        found.push(
          breach('I7', `${at}: ${type} is of generation ${observedGeneration} of ${metadata.generation}`),
        );
    const now = status?.trials;
    if (now === undefined) continue;
    for (const count of ['succeeded', 'failed', 'cancelled'] as const) {
      if (now[count] < before[count])
        found.push(breach('I7', `${at}: ${count} went from ${before[count]} back to ${now[count]}`));
      before[count] = now[count];
    }
    const seenAt = timeOrigin + change.at;
    const stored = (phase: StoredTrial['phase']) =>
      run.events.filter(({ trialPhase, at: storedAt }) => trialPhase === phase && storedAt <= seenAt).length;
    for (const [count, phase] of [
      ['succeeded', 'Succeeded'],
      ['failed', 'Failed'],
    ] as const)
      if (now[count] > stored(phase))
        found.push(
          breach('I7', `${at}: the status says ${now[count]} ${count}, ${stored(phase)} were stored by then`),
        );
    const isOver = run.events.some(({ kind, at: storedAt }) => kind === 'RunFinished' && storedAt <= seenAt);
    if (finalConditionsOf(change.object).length > 0 && !isOver)
      found.push(breach('I7', `${at}: the status says that the run is over, which was not stored by then`));
  }
  return found;
}

/** I8: what carries the run's UID belongs to it, and what is stored of it is its own. */
function crossTalk({ changes, run }: JudgedHistory): readonly Violation[] {
  const found: Violation[] = [];
  const carrierUids = carrierUidsOf(changes, run.uid);
  const foreign = new Map<string, string>();
  for (const change of changes) {
    if (change.kind === 'BatchTest' || change.type !== 'ADDED') continue;
    const { name, ownerReferences, labels } = change.object.metadata;
    const owner = ownerReferences?.[0];
    if (isOfCarrier(change)) foreign.set(name, labels?.[LABEL_RUN_UID] ?? 'nobody');
    if (runOf(change) !== run.uid) continue;
    if (isOfCarrier(change) && owner?.uid !== run.uid)
      found.push(
        breach(
          'I8',
          `${change.kind} ${name} carries the run's UID and belongs to ${owner?.kind} ${owner?.uid}`,
        ),
      );
    if (change.kind === 'Pod' && !carrierUids.has(carrierOfPod(change.object.metadata).uid))
      found.push(breach('I8', `pod ${name} carries the run's UID and carries no attempt of it`));
  }
  for (const { name } of run.attempts) {
    const owner = foreign.get(name);
    if (owner !== undefined && owner !== run.uid) found.push(breach('I8', `row ${name} is of run ${owner}`));
  }
  return found;
}

interface AttemptIdentity {
  readonly variantId: string;
  readonly repetition: number;
  readonly attempt: number;
}

/** Which attempt a Job or pod is, by the labels that the operator gave it. */
export function attemptOf({ labels = {} }: ObjectMeta): AttemptIdentity {
  return {
    variantId: labels[LABEL_VARIANT_ID] ?? '',
    repetition: Number(labels[LABEL_REPETITION]),
    attempt: Number(labels[LABEL_ATTEMPT]),
  };
}

const trialKey = ({ variantId, repetition }: Pick<AttemptIdentity, 'variantId' | 'repetition'>): string =>
  `${variantId}/${repetition}`;
const attemptKey = (attempt: AttemptIdentity): string => `${trialKey(attempt)}/${attempt.attempt}`;

/** The pods of a run that were seen to end by themselves, as they were then. */
function endsOf(changes: readonly Change[], runUid: string): ReadonlyMap<string, PodObject> {
  const ends = new Map<string, PodObject>();
  for (const change of changes) {
    if (change.kind !== 'Pod' || runOf(change) !== runUid) continue;
    const { metadata, status } = change.object;
    if (['Succeeded', 'Failed'].includes(status?.phase ?? '') && !ends.has(metadata.name))
      ends.set(metadata.name, change.object);
  }
  return ends;
}

const carrierUidsOf = (changes: readonly Change[], runUid: string): ReadonlySet<string> =>
  new Set(
    changes.flatMap((change) =>
      isOfCarrier(change) && runOf(change) === runUid ? [change.object.metadata.uid] : [],
    ),
  );

const finalConditionsOf = (object: BatchTestObject): readonly string[] =>
  ['Complete', 'Failed', 'Cancelled'].filter((type) => conditionOf(object, type)?.status === 'True');

function countsOf({ trials }: StoredRunHistory) {
  const count = (phase: StoredTrial['phase']) => trials.filter((trial) => trial.phase === phase).length;
  return { succeeded: count('Succeeded'), failed: count('Failed'), cancelled: count('Cancelled') };
}
