import { recordOfRefusal } from '../core/attempt-record.ts';
import { endOfChangedData } from '../core/completion-policy.ts';
import type {
  Action,
  FinishRun,
  Plan,
  RecordAttempt,
  RemoveAttempt,
  SkipTrials,
  StartAttempt,
} from '../core/plan.ts';
import type { RunControls } from '../core/run.ts';
import { attemptDeadlineSeconds, type Engine } from '../engine/engine.ts';
import type { ResultStore } from '../results/result-store.ts';
import type { ActiveRun } from './active-run.ts';
import type { ControllerListener } from './controller-event.ts';
import { postponedAgain, roomMade, startedAgain } from './postponement.ts';

export interface PlanTargets {
  readonly engine: Pick<Engine, 'isAsShown' | 'isGone' | 'startAttempt' | 'removeAttempts'>;
  readonly store: Pick<ResultStore, 'recordAttempt' | 'skipTrials' | 'finishRun'>;
  readonly now: () => number;
  readonly onEvent: ControllerListener;
  /** See `ControllerOptions.changedDataOf`. */
  readonly changedDataOf?: (runUid: string) => Promise<string | undefined>;
}

/** What came of a plan. */
export interface AppliedPlan {
  /** True when there may be more to decide at once. */
  readonly decideAgain: boolean;
}

/** The store holds something else than the ledger: the run has to be opened anew. */
export class LedgerOutdatedError extends Error {
  override readonly name: string = 'LedgerOutdatedError';
}

/** Another writer opened the run, and what this one writes is refused. */
export class FencedError extends LedgerOutdatedError {
  override readonly name = 'FencedError';

  constructor(runUid: string) {
    super(`run ${runUid} was opened by another writer`);
  }
}

/**
 * Carries out a plan: what it says is asked for and is then under way (`ActiveRun.work`), so that the next decision waits for none of it. The ledger follows what
 * is committed and started as it happens.
 */
export function applyPlan(
  plan: Plan,
  run: ActiveRun,
  controls: RunControls,
  targets: PlanTargets,
): AppliedPlan {
  const records = plan.actions.filter(isRecord);
  run.work.add(records.map((action) => record(action, run, targets)));
  run.work.add(plan.actions.filter(isSkip).map((action) => skip(action, run, targets)));
  const starts = plan.actions.filter(isStart);
  run.work.add(starts.map((action) => start(action, run, controls, targets)));
  remove(plan.actions.filter(isRemoval), run, targets);
  // A removal that is under way may yet fail.
  const ends = run.work.isIdle ? plan.actions.filter(isFinish) : [];
  run.work.add(ends.map((action) => finish(action, run, targets)));
  // What is recorded is no longer in the way of what else there is to decide; what is started has deadlines, which an engine need not announce, and so has
  // the answer to what is to be stored.
  return { decideAgain: records.length + starts.length + ends.length > 0 };
}

async function record(action: RecordAttempt, run: ActiveRun, targets: PlanTargets): Promise<void> {
  const { store, onEvent, now } = targets;
  if (action.presumed !== undefined && !(await isSoIndeed(action, action.presumed, run, targets))) return;
  const trial = run.ledger.definition.trials[action.trial];
  if (trial === undefined) throw new RangeError(`no trial ${action.trial} in run ${run.uid}`);
  run.pace.endSeen(action.trial, now());
  run.ledger.noteRecordAsked(action, now());
  const outcome = await store
    .recordAttempt({
      runUid: run.uid,
      fence: run.fence,
      variantId: trial.variant.id,
      repetition: trial.repetition,
      attempt: action.attempt,
      name: action.name,
      judgement: action.judgement,
      startedAt: action.startedAt === undefined ? undefined : new Date(action.startedAt),
      finishedAt: new Date(action.finishedAt),
      logs: action.logs,
      ...(action.pushed === undefined ? {} : { pushed: action.pushed }),
      trialAfter: action.trialAfter,
    })
    .catch((error: unknown) => {
      run.ledger.noteUnconfirmed(action);
      throw error;
    });
  run.ledger.noteRecordAnswered(action.trial);
  const tell = (recorded: RecordAttempt): void =>
    onEvent({
      kind: 'AttemptRecorded',
      run: run.ledger.definition,
      record: recorded,
      counts: run.ledger.counts,
      pace: run.pace.recorded(recorded, endsByItself(recorded), now()),
    });
  run.postponement = roomMade(run.postponement);
  switch (outcome.kind) {
    case 'Recorded': {
      run.verification.noteRecorded();
      const metrics = action.judgement.result?.metrics ?? new Map<string, number>();
      run.ledger.noteRecorded(
        action.trial,
        action.attempt,
        action.judgement.outcome,
        metrics,
        action.trialAfter,
        now(),
      );
      tell(action);
      return;
    }
    case 'AlreadyRecorded': {
      run.verification.noteRecorded();
      // Nobody else writes with this fence: it was asked for before, perhaps with another judgement, and the answer was lost.
      const before = run.ledger.unconfirmed.get(action.trial) ?? action;
      run.ledger.noteStored(outcome.trial);
      tell(before.judgement.outcome === outcome.trial.lastOutcome ? before : action);
      return;
    }
    case 'PushedMeanwhile':
      // Nothing is noted, so it is looked up and judged anew.
      return;
    case 'Fenced':
      throw new FencedError(run.uid);
    case 'Refused':
      throw new LedgerOutdatedError(`record ${action.name} of run ${run.uid}: ${outcome.reason}`);
  }
}

