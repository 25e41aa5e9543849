import { describe, expect, it } from 'vitest';
import { aRun } from '../../test/builders/run.ts';
import type { AfterAttempt } from './after-attempt.ts';
import type { ObservedAttempt } from './attempt.ts';
import type { Outcome } from './outcome.ts';
import type { RunDefinition } from './run.ts';
import { RunLedger, type StoredTrial } from './run-ledger.ts';

const metrics = (p95: number) => new Map([['p95_ms', p95]]);
const NO_METRICS = new Map<string, number>();
/** Trials a/0, b/0, a/1, b/1. */
const run = aRun({ variants: 2, repetitions: 2 });

const stored = (
  { trials }: RunDefinition,
  index: number,
  phase: StoredTrial['phase'],
  recordedAttempts: number,
  lastOutcome?: Outcome,
  changes: Partial<StoredTrial> = {},
): StoredTrial => {
  const trial = trials[index];
  if (trial === undefined) throw new RangeError(`no trial ${index}`);
  const { variant, repetition } = trial;
  return {
    variantId: variant.id,
    repetition,
    phase,
    recordedAttempts,
    countedAttempts: recordedAttempts,
    failsVariant: false,
    reusedFrom: undefined,
    lastOutcome,
    metrics: phase === 'Succeeded' ? metrics(index) : NO_METRICS,
    ...changes,
  };
};

const seen = (index: number, attempt: number): ObservedAttempt => ({
  name: `attempt-${index}-${attempt}`,
  variantId: run.trials[index]?.variant.id ?? '',
  repetition: run.trials[index]?.repetition ?? 0,
  attempt,
  state: { kind: 'Running', since: 0 },
});

describe('the counts of a ledger', () => {
  it('follow each trial and always add up', () => {
    const ledger = new RunLedger(run);
    expect(ledger.counts).toEqual({
      total: 4,
      pending: 4,
      active: 0,
      succeeded: 0,
      failed: 0,
      cancelled: 0,
      skipped: 0,
    });
    ledger.noteStarted(0, 1);
    ledger.noteStarted(1, 1);
    ledger.noteStarted(2, 1);
    expect(ledger.counts).toMatchObject({ pending: 1, active: 3 });
    expect([...ledger.activeTrials]).toEqual([0, 1, 2]);
    ledger.noteRecorded(0, 1, 'Succeeded', metrics(1), { phase: 'Succeeded' });
    ledger.noteRecorded(1, 1, 'TestFailed', NO_METRICS, { phase: 'Failed', failsVariant: false });
    ledger.noteRecorded(2, 1, 'Infrastructure', NO_METRICS, { phase: 'Pending', notBefore: 5, counts: true });
    expect(ledger.counts).toEqual({
      total: 4,
      pending: 2,
      active: 0,
      succeeded: 1,
      failed: 1,
      cancelled: 0,
      skipped: 0,
    });
    ledger.noteFinished({ state: 'Cancelled', reason: 'CancelRequested', message: '' });
    expect(ledger.counts).toEqual({
      total: 4,
      pending: 0,
      active: 0,
      succeeded: 1,
      failed: 1,
      cancelled: 2,
      skipped: 0,
    });
  });

  it('say that a variant succeeded when all its trials did, and failed when one did', () => {
    const ledger = new RunLedger(run);
    ledger.noteRecorded(0, 1, 'Succeeded', metrics(1), { phase: 'Succeeded' });
    expect(ledger.variantCounts).toEqual({ total: 2, succeeded: 0, failed: 0 });
    ledger.noteRecorded(2, 1, 'Succeeded', metrics(1), { phase: 'Succeeded' });
    ledger.noteRecorded(1, 1, 'TestFailed', NO_METRICS, { phase: 'Failed', failsVariant: false });
    expect(ledger.variantCounts).toEqual({ total: 2, succeeded: 1, failed: 1 });
    ledger.noteRecorded(3, 1, 'TimedOut', NO_METRICS, { phase: 'Failed', failsVariant: false });
    expect(ledger.variantCounts).toEqual({ total: 2, succeeded: 1, failed: 1 });
    expect([...ledger.failures]).toEqual([
      ['TestFailed', 1],
      ['TimedOut', 1],
    ]);
  });

  it('do not change when a trial that is done is told of again', () => {
    const ledger = new RunLedger(run);
    ledger.noteRecorded(0, 1, 'Succeeded', metrics(1), { phase: 'Succeeded' });
    const { counts } = ledger;
    ledger.noteRecorded(0, 1, 'Succeeded', metrics(9), { phase: 'Succeeded' });
    ledger.noteRecorded(0, 2, 'TestFailed', NO_METRICS, { phase: 'Failed', failsVariant: false });
    ledger.noteStored(stored(run, 0, 'Failed', 2, 'TestFailed'));
    ledger.noteStarted(0, 2);
    ledger.noteNotStarted(0);
    expect(ledger.counts).toEqual(counts);
    expect(ledger.samples.best()).toEqual({ variant: 0, score: 1 });
  });
});

