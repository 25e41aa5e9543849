import { describe, expect, it } from 'vitest';
import { exitedWell } from '../../test/builders/model-engine.ts';
import { aRun } from '../../test/builders/run.ts';
import type { AttemptState, ObservedAttempt } from './attempt.ts';
import { recordOf, recordOfRefusal } from './attempt-record.ts';
import type { Judgement, Outcome } from './outcome.ts';
import { retryAt } from './retry-policy.ts';
import { RunLedger } from './run-ledger.ts';

const NOW = 9_000;
const run = aRun({ variants: 2, spec: { retryPolicy: { limit: 1 } } });
const { retryPolicy } = run.manifest.spec;
const judgement = (outcome: Outcome): Judgement => ({
  outcome,
  reason: 'Reason',
  message: 'message',
  exitCode: undefined,
  result: undefined,
});
const seen = (state: AttemptState, attempt = 1): ObservedAttempt => ({
  name: 'run-a-1',
  variantId: run.variants[1]?.id ?? '',
  repetition: 0,
  attempt,
  state,
  logs: 'pod/run-a-1-x',
});

describe('the record of an attempt', () => {
  it.each<{ state: AttemptState; startedAt: number | undefined; finishedAt: number }>([
    {
      state: { kind: 'Ended', at: 5_000, termination: { ...exitedWell(), startedAt: 2_000 } },
      startedAt: 2_000,
      finishedAt: 5_000,
    },
    { state: { kind: 'Running', since: 3_000 }, startedAt: 3_000, finishedAt: NOW },
    { state: { kind: 'Waiting', since: 1_000 }, startedAt: undefined, finishedAt: NOW },
    { state: { kind: 'Stopping' }, startedAt: undefined, finishedAt: NOW },
  ])('that is $state.kind says when it ran', ({ state, startedAt, finishedAt }) => {
    expect(recordOf(new RunLedger(run), seen(state), 1, judgement('Cancelled'), NOW)).toEqual({
      kind: 'RecordAttempt',
      trial: 1,
      attempt: 1,
      name: 'run-a-1',
      judgement: judgement('Cancelled'),
      startedAt,
      finishedAt,
      logs: 'pod/run-a-1-x',
      trialAfter: { phase: 'Pending', notBefore: NOW, counts: false },
    });
  });

  it('says what becomes of its trial from the attempts of that trial that count', () => {
    const ledger = new RunLedger(run);
    const fateAfter = (attempt: number) =>
      recordOf(ledger, seen({ kind: 'Stopping' }, attempt), 1, judgement('Infrastructure'), NOW).trialAfter;
    const again = { phase: 'Pending', notBefore: retryAt(retryPolicy, 1, 'run-a-1', NOW) } as const;

    ledger.noteRecorded(1, 1, 'Cancelled', new Map(), { phase: 'Pending', notBefore: 0, counts: false });
    ledger.noteRecorded(0, 1, 'Infrastructure', new Map(), { phase: 'Pending', notBefore: 0, counts: true });
    expect(fateAfter(2)).toEqual({ ...again, counts: true });
    ledger.noteRecorded(1, 2, 'Infrastructure', new Map(), { phase: 'Pending', notBefore: 0, counts: true });
    expect(fateAfter(3)).toEqual({ phase: 'Failed', failsVariant: false });
  });

  it('that was refused blames the infrastructure, in the words of the refusal', () => {
    const start = { kind: 'StartAttempt', trial: 1, attempt: 1, name: 'n', reason: 'SlotAvailable' } as const;
    const refusal = { reason: 'PodRefused', message: 'no such image' };
    expect(recordOfRefusal(new RunLedger(run), start, refusal, NOW)).toEqual({
      kind: 'RecordAttempt',
      trial: 1,
      attempt: 1,
      name: 'n',
      judgement: { ...judgement('Infrastructure'), ...refusal },
      startedAt: undefined,
      finishedAt: NOW,
      logs: undefined,
      trialAfter: { phase: 'Pending', notBefore: retryAt(retryPolicy, 1, 'n', NOW), counts: true },
    });
  });
});
