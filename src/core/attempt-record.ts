import type { BatchTestSpec } from '../api/v1alpha1/schema.ts';
import { afterAttempt } from './after-attempt.ts';
import { isUnderWay, type ObservedAttempt } from './attempt.ts';
import type { Judgement } from './outcome.ts';
import type { RecordAttempt, StartAttempt } from './plan.ts';
import { pushedPartOf } from './pushed-result.ts';
import type { ReadonlyRunLedger } from './run-ledger.ts';
import type { Explanation } from './status.ts';

/** The record of an attempt that ended, or that is ended now. `now` is in milliseconds since the epoch. */
export function recordOf(
  ledger: ReadonlyRunLedger,
  attempt: ObservedAttempt,
  trial: number,
  judgement: Judgement,
  now: number,
): RecordAttempt {
  const { state, name } = attempt;
  return {
    kind: 'RecordAttempt',
    trial,
    attempt: attempt.attempt,
    name,
    judgement,
    startedAt:
      state.kind === 'Ended'
        ? state.termination.startedAt
        : state.kind === 'Running'
          ? state.since
          : undefined,
    finishedAt: state.kind === 'Ended' ? state.at : now,
    logs: attempt.logs,
    ...(ledger.definition.manifest.spec.results.push ? { pushed: pushedPartOf(attempt, judgement) } : {}),
    trialAfter: trialAfter(ledger, { trial, name, attempt: attempt.attempt }, judgement, now),
    ...(isUnderWay(attempt) && judgement.outcome !== 'Cancelled' ? { presumed: 'Late' as const } : {}),
  };
}

/** True when, once it is committed, it may be a reason why others do not start: a failure, and a success in a run that its results can end. */
export function mayStopOtherTrials(
  { trialAfter }: RecordAttempt,
  { comparison, objective }: Pick<BatchTestSpec, 'comparison' | 'objective'>,
): boolean {
  if (trialAfter.phase !== 'Succeeded') return trialAfter.phase === 'Failed';
  return (
    comparison.earlyStopping !== undefined || objective.metrics.some(({ target }) => target !== undefined)
  );
}

/** The record of an attempt that its engine refused to start. */
export function recordOfRefusal(
  ledger: ReadonlyRunLedger,
  start: StartAttempt,
  refusal: Explanation,
  now: number,
): RecordAttempt {
  const judgement: Judgement = {
    outcome: 'Infrastructure',
    ...refusal,
    exitCode: undefined,
    result: undefined,
  };
  return {
    kind: 'RecordAttempt',
    trial: start.trial,
    attempt: start.attempt,
    name: start.name,
    judgement,
    startedAt: undefined,
    finishedAt: now,
    logs: undefined,
    trialAfter: trialAfter(ledger, start, judgement, now),
  };
}

const trialAfter = (
  ledger: ReadonlyRunLedger,
  { trial, attempt, name }: Pick<StartAttempt, 'trial' | 'attempt' | 'name'>,
  judgement: Judgement,
  now: number,
) =>
  afterAttempt(
    { name, attempt, judgement, countedBefore: ledger.trial(trial).countedAttempts },
    ledger.definition.manifest.spec,
    now,
  );