describe('a ledger that is loaded from the store', () => {
  it('is as it was before, but for what was under way', () => {
    const ledger = new RunLedger(run, [
      stored(run, 0, 'Succeeded', 1, 'Succeeded'),
      stored(run, 1, 'Failed', 2, 'Infrastructure'),
      stored(run, 2, 'Pending', 1, 'Infrastructure'),
      stored(run, 3, 'Pending', 0),
    ]);
    expect(ledger.counts).toEqual({
      total: 4,
      pending: 2,
      active: 0,
      succeeded: 1,
      failed: 1,
      cancelled: 0,
      skipped: 0,
    });
    expect(ledger.variantCounts).toEqual({ total: 2, succeeded: 0, failed: 1 });
    expect(ledger.samples.best()).toEqual({ variant: 0, score: 1 });
    expect(ledger.startable(9, 0)).toEqual([2, 3]);
    expect(ledger.trial(2)).toMatchObject({ recordedAttempts: 1, lastOutcome: 'Infrastructure' });
  });

  it('ignores a trial that the run does not have', () => {
    const stranger = { ...stored(run, 0, 'Succeeded', 1, 'Succeeded'), variantId: 'ffffffffffffffff' };
    expect(new RunLedger(run, [stranger]).counts).toMatchObject({ succeeded: 0, pending: 4 });
  });
});

describe('what may start', () => {
  it('is what was asked for without an answer, then what has waited, then the untried in their order', () => {
    const ledger = new RunLedger(aRun({ variants: 6 }));
    expect(ledger.startable(2, 0)).toEqual([0, 1]);
    for (const index of [0, 1, 2]) ledger.noteStarted(index, 1);
    ledger.noteRecorded(0, 1, 'Infrastructure', NO_METRICS, {
      phase: 'Pending',
      notBefore: 500,
      counts: true,
    });
    ledger.noteRecorded(1, 1, 'Infrastructure', NO_METRICS, {
      phase: 'Pending',
      notBefore: 100,
      counts: true,
    });
    ledger.noteStartUnanswered(2);
    expect(ledger.startable(9, 99)).toEqual([2, 3, 4, 5]);
    expect(ledger.startable(9, 100)).toEqual([2, 1, 3, 4, 5]);
    expect(ledger.startable(3, 500)).toEqual([2, 0, 1]);
    expect(ledger.startable(0, 500)).toEqual([]);
  });

  it('is nothing of a trial of which an attempt is still live', () => {
    const ledger = new RunLedger(run);
    ledger.noteStarted(0, 1);
    ledger.noteRecorded(0, 1, 'Cancelled', NO_METRICS, { phase: 'Pending', notBefore: 0, counts: false });
    expect(ledger.startable(9, 0, new Set([0]))).toEqual([1, 2, 3]);
    expect(ledger.startable(9, 0)).toEqual([0, 1, 2, 3]);
  });

  it('is told when the next wait ends, and waits that have ended are not told of', () => {
    const ledger = new RunLedger(aRun({ variants: 3 }));
    expect(ledger.nextRetryAt(0)).toBeUndefined();
    for (const [index, notBefore] of [500, 100, 300].entries()) {
      ledger.noteStarted(index, 1);
      ledger.noteRecorded(index, 1, 'Infrastructure', NO_METRICS, {
        phase: 'Pending',
        notBefore,
        counts: true,
      });
    }
    expect([0, 99, 100, 300, 500].map((now) => ledger.nextRetryAt(now))).toEqual([
      100,
      100,
      300,
      500,
      undefined,
    ]);
  });

  it('is once more a trial that was not started after all', () => {
    const ledger = new RunLedger(aRun({ variants: 2 }));
    ledger.noteStarted(0, 1);
    ledger.noteNotStarted(0);
    expect(ledger.trial(0)).toMatchObject({
      phase: 'Pending',
      activeAttempt: undefined,
      recordedAttempts: 0,
    });
    expect(ledger.startable(2, 0)).toEqual([0, 1]);
  });

  it('leaves no question open when the run ends or the attempt is recorded', () => {
    for (const settle of [
      (ledger: RunLedger) => ledger.noteRecorded(0, 1, 'Succeeded', metrics(1), { phase: 'Succeeded' }),
      (ledger: RunLedger) =>
        ledger.noteFinished({ state: 'Cancelled', reason: 'CancelRequested', message: '' }),
    ]) {
      const ledger = new RunLedger(aRun({ variants: 2 }));
      ledger.noteStarted(0, 1);
      ledger.noteStartUnanswered(0);
      settle(ledger);
      expect([...ledger.unansweredStarts]).toEqual([]);
    }
  });

  it('is nothing of what was under way when the run ends', () => {
    const ledger = new RunLedger(run);
    ledger.noteStarted(0, 1);
    ledger.noteFinished({ state: 'Cancelled', reason: 'Deleted', message: '' });
    expect(ledger.activeTrials.size).toBe(0);
    expect(ledger.startable(9, 0)).toEqual([]);
  });

  it('is once more a trial whose start without an answer was abandoned', () => {
    const ledger = new RunLedger(aRun({ variants: 1 }));
    ledger.noteStarted(0, 1);
    ledger.noteStartUnanswered(0);
    expect([...ledger.unansweredStarts]).toEqual([0]);
    ledger.noteStartAbandoned(0);
    expect([...ledger.unansweredStarts]).toEqual([]);
    expect(ledger.startable(1, 0)).toEqual([0]);
  });

  it('is no trial of which an earlier attempt is still being undone, also when that is gone and recorded', () => {
    const ledger = new RunLedger(run);
    ledger.noteStartAsked(0, 1);
    ledger.noteStartUnanswered(0);
    ledger.noteAbandonmentAsked(0);
    ledger.noteObserved([seen(0, 1)]);
    ledger.noteRecorded(0, 1, 'Cancelled', NO_METRICS, { phase: 'Pending', notBefore: 0, counts: false });
    expect(ledger.startable(9, 0)).toEqual([1, 2, 3]);
    ledger.noteStartAbandoned(0);
    expect(ledger.startable(9, 0)).toEqual([0, 1, 2, 3]);
  });
});

