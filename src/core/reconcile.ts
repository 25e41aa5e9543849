/**
 * The decision of the whole product: given what is committed, what the engine sees, what the user wants and the time, what is
 * to be done. Pure: no I/O, no clock, no randomness.
 *
 * Three rules shape it:
 * - A removal is planned only for an attempt whose end the ledger already holds, and the ledger holds only what is committed. So
 *   "record before deleting" needs no care elsewhere. An attempt whose record is under way takes its slot, and is not decided about.
 * - An attempt that is being stopped still takes its slot until the engine no longer sees it, so parallelism is never exceeded.
 * - What has ended takes no slot, so its removal gives way to the start that fills the slot.
 */

import { attemptName, isLive, isUnderWay, type ObservedAttempt } from './attempt.ts';
import { recordOf } from './attempt-record.ts';
import { evaluateCompletion } from './completion-policy.ts';
import { type Halt, haltOf } from './halt.ts';
import { type Judgement, judgeAttempt, type Outcome } from './outcome.ts';
import type {
  Action,
  ObservedAttempts,
  Plan,
  RecordAttempt,
  RemoveAttempt,
  SkipTrials,
  StartAttempt,
} from './plan.ts';
import { preempted } from './preemption.ts';
import { awaitsPushed } from './pushed-result.ts';
import type { RunControls } from './run.ts';
import { isRecorded, type ReadonlyRunLedger } from './run-ledger.ts';
import type { Explanation } from './status.ts';
import { isStoreInTrouble, storeIsSlowAt } from './store-trouble.ts';
import { endsUnseen, endsUnseenSince } from './unseen-ends.ts';
import { waitingOf } from './waiting.ts';

/** Decides the next step of one run. Same inputs, same plan. `now` is in milliseconds since the epoch. */
export function reconcile(
  ledger: ReadonlyRunLedger,
  observed: ObservedAttempts,
  controls: RunControls,
  now: number,
): Plan {
  const own = ownAttempts(ledger, observed);
  const halt = haltOf(ledger, controls, now);
  const endsUnseenFrom = endsUnseenSince(halt, controls, now);
  const situation: Situation = {
    ledger,
    own,
    unseen: countUnseen([...ledger.startsUnderWay, ...ledger.startsBeingAbandoned], own),
    controls,
    now,
    halt,
    mayEnd: endsUnseenFrom === undefined,
  };
  /** Nothing but these before the store has answered. */
  const only = (actions: readonly Action[]): Plan => ({
    actions,
    waiting: undefined,
    requeueAt: nextCheckAt(situation, []),
  });
  // Any trial that is pending may be one of those that are skipped.
  if (ledger.isSkipping || ledger.isFinishing) return only([]);
  const records = [
    ...ledger.unrecordedRefusals.filter(({ trial }) => !ledger.recordsUnderWay.has(trial)),
    ...recordsOfObserved(situation),
    ...recordsOfVanished(situation),
  ];
  if (records.length > 0) return only(records);
  if (isStoreInTrouble(ledger, now)) return only([]);
  const skip = ledger.unconfirmedSkip ?? skipOf(situation);
  // What is under way may yet say that there is less to skip, or more.
  if (skip !== undefined) return ledger.recordsUnderWay.size > 0 ? only([]) : only([skip]);

  const beingRecorded = countUnseen([...ledger.recordsUnderWay.keys()], own);
  const live = own.filter(isOwnLive).length + situation.unseen + beingRecorded;
  const end = evaluateCompletion(ledger, halt, live);
  const removals = own.flatMap((one) => removalOf(situation, one) ?? []);
  // The end of the run is also the promise that nothing is left to be removed.
  if (end !== undefined)
    return {
      actions: removals.length > 0 ? removals : [{ kind: 'FinishRun', end, gate: ledger.gate }],
      waiting: undefined,
      requeueAt: undefined,
    };

  const freeSlots =
    halt === undefined && ledger.ending === undefined ? Math.max(0, controls.parallelism - live) : 0;
  const room = Math.min(freeSlots, pendingRoom(situation));
  const abandoned = startsToAbandon(ledger, room);
  // What may be there unseen counts until it is gone for certain.
  const mayStart = abandoned.length === 0 && !ledger.mayBeStopping;
  const started = mayStart ? starts(situation, Math.min(room, controls.startBudget)) : [];
  const delayMs = removalDelayMs(situation);
  const dueAt = removals.map((removal) => removalDueAt(ledger, removal, delayMs));
  const due = goTogether(situation, delayMs) ? [] : removals.filter((_, index) => (dueAt[index] ?? 0) <= now);
  // It may have run to its end meanwhile.
  const undone = situation.mayEnd ? abandoned : [];
  const actions: readonly Action[] = [...started, ...due, ...undone];
  const isRecording = ledger.recordsUnderWay.size > 0;
  const isHaltUnseen = halt !== undefined && own.some(({ attempt }) => isUnderWay(attempt));
  const waiting = isRecording
    ? undefined
    : ((isHaltUnseen ? endsUnseen(endsUnseenFrom, now) : undefined) ??
      waitingOf(
        ledger,
        own.map(({ attempt }) => attempt),
        controls,
        started.length,
      ));
  return { actions, waiting, requeueAt: nextCheckAt(situation, dueAt) };
}