/** Whoever ended in time, or is still there, keeps its result, also when that was not seen: the engine is asked once more, and what it did not show is looked at and judged anew. */
async function isSoIndeed(
  action: RecordAttempt,
  presumed: NonNullable<RecordAttempt['presumed']>,
  { ledger }: ActiveRun,
  { engine }: PlanTargets,
): Promise<boolean> {
  const { definition } = ledger;
  ledger.noteRecordPrepared(action);
  let isSo = false;
  try {
    isSo =
      presumed === 'Late'
        ? await engine.isAsShown(definition, action.name)
        : await engine.isGone(definition, action.name);
  } finally {
    if (!isSo) ledger.noteRecordAnswered(action.trial);
  }
  return isSo;
}

async function skip(action: SkipTrials, run: ActiveRun, { store, now }: PlanTargets): Promise<void> {
  const { trials, variants } = run.ledger.definition;
  run.ledger.noteSkipAsked(now());
  const asked = store.skipTrials({
    runUid: run.uid,
    fence: run.fence,
    trials: action.trials.flatMap((index) => {
      const trial = trials[index];
      return trial === undefined ? [] : [{ variantId: trial.variant.id, repetition: trial.repetition }];
    }),
    stoppedVariantIds: action.stopped.flatMap((index) => variants[index]?.id ?? []),
    look: action.look,
  });
  const outcome = await asked.catch((error: unknown) => {
    run.ledger.noteSkipUnconfirmed(action);
    throw error;
  });
  run.ledger.noteSkipAnswered();
  switch (outcome.kind) {
    case 'Skipped':
      run.ledger.noteSkipped(action.trials, action.stopped, action.look);
      return;
    case 'Fenced':
      throw new FencedError(run.uid);
    case 'Refused':
      throw new LedgerOutdatedError(`skip trials of run ${run.uid}: ${outcome.reason}`);
  }
}

async function start(
  action: StartAttempt,
  run: ActiveRun,
  controls: RunControls,
  targets: PlanTargets,
): Promise<void> {
  const { definition } = run.ledger;
  const trial = definition.trials[action.trial];
  if (trial === undefined) throw new RangeError(`no trial ${action.trial} in run ${run.uid}`);
  const mayHaveStartedBefore = run.ledger.unansweredStarts.has(action.trial);
  const { postponement } = run;
  // Before it is asked for: from then on the engine shows the attempt, and events are handled before the answer is here.
  run.ledger.noteStartAsked(action.trial, action.attempt);
  run.pace.startAsked(action.trial, targets.now());
  const outcome = await targets.engine
    .startAttempt({
      run: definition,
      trial,
      attempt: action.attempt,
      name: action.name,
      deadlineSeconds: attemptDeadlineSeconds(controls),
    })
    .catch((error: unknown) => {
      // It may have started all the same. Its name is the same next time, and the engine then adopts it.
      run.ledger.noteStartUnanswered(action.trial);
      throw error;
    });
  switch (outcome.kind) {
    case 'Started':
    case 'AlreadyStarted':
      run.ledger.noteStartAnswered(action.trial);
      if (run.postponement === postponement) run.postponement = startedAgain(postponement);
      tellOfStart(action, run, targets);
      return;
    case 'Postponed':
      run.pace.forget(action.trial);
      // A quota is checked before a name is, so this says nothing about an earlier start that got no answer.
      if (outcome.mayHaveStarted || mayHaveStartedBefore) run.ledger.noteStartUnanswered(action.trial);
      else run.ledger.noteNotStarted(action.trial);
      // Of many that were asked for together and find no room, the first says it for all.
      if (run.postponement === postponement || run.postponement?.explanation === undefined)
        run.postponement = postponedAgain(postponement, outcome, targets.now());
      return;
    case 'Refused': {
      const { reason, message } = outcome;
      run.ledger.noteRefused(recordOfRefusal(run.ledger, action, { reason, message }, targets.now()));
    }
  }
}