describe('the attempts that count', () => {
  it('are those that failed or succeeded, not those that were ended or ignored', () => {
    const ledger = new RunLedger(run);
    const counted: number[] = [];
    const note = (attempt: number, outcome: Outcome, after: AfterAttempt): void => {
      ledger.noteStarted(0, attempt);
      ledger.noteRecorded(0, attempt, outcome, metrics(1), after);
      counted.push(ledger.trial(0).countedAttempts);
    };
    note(1, 'Cancelled', { phase: 'Pending', notBefore: 0, counts: false });
    note(2, 'Infrastructure', { phase: 'Pending', notBefore: 0, counts: true });
    note(3, 'TestFailed', { phase: 'Pending', notBefore: 0, counts: false });
    note(4, 'Succeeded', { phase: 'Succeeded' });
    expect(counted).toEqual([0, 1, 1, 2]);
    expect(ledger.trial(0).recordedAttempts).toBe(4);
  });

  it('are known again after a restart', () => {
    const ledger = new RunLedger(run, [
      stored(run, 0, 'Pending', 5, 'Cancelled', { countedAttempts: 1 }),
      stored(run, 1, 'Pending', 3, 'Infrastructure', { countedAttempts: 0 }),
    ]);
    expect(ledger.trial(0)).toMatchObject({ recordedAttempts: 5, countedAttempts: 1 });
    expect(ledger.trial(1)).toMatchObject({ recordedAttempts: 3, countedAttempts: 0 });
  });
});