/**
 * What can still be done when results cannot be stored: an attempt that runs although nothing may is ended all the same. There is no result of
 * it to lose, once it is known to run, and whoever cancels does not wait for a database. What has ended is left alone: until it is stored, the engine has the only copy.
 */
export function endingsWithoutStore(
  ledger: ReadonlyRunLedger,
  observed: ObservedAttempts,
  controls: RunControls,
  now: number,
): EndingsWithoutStore | undefined {
  const why = haltOf(ledger, controls, now);
  if (why === undefined || endsUnseenSince(why, controls, now) !== undefined) return undefined;
  const attempts = ownAttempts(ledger, observed)
    .filter(({ attempt, index }) => isUnderWay(attempt) && !ledger.startsUnderWay.has(index))
    .map(({ attempt }) => attempt);
  return attempts.length === 0 ? undefined : { attempts, why };
}

/** Attempts to be ended before that can be recorded, and what is to be recorded of them later. */
export interface EndingsWithoutStore {
  readonly attempts: readonly ObservedAttempt[];
  readonly why: Explanation;
}

/** An observed attempt of a trial of this run. */
interface OwnAttempt {
  readonly attempt: ObservedAttempt;
  /** Of its trial. */
  readonly index: number;
  /** See {@link isRecorded}. */
  readonly recorded: boolean;
}

/** Each is looked up once, because a run is decided about several times for each trial, and every rule asks for all of them. */
function ownAttempts(ledger: ReadonlyRunLedger, observed: ObservedAttempts): readonly OwnAttempt[] {
  const own: OwnAttempt[] = [];
  for (const attempt of observed) {
    const index = ledger.indexOf(attempt);
    if (index !== undefined) own.push({ attempt, index, recorded: isRecorded(ledger, attempt) });
  }
  return own;
}

const isOwnLive = ({ attempt }: OwnAttempt): boolean => isLive(attempt);

/** What is decided about, and from. */
interface Situation {
  readonly ledger: ReadonlyRunLedger;
  readonly own: readonly OwnAttempt[];
  /** Starts under way, or being abandoned, that the engine does not show as live: their slots are taken until it has answered. */
  readonly unseen: number;
  readonly controls: RunControls;
  readonly now: number;
  readonly halt: Halt | undefined;
  /** False while attempts that are to be ended, and are shown as going on, may have ended before: see {@link endsUnseenSince}. */
  readonly mayEnd: boolean;
}

/** How many of these trials have no live attempt among those that are shown: they take their slots all the same. */
function countUnseen(trials: readonly number[], own: readonly OwnAttempt[]): number {
  if (trials.length === 0) return 0;
  const seen = new Set<number>();
  // An earlier attempt of the same trial may be kept for a look at it.
  for (const { attempt, index, recorded } of own) if (isLive(attempt) && !recorded) seen.add(index);
  return trials.filter((index) => !seen.has(index)).length;
}

/** What need not be run any more; undefined when there is nothing like that. */
function skipOf({ ledger, halt }: Situation): SkipTrials | undefined {
  if (ledger.end !== undefined || ledger.ending !== undefined) return undefined;
  const stops = halt === undefined ? ledger.dueStops : undefined;
  const reason = halt?.reason === 'TargetMet' ? 'TargetMet' : 'StoppedEarly';
  const trials = ledger.skippable(reason === 'TargetMet', stops?.variants ?? []);
  if (stops === undefined && trials.length === 0) return undefined;
  return { kind: 'SkipTrials', reason, trials, stopped: stops?.variants ?? [], look: stops?.look };
}