function tellOfStart(start: StartAttempt, run: ActiveRun, targets: PlanTargets): void {
  const now = targets.now();
  const { activeSince } = run;
  targets.onEvent({
    kind: 'AttemptStarted',
    run: run.ledger.definition,
    start,
    queuedMs:
      start.reason === 'Retry' || activeSince === undefined ? undefined : Math.max(0, now - activeSince),
    refillMs: run.pace.started(now),
  });
}

function remove(removals: readonly RemoveAttempt[], run: ActiveRun, { engine }: PlanTargets): void {
  const names = removals.map(({ name }) => name);
  run.work.addRemoval(names, async (due) => {
    const abandoned = removals.filter(
      ({ reason, name }) => reason === 'StartUnanswered' && due.includes(name),
    );
    for (const { trial } of abandoned) run.ledger.noteAbandonmentAsked(trial);
    try {
      await engine.removeAttempts(run.ledger.definition, due);
    } catch (error) {
      for (const { trial } of abandoned) run.ledger.noteAbandonmentFailed(trial);
      throw error;
    }
    for (const { trial } of abandoned) run.ledger.noteStartAbandoned(trial);
  });
}

/** Has the end of a run stored, and tells of it. */
export async function finish(action: FinishRun, run: ActiveRun, targets: PlanTargets): Promise<void> {
  run.ledger.noteFinishing();
  try {
    await endRun(action, run, targets);
  } catch (error) {
    run.ledger.noteNotFinished();
    throw error;
  }
}

async function endRun(
  { end: planned, gate }: FinishRun,
  run: ActiveRun,
  { store, onEvent, now, changedDataOf }: PlanTargets,
): Promise<void> {
  const isOpen = run.ledger.ending === undefined && planned.state !== 'Cancelled';
  // Without data to look at, the store is asked at once.
  const changed = isOpen && changedDataOf !== undefined ? await changedDataOf(run.uid) : undefined;
  const end = changed === undefined ? planned : endOfChangedData(planned, changed);
  run.ledger.noteEnding(end, now());
  // By an end that nobody planned, gates come out otherwise.
  const judged = changed === undefined ? gate : run.ledger.gate;
  // What a database has lost, that was set back or taken over by a standby that was behind, would be stored as cancelled.
  const { pending, active } = run.ledger.counts;
  const unfinished = end.state === 'Cancelled' ? undefined : pending + active;
  const outcome = await store.finishRun(run.uid, run.fence, end, judged, unfinished);
  if (outcome === 'Fenced') throw new FencedError(run.uid);
  // Nobody else writes with this fence: it was asked for before, and the answer was lost.
  const isEnded = outcome === 'Finished' || (outcome === 'AlreadyFinished' && run.ledger.isEndUnconfirmed);
  // As when the store has lost it, or results of it.
  if (!isEnded) throw new LedgerOutdatedError(`finish run ${run.uid}: ${outcome}`);
  run.ledger.noteFinished(end);
  onEvent({
    kind: 'RunEnded',
    run: run.ledger.definition,
    end,
    counts: run.ledger.counts,
    cancellingMs: run.pace.cancellingMs(now()),
  });
}

/** True for an attempt that came to its own end, by which its slot is free at once. */
const endsByItself = ({ judgement: { outcome } }: RecordAttempt): boolean =>
  outcome === 'Succeeded' || outcome === 'TestFailed' || outcome === 'ResultInvalid';

const isRecord = (action: Action): action is RecordAttempt => action.kind === 'RecordAttempt';
const isSkip = (action: Action): action is SkipTrials => action.kind === 'SkipTrials';
const isStart = (action: Action): action is StartAttempt => action.kind === 'StartAttempt';
const isRemoval = (action: Action): action is RemoveAttempt => action.kind === 'RemoveAttempt';
const isFinish = (action: Action): action is FinishRun => action.kind === 'FinishRun';