describe('a variant that is given up', () => {
  const giveUp = (ledger: RunLedger, index: number): void =>
    ledger.noteRecorded(index, 1, 'TestFailed', NO_METRICS, { phase: 'Failed', failsVariant: true });

  it('has its pending trials skipped: they count as pending, and none of them may start', () => {
    // Trials a/0, b/0, a/1, b/1, a/2, b/2.
    const ledger = new RunLedger(aRun({ variants: 2, repetitions: 3 }));
    expect(ledger.givenUp).toBe(0);
    giveUp(ledger, 0);
    expect([0, 1, 2, 3, 4, 5].filter((index) => ledger.isGivenUp(index))).toEqual([0, 2, 4]);
    expect(ledger.givenUp).toBe(2);
    expect(ledger.counts).toMatchObject({ pending: 5, failed: 1 });
    expect(ledger.startable(9, 0)).toEqual([1, 3, 5]);
    ledger.noteFinished({ state: 'Failed', reason: 'VariantsFailed', message: '' });
    expect(ledger.counts).toMatchObject({ pending: 0, failed: 1, cancelled: 5 });
    expect(ledger.givenUp).toBe(0);
  });

  it('has no other attempt of a trial that waits for one, of one that is ended, or of one whose start got no answer', () => {
    const ledger = new RunLedger(aRun({ variants: 1, repetitions: 4 }));
    for (const index of [0, 1, 2, 3]) ledger.noteStarted(index, 1);
    ledger.noteRecorded(1, 1, 'Infrastructure', NO_METRICS, {
      phase: 'Pending',
      notBefore: 500,
      counts: true,
    });
    ledger.noteStartUnanswered(3);
    giveUp(ledger, 0);
    expect(ledger.givenUp).toBe(2);
    ledger.noteRecorded(2, 1, 'Cancelled', NO_METRICS, { phase: 'Pending', notBefore: 0, counts: false });
    expect(ledger.givenUp).toBe(3);
    expect(ledger.startable(9, 1_000)).toEqual([]);
    expect(ledger.nextRetryAt(0)).toBeUndefined();
    expect([...ledger.unansweredStarts]).toEqual([3]);
    ledger.noteStartAbandoned(3);
    expect(ledger.startable(9, 1_000)).toEqual([]);
  });

  it.each([
    ['is told of first', [0, 2]],
    ['is told of last', [2, 0]],
  ])('is given up after a restart as well, when its failure %s', (_, order) => {
    const trials = order.map((index) =>
      index === 0
        ? stored(run, 0, 'Failed', 1, 'TestFailed', { failsVariant: true })
        : stored(run, 2, 'Pending', 1, 'Infrastructure'),
    );
    const ledger = new RunLedger(run, trials);
    expect(ledger.givenUp).toBe(1);
    expect(ledger.startable(9, 0)).toEqual([1, 3]);
  });

  it('is given up as soon as the store says so, though this ledger did not decide it', () => {
    const ledger = new RunLedger(run);
    ledger.noteStarted(0, 1);
    ledger.noteStored(stored(run, 0, 'Failed', 1, 'TestFailed', { failsVariant: true }));
    expect(ledger.startable(9, 0)).toEqual([1, 3]);
  });
});

describe('a result that was taken over from an earlier run', () => {
  it('is counted as reused, once', () => {
    const trial = stored(run, 0, 'Succeeded', 0, undefined, { reusedFrom: 'an-earlier-run' });
    const ledger = new RunLedger(run, [trial, stored(run, 1, 'Succeeded', 1, 'Succeeded')]);
    ledger.noteStored(trial);
    expect(ledger.reused).toBe(1);
    expect(ledger.counts).toMatchObject({ succeeded: 2, pending: 2 });
  });
});

describe('an attempt that is seen', () => {
  it('is adopted when it is not recorded, and then is no open question any more', () => {
    const ledger = new RunLedger(run);
    ledger.noteStarted(1, 1);
    ledger.noteStartUnanswered(1);
    ledger.noteObserved([seen(0, 1), seen(1, 1)]);
    expect([...ledger.activeTrials]).toEqual([0, 1]);
    expect([...ledger.unansweredStarts]).toEqual([]);
    expect(ledger.trial(0)).toMatchObject({ phase: 'Active', activeAttempt: 1 });
  });

  it('is not adopted when its end is recorded, when its trial is done, or when the run has no such trial', () => {
    const ledger = new RunLedger(run, [
      stored(run, 0, 'Pending', 1, 'Infrastructure'),
      stored(run, 1, 'Succeeded', 1, 'Succeeded'),
    ]);
    ledger.noteObserved([seen(0, 1), seen(1, 2), { ...seen(2, 1), variantId: 'ffffffffffffffff' }]);
    expect(ledger.activeTrials.size).toBe(0);
    ledger.noteObserved([seen(0, 2)]);
    expect(ledger.trial(0)).toMatchObject({ phase: 'Active', activeAttempt: 2, recordedAttempts: 1 });
  });
});

it('asking a ledger for a trial that there is not is a defect', () => {
  expect(() => new RunLedger(run).trial(4)).toThrow(RangeError);
});