/** True for a trial of which the start, or the end, of an attempt is under way. */
const isBeingAnswered = ({ startsUnderWay, recordsUnderWay }: ReadonlyRunLedger, index: number): boolean =>
  startsUnderWay.has(index) || recordsUnderWay.has(index);

function recordsOfObserved(situation: Situation): readonly RecordAttempt[] {
  const { ledger, own, controls, now, mayEnd } = situation;
  const records: RecordAttempt[] = [];
  const goesOn: OwnAttempt[] = [];
  for (const one of own) {
    if (one.recorded || isBeingAnswered(ledger, one.index)) continue;
    const judgement = judge(situation, one);
    if (judgement !== undefined) records.push(recordOf(ledger, one.attempt, one.index, judgement, now));
    else if (isUnderWay(one.attempt)) goesOn.push(one);
  }
  if (!mayEnd) return records;
  // What ends for another reason makes room as well.
  const tooMany = preempted(
    goesOn.map(({ attempt }) => attempt),
    controls,
  );
  for (const { attempt, index } of goesOn)
    if (tooMany.has(attempt)) records.push(recordOf(ledger, attempt, index, preemption(controls), now));
  return records;
}

/** The verdict on an attempt that has ended, or that must end now; undefined for one that may go on. */
function judge(
  { ledger, controls, now, halt, mayEnd }: Situation,
  { attempt, index }: OwnAttempt,
): Judgement | undefined {
  const { state } = attempt;
  const { spec } = ledger.definition.manifest;
  if (spec.results.push && awaitsPushed(attempt)) return undefined;
  if (state.kind === 'Ended') return judgeAttempt(state.termination, state.at, spec.objective);
  if (state.kind === 'Running' && state.endedAt !== undefined) return undefined;
  const unconfirmed = ledger.unconfirmed.get(index);
  if (unconfirmed !== undefined) return unconfirmed.judgement;
  const why = (mayEnd ? halt : undefined) ?? ledger.endedUnrecorded.get(index);
  if (why !== undefined) return endedByUs('Cancelled', why.reason, why.message);
  if (mayEnd && ledger.isGivenUp(index))
    return endedByUs(
      'Cancelled',
      'VariantFailed',
      'another trial failed the variant as a whole (spec.failurePolicy)',
    );
  const deadline = deadlineOf(attempt, controls);
  return deadline !== undefined && Math.min(now, controls.seenUntil) >= deadline
    ? overDeadline(attempt, controls)
    : undefined;
}

const preemption = ({ parallelism }: RunControls): Judgement =>
  endedByUs(
    'Cancelled',
    'Preempted',
    `spec.parallelism was lowered to ${parallelism} (spec.scaleDownPolicy Preempt)`,
  );

function overDeadline({ state }: ObservedAttempt, controls: RunControls): Judgement {
  if (state.kind !== 'Waiting')
    return endedByUs(
      'TimedOut',
      'DeadlineExceeded',
      `did not end within ${controls.trialDeadlineSeconds} s (spec.trialDeadlineSeconds)`,
    );
  const why = [state.reason, state.message].filter((part) => part !== undefined && part !== '').join(': ');
  return endedByUs(
    'Infrastructure',
    'StartDeadlineExceeded',
    `did not start within ${controls.trialStartDeadlineSeconds} s (spec.trialStartDeadlineSeconds)${why === '' ? '' : `; last seen: ${why}`}`,
  );
}

/** The outcomes that are recorded of an attempt which has not ended by itself. */
type EndedByUs = Extract<Outcome, 'Cancelled' | 'TimedOut' | 'Infrastructure'>;

const isEndedByUs = (outcome: Outcome | undefined): outcome is EndedByUs =>
  outcome === 'Cancelled' || outcome === 'TimedOut' || outcome === 'Infrastructure';

const endedByUs = (outcome: EndedByUs, reason: string, message: string): Judgement => ({
  outcome,
  reason,
  message,
  exitCode: undefined,
  result: undefined,
});

/** Attempts that were started and are gone without an end that anybody saw: somebody else removed them, or we did before that was recorded. */
function recordsOfVanished({ ledger, own, now, halt }: Situation): readonly RecordAttempt[] {
  if (ledger.activeTrials.size === 0) return [];
  const seen = new Set<number>();
  for (const { attempt, index } of own)
    if (ledger.trial(index).activeAttempt === attempt.attempt) seen.add(index);
  return [...ledger.activeTrials].flatMap((index) => {
    const { activeAttempt } = ledger.trial(index);
    const trial = ledger.definition.trials[index];
    if (activeAttempt === undefined || trial === undefined) return [];
    if (seen.has(index) || isBeingAnswered(ledger, index)) return [];
    const name = attemptName(ledger.definition, trial, activeAttempt);
    const why = halt ?? ledger.endedUnrecorded.get(index);
    const judgement =
      why === undefined
        ? endedByUs(
            'Infrastructure',
            'AttemptVanished',
            `${name} was removed by somebody else before its result was read`,
          )
        : endedByUs('Cancelled', why.reason, why.message);
    const gone: ObservedAttempt = {
      name,
      variantId: trial.variant.id,
      repetition: trial.repetition,
      attempt: activeAttempt,
      state: { kind: 'Stopping' },
    };
    return [{ ...recordOf(ledger, gone, index, judgement, now), presumed: 'Gone' as const }];
  });
}

/** An attempt whose end is committed is removed: while it lives or may live again in any case, once it has ended as spec.podCleanupPolicy says. */
function removalOf(
  { ledger, controls }: Situation,
  { attempt, index, recorded }: OwnAttempt,
): RemoveAttempt | undefined {
  if (!recorded || attempt.state.kind === 'Stopping') return undefined;
  const { phase, recordedAttempts, lastOutcome } = ledger.trial(index);
  const isLatest = attempt.attempt === recordedAttempts;
  const remove = (reason: RemoveAttempt['reason']): RemoveAttempt => ({
    kind: 'RemoveAttempt',
    trial: index,
    name: attempt.name,
    reason,
  });
  if (isLive(attempt)) {
    if (!isLatest) return remove('Superseded');
    // Or it came to its own end, and what is shown of it is the past: what becomes of it is decided once it is shown as ended.
    return isEndedByUs(lastOutcome) ? remove(lastOutcome) : undefined;
  }
  if (attempt.state.kind === 'Ended' && attempt.state.mayRunAgain) return remove('MayRunAgain');
  // It ended by itself in the moment in which we decided to end it: nobody asked for a look at it.
  if (isLatest && lastOutcome === 'Cancelled') return remove('Cancelled');
  switch (controls.podCleanupPolicy) {
    case 'Always':
      return remove('ResultStored');
    case 'Succeeded':
      return phase === 'Succeeded' && isLatest ? remove('ResultStored') : undefined;
    case 'Never':
      return undefined;
  }
}

/** Removals of one burst of ends come due together at whole multiples of this, and not one after the other. */
const REMOVAL_STEP_MS = 100;

/**
 * Who lets a start wait for longer than this is not short of processors: it keeps to a limit of its own, as the Job controller does. To remove what has ended before it
 * has accounted for it saves it requests. A cluster tells of whole seconds, so this is between one second and two.
 */
const HELD_UP_AFTER_MS = 2_000;

/**
 * For how long what is stored is kept, so that the cluster has its hands free for what is to start: 0 when nothing is. A quota may count what
 * has ended, so nothing of it is kept while starts are refused for now.
 */
function removalDelayMs(situation: Situation): number {
  const { own, unseen, controls, now, halt } = situation;
  if (halt !== undefined || controls.postponed !== undefined) return 0;
  const waitingSince = own.flatMap(({ attempt: { state } }) =>
    state.kind === 'Waiting' ? [state.since] : [],
  );
  if (waitingSince.some((since) => now - since > HELD_UP_AFTER_MS)) return 0;
  return unseen > 0 || waitingSince.length > 0 || hasMoreToStart(situation) ? controls.removalDelayMs : 0;
}

const hasMoreToStart = ({ ledger, halt }: Situation): boolean => halt === undefined && ledger.due > 0;

/**
 * True while what is to be removed waits for what is about to be: an engine removes a hundred attempts by one request. While something is to start it waits
 * only for what is being cancelled: others may end as long as the run goes on.
 */
const goTogether = (situation: Situation, delayMs: number): boolean =>
  situation.ledger.isCancelling ||
  (situation.controls.removalDelayMs > 0 &&
    delayMs === 0 &&
    !hasMoreToStart(situation) &&
    situation.ledger.recordsUnderWay.size > 0);

/** From when on it is removed, in milliseconds since the epoch; 0 for at once. */
function removalDueAt(ledger: ReadonlyRunLedger, { trial, reason }: RemoveAttempt, delayMs: number): number {
  if (reason !== 'ResultStored' || delayMs === 0) return 0;
  return Math.ceil((ledger.recordedAt(trial) + delayMs) / REMOVAL_STEP_MS) * REMOVAL_STEP_MS;
}

/** Starts that got no answer and for which there is no room any more: each may have started, and asking again might start another. */
function startsToAbandon(ledger: ReadonlyRunLedger, room: number): readonly RemoveAttempt[] {
  const unanswered = [...ledger.unansweredStarts];
  const isUnwanted = (index: number): boolean => ledger.isGivenUp(index) || ledger.isStopped(index);
  const due = unanswered.filter((index) => !isUnwanted(index));
  const unwanted = unanswered.filter(isUnwanted);
  return [...unwanted, ...due.slice(room)].flatMap((index) => {
    const next = nextAttempt(ledger, index);
    return next === undefined
      ? []
      : [{ kind: 'RemoveAttempt', trial: index, name: next.name, reason: 'StartUnanswered' }];
  });
}

/** How many more may wait for their program to start. What is being started does, whatever is shown of it. */
function pendingRoom({ ledger, own, unseen, controls: { maxPending } }: Situation): number {
  if (maxPending === undefined) return Number.POSITIVE_INFINITY;
  const waiting = own.filter(
    ({ attempt, index, recorded }) =>
      attempt.state.kind === 'Waiting' || (isLive(attempt) && ledger.startsUnderWay.has(index) && !recorded),
  );
  return Math.max(0, maxPending - unseen - waiting.length);
}

function starts({ ledger, own, now }: Situation, limit: number): readonly StartAttempt[] {
  if (ledger.end !== undefined) return [];
  // A trial whose last attempt is still being stopped would run twice.
  const busy = new Set(own.filter(isOwnLive).map(({ index }) => index));
  return ledger.startable(limit, now, busy).flatMap((index) => {
    const next = nextAttempt(ledger, index);
    if (next === undefined) return [];
    const reason = next.attempt === 1 ? 'SlotAvailable' : 'Retry';
    return [{ kind: 'StartAttempt', trial: index, ...next, reason }];
  });
}

function nextAttempt(
  ledger: ReadonlyRunLedger,
  index: number,
): { readonly attempt: number; readonly name: string } | undefined {
  const trial = ledger.definition.trials[index];
  if (trial === undefined) return undefined;
  const attempt = ledger.trial(index).recordedAttempts + 1;
  return { attempt, name: attemptName(ledger.definition, trial, attempt) };
}

function nextCheckAt(
  { ledger, own, controls, now, halt, mayEnd }: Situation,
  removals: readonly number[],
): number | undefined {
  let next = Number.POSITIVE_INFINITY;
  // A deadline that has passed is that of an attempt whose end is recorded and which is being removed, or that it is not known of whether it kept it.
  const consider = (time: number | undefined): void => {
    if (time !== undefined && time > now && time < next) next = time;
  };
  for (const { attempt } of own) {
    const deadline = deadlineOf(attempt, controls);
    consider(deadline);
    if (deadline !== undefined && deadline <= now && controls.seenUntil < deadline)
      consider(now + controls.unseenRetryMs);
  }
  if (!mayEnd) consider(now + controls.unseenRetryMs);
  for (const dueAt of removals) consider(dueAt);
  if (halt === undefined) consider(ledger.nextRetryAt(now));
  if (ledger.end === undefined) consider(controls.deadlineAt);
  consider(storeIsSlowAt(ledger));
  return next === Number.POSITIVE_INFINITY ? undefined : next;
}

/** When the attempt must end, or must have started; undefined when it is over or on its way out. */
function deadlineOf({ state }: ObservedAttempt, controls: RunControls): number | undefined {
  switch (state.kind) {
    case 'Waiting':
      return state.since + controls.trialStartDeadlineSeconds * 1_000;
    case 'Running':
      return state.endedAt === undefined ? state.since + controls.trialDeadlineSeconds * 1_000 : undefined;
    case 'Stopping':
    case 'Ended':
      return undefined;
  }
}
