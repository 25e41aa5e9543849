/** What is decided, told as transcripts: a numbered line a plan, an indented line for what happens. See test/builders/transcript.ts. */
import { describe, expect, it } from 'vitest';
import { exitedWell } from '../../test/builders/model-engine.ts';
import { aRun, controlsOf } from '../../test/builders/run.ts';
import { Transcript } from '../../test/builders/transcript.ts';
import { type AttemptState, attemptName, type ObservedAttempt } from './attempt.ts';
import { endingsWithoutStore, reconcile } from './reconcile.ts';
import type { RunControls, RunDefinition } from './run.ts';
import { RunLedger } from './run-ledger.ts';
import { statusOf } from './status.ts';

describe('a run', () => {
  it('starts what has a slot, stores each result, then frees what held it, and ends when all is stored', async () => {
    const t = new Transcript({ variants: 3, parallelism: 2 });
    await t.decide();
    await t.decide();
    t.begins('a/0', 'b/0');
    t.succeeds('a/0');
    await t.decide();
    t.begins('c/0');
    t.succeeds('b/0');
    t.succeeds('c/0');
    await t.decide();
    await t.decide();
    expect(t.text).toMatchInlineSnapshot(`
      "1 StartAttempt a/0 (SlotAvailable), StartAttempt b/0 (SlotAvailable)
        looked at again at 3600 s
        looked at again at 3600 s
        a/0, b/0 begin
        a/0 succeeds
      2 RecordAttempt a/0 Succeeded (Completed), trial Succeeded
      3 StartAttempt c/0 (SlotAvailable)
        looked at again at 1 s
        c/0 begins
        b/0 succeeds
        c/0 succeeds
      4 RecordAttempt b/0 Succeeded (Completed), trial Succeeded, RecordAttempt c/0 Succeeded (Completed), trial Succeeded
      5 RemoveAttempt a/0 (ResultStored), RemoveAttempt b/0 (ResultStored), RemoveAttempt c/0 (ResultStored)
      6 FinishRun Complete (AllTrialsSucceeded): all 3 trials succeeded
        nothing to do"
    `);
    expect(t.held).toEqual([]);
  });

  it('takes the repetitions one after the other', async () => {
    const t = new Transcript({ variants: 2, repetitions: 2, parallelism: 3 });
    await t.decide();
    expect(t.text).toMatchInlineSnapshot(
      `
      "1 StartAttempt a/0 (SlotAvailable), StartAttempt b/0 (SlotAvailable), StartAttempt a/1 (SlotAvailable)
        looked at again at 3600 s"
    `,
    );
  });

  it('keeps a failed attempt for its user to look at, and goes on with the others', async () => {
    const t = new Transcript({ variants: 2, parallelism: 1 });
    await t.decide();
    t.fails('a/0', 1);
    await t.decide();
    t.succeeds('b/0');
    await t.decide();
    await t.decide();
    expect(t.text).toMatchInlineSnapshot(`
      "1 StartAttempt a/0 (SlotAvailable)
        looked at again at 3600 s
        a/0 fails, exit 1
      2 RecordAttempt a/0 TestFailed (NonZeroExitCode), trial Failed
      3 StartAttempt b/0 (SlotAvailable)
        looked at again at 3600 s
        b/0 succeeds
      4 RecordAttempt b/0 Succeeded (Completed), trial Succeeded
      5 RemoveAttempt b/0 (ResultStored)
      6 FinishRun Failed (VariantsFailed): 1 of 2 variants failed (1 trial TestFailed)
        nothing to do"
    `);
    expect(t.held).toEqual(['a/0 Ended']);
  });
});

describe('parallelism', () => {
  it('of 0 starts nothing and lets what runs finish', async () => {
    const t = new Transcript({ variants: 3, parallelism: 1 });
    await t.decide();
    t.parallelismIs(0);
    await t.decide();
    t.succeeds('a/0');
    await t.decide();
    await t.decide();
    expect(t.text).toMatchInlineSnapshot(`
      "1 StartAttempt a/0 (SlotAvailable)
        looked at again at 3600 s
        parallelism 0
        looked at again at 3600 s
        a/0 succeeds
      2 RecordAttempt a/0 Succeeded (Completed), trial Succeeded
        looked at again at 1 s
        looked at again at 1 s"
    `);
  });

  it('that is raised starts as many more at once', async () => {
    const t = new Transcript({ variants: 5, parallelism: 1 });
    await t.decide();
    t.parallelismIs(4);
    await t.decide();
    expect(t.text).toMatchInlineSnapshot(`
      "1 StartAttempt a/0 (SlotAvailable)
        looked at again at 3600 s
        parallelism 4
      2 StartAttempt b/0 (SlotAvailable), StartAttempt c/0 (SlotAvailable), StartAttempt d/0 (SlotAvailable)
        looked at again at 3600 s"
    `);
  });

  it('that is lowered stops nothing, and starts nothing until fewer run', async () => {
    const t = new Transcript({ variants: 5, parallelism: 3 });
    await t.decide();
    t.parallelismIs(1);
    await t.decide();
    t.succeeds('a/0');
    await t.decide();
    t.succeeds('b/0');
    await t.decide();
    t.succeeds('c/0');
    await t.decide();
    expect(t.text).toMatchInlineSnapshot(`
      "1 StartAttempt a/0 (SlotAvailable), StartAttempt b/0 (SlotAvailable), StartAttempt c/0 (SlotAvailable)
        looked at again at 3600 s
        parallelism 1
        looked at again at 3600 s
        a/0 succeeds
      2 RecordAttempt a/0 Succeeded (Completed), trial Succeeded
        looked at again at 1 s
        b/0 succeeds
      3 RecordAttempt b/0 Succeeded (Completed), trial Succeeded
        looked at again at 1 s
        c/0 succeeds
      4 RecordAttempt c/0 Succeeded (Completed), trial Succeeded
      5 StartAttempt d/0 (SlotAvailable)
        looked at again at 1 s"
    `);
  });
});

describe('a failure of the infrastructure', () => {
  it('is followed by a second attempt after 2 s, and another one fails the trial', async () => {
    const t = new Transcript({ variants: 1, parallelism: 1 });
    await t.decide();
    t.isLost('a/0');
    await t.decide();
    await t.decide();
    t.passes(2);
    await t.decide();
    t.isLost('a/0#2');
    await t.decide();
    await t.decide();
    expect(t.text).toMatchInlineSnapshot(`
      "1 StartAttempt a/0 (SlotAvailable)
        looked at again at 3600 s
        a/0 is lost
      2 RecordAttempt a/0 Infrastructure (NodeLost), trial Pending
        looked at again at 1.189 s
        looked at again at 1.189 s
        at 2 s
      3 StartAttempt a/0#2 (Retry)
        looked at again at 3602 s
        a/0#2 is lost
      4 RecordAttempt a/0#2 Infrastructure (NodeLost), trial Failed
      5 FinishRun Failed (InfrastructureFailed): 1 of 1 variants failed (1 trial Infrastructure)
        nothing to do"
    `);
    expect(t.held).toEqual(['a/0 Ended', 'a/0#2 Ended']);
  });

  it('leaves its slot to others while it waits, and then waits for a slot itself without being looked at all the time', async () => {
    const t = new Transcript({ variants: 3, parallelism: 1 });
    await t.decide();
    t.isLost('a/0');
    await t.decide();
    t.begins('b/0');
    t.passes(2);
    await t.decide();
    t.succeeds('b/0');
    await t.decide();
    t.succeeds('a/0#2');
    await t.decide();
    expect(t.text).toMatchInlineSnapshot(`
      "1 StartAttempt a/0 (SlotAvailable)
        looked at again at 3600 s
        a/0 is lost
      2 RecordAttempt a/0 Infrastructure (NodeLost), trial Pending
      3 StartAttempt b/0 (SlotAvailable)
        looked at again at 1.189 s
        b/0 begins
        at 2 s
        looked at again at 3600 s
        b/0 succeeds
      4 RecordAttempt b/0 Succeeded (Completed), trial Succeeded
      5 StartAttempt a/0#2 (Retry)
        looked at again at 3 s
        a/0#2 succeeds
      6 RecordAttempt a/0#2 Succeeded (Completed), trial Succeeded
      7 StartAttempt c/0 (SlotAvailable)
        looked at again at 3 s"
    `);
  });

  it('is assumed when an attempt is deleted or vanishes by somebody else’s doing', async () => {
    const t = new Transcript({ variants: 2, parallelism: 2 });
    await t.decide();
    t.vanishes('a/0');
    t.isDeletedByOthers('b/0');
    await t.decide();
    t.isGone('b/0');
    await t.decide();
    t.passes(2);
    await t.decide();
    expect(t.text).toMatchInlineSnapshot(`
      "1 StartAttempt a/0 (SlotAvailable), StartAttempt b/0 (SlotAvailable)
        looked at again at 3600 s
        a/0 vanishes
        b/0 is deleted by somebody else
      2 RecordAttempt a/0 Infrastructure (AttemptVanished), trial Pending
        looked at again at 1.189 s
        b/0 is gone
      3 RecordAttempt b/0 Infrastructure (AttemptVanished), trial Pending
        looked at again at 1.189 s
        at 2 s
      4 StartAttempt a/0#2 (Retry), StartAttempt b/0#2 (Retry)
        looked at again at 3602 s"
    `);
  });

  it('is not assumed when the result was seen before somebody else deleted it', async () => {
    const t = new Transcript({ variants: 1, parallelism: 1 });
    await t.decide();
    t.succeeds('a/0');
    t.isDeletedByOthers('a/0');
    await t.decide();
    expect(t.text).toMatchInlineSnapshot(`
      "1 StartAttempt a/0 (SlotAvailable)
        looked at again at 3600 s
        a/0 succeeds
        a/0 is deleted by somebody else
      2 RecordAttempt a/0 Succeeded (Completed), trial Succeeded
      3 RemoveAttempt a/0 (ResultStored)
      4 FinishRun Complete (AllTrialsSucceeded): its one trial succeeded"
    `);
  });
});

describe('an attempt past its deadline', () => {
  it('is recorded first and removed next, and holds its slot until it is gone', async () => {
    const t = new Transcript({ variants: 2, parallelism: 1, trialDeadlineSeconds: 10 });
    await t.decide();
    t.passes(60);
    await t.decide();
    t.begins('a/0');
    t.passes(9);
    await t.decide();
    t.passes(1);
    await t.decide();
    await t.decide();
    t.isGone('a/0');
    await t.decide();
    expect(t.text).toMatchInlineSnapshot(`
      "1 StartAttempt a/0 (SlotAvailable)
        looked at again at 3600 s
        at 60 s
        looked at again at 3600 s
        a/0 begins
        at 69 s
        looked at again at 70 s
        at 70 s
      2 RecordAttempt a/0 TimedOut (DeadlineExceeded), trial Failed
      3 RemoveAttempt a/0 (TimedOut)
        nothing to do
        a/0 is gone
      4 StartAttempt b/0 (SlotAvailable)
        looked at again at 3670 s"
    `);
  });

  it('is not recorded as anything while the store is away, and holds its slot', async () => {
    const t = new Transcript({ variants: 2, parallelism: 1, trialDeadlineSeconds: 10 });
    await t.decide();
    t.begins('a/0');
    t.storeIs('Unavailable');
    t.passes(10);
    await t.decide();
    t.storeIs('Available');
    await t.decide();
    expect(t.text).toMatchInlineSnapshot(`
      "1 StartAttempt a/0 (SlotAvailable)
        looked at again at 3600 s
        a/0 begins
        store: Unavailable
        at 10 s
      2 RecordAttempt a/0 TimedOut (DeadlineExceeded), trial Failed
        ResultStoreUnavailableError: the result store does not answer
        store: Available
      3 RecordAttempt a/0 TimedOut (DeadlineExceeded), trial Failed
      4 RemoveAttempt a/0 (TimedOut)"
    `);
  });
});

describe('cancelling', () => {
  it('records and removes what runs, starts nothing more, and ends the run when all of it is gone', async () => {
    const t = new Transcript({ variants: 4, parallelism: 2 });
    await t.decide();
    t.begins('a/0');
    t.succeeds('b/0');
    await t.decide();
    t.isCancelled();
    await t.decide();
    await t.decide();
    t.isGone('a/0');
    await t.decide();
    t.isGone('c/0');
    await t.decide();
    expect(t.text).toMatchInlineSnapshot(`
      "1 StartAttempt a/0 (SlotAvailable), StartAttempt b/0 (SlotAvailable)
        looked at again at 3600 s
        a/0 begins
        b/0 succeeds
      2 RecordAttempt b/0 Succeeded (Completed), trial Succeeded
      3 StartAttempt c/0 (SlotAvailable)
        looked at again at 1 s
        cancel
      4 RecordAttempt a/0 Cancelled (RunCancelled), trial Pending (not counted), RecordAttempt c/0 Cancelled (RunCancelled), trial Pending (not counted)
      5 RemoveAttempt a/0 (Cancelled), RemoveAttempt b/0 (ResultStored), RemoveAttempt c/0 (Cancelled)
        nothing to do
        a/0 is gone
        nothing to do
        c/0 is gone
      6 FinishRun Cancelled (CancelRequested): cancelled, with 1 of 4 trials done"
    `);
    expect(t.held).toEqual([]);
  });

  it('keeps the result of what ended before it was seen', async () => {
    const t = new Transcript({ variants: 2, parallelism: 1 });
    await t.decide();
    t.succeeds('a/0');
    t.isCancelled();
    await t.decide();
    expect(t.text).toMatchInlineSnapshot(`
      "1 StartAttempt a/0 (SlotAvailable)
        looked at again at 3600 s
        a/0 succeeds
        cancel
      2 RecordAttempt a/0 Succeeded (Completed), trial Succeeded
      3 RemoveAttempt a/0 (ResultStored)
      4 FinishRun Cancelled (CancelRequested): cancelled, with 1 of 2 trials done"
    `);
  });

  it('changes nothing when every trial is done', async () => {
    const t = new Transcript({ variants: 1, parallelism: 1 });
    await t.decide();
    t.succeeds('a/0');
    t.isCancelled();
    await t.decide();
    expect(t.text).toMatchInlineSnapshot(`
      "1 StartAttempt a/0 (SlotAvailable)
        looked at again at 3600 s
        a/0 succeeds
        cancel
      2 RecordAttempt a/0 Succeeded (Completed), trial Succeeded
      3 RemoveAttempt a/0 (ResultStored)
      4 FinishRun Complete (AllTrialsSucceeded): its one trial succeeded"
    `);
  });

  it('ends a run at once that has not started anything', async () => {
    const t = new Transcript({ variants: 2, parallelism: 0 });
    await t.decide();
    t.isCancelled();
    await t.decide();
    expect(t.text).toMatchInlineSnapshot(`
      "  nothing to do
        cancel
      1 FinishRun Cancelled (CancelRequested): cancelled, with 0 of 2 trials done"
    `);
  });
});

describe('an operator that restarts', () => {
  it('goes on with what runs, stores what ended meanwhile, and removes what was stored but not removed', async () => {
    const t = new Transcript({ variants: 4, parallelism: 3 });
    await t.decide();
    t.begins('a/0', 'b/0');
    t.succeeds('c/0');
    // The answer to the record is lost, and so is the operator: the result is stored, and its attempt is still there.
    t.storeIs('AnswerLost');
    await t.decide();
    t.storeIs('Available');
    t.succeeds('b/0');
    t.operatorRestarts();
    await t.decide();
    t.succeeds('a/0');
    t.succeeds('d/0');
    await t.decide();
    await t.decide();
    expect(t.text).toMatchInlineSnapshot(`
      "1 StartAttempt a/0 (SlotAvailable), StartAttempt b/0 (SlotAvailable), StartAttempt c/0 (SlotAvailable)
        looked at again at 3600 s
        a/0, b/0 begin
        c/0 succeeds
        store: AnswerLost
      2 RecordAttempt c/0 Succeeded (Completed), trial Succeeded
        ResultStoreUnavailableError: the result store does not answer
        store: Available
        b/0 succeeds
        operator restarts
      3 RecordAttempt b/0 Succeeded (Completed), trial Succeeded
      4 StartAttempt d/0 (SlotAvailable)
        looked at again at 1 s
        a/0 succeeds
        d/0 succeeds
      5 RecordAttempt a/0 Succeeded (Completed), trial Succeeded, RecordAttempt d/0 Succeeded (Completed), trial Succeeded
      6 RemoveAttempt a/0 (ResultStored), RemoveAttempt b/0 (ResultStored), RemoveAttempt c/0 (ResultStored), RemoveAttempt d/0 (ResultStored)
      7 FinishRun Complete (AllTrialsSucceeded): all 4 trials succeeded
        nothing to do"
    `);
    expect(t.held).toEqual([]);
  });

  it('removes a live attempt that is recorded already, and keeps a recorded failure', async () => {
    const t = new Transcript({ variants: 3, parallelism: 2, trialDeadlineSeconds: 10 });
    await t.decide();
    t.begins('a/0');
    t.passes(10);
    t.fails('b/0', 1);
    t.storeIs('AnswerLost');
    await t.decide();
    t.storeIs('Available');
    t.operatorRestarts();
    await t.decide();
    expect(t.text).toMatchInlineSnapshot(`
      "1 StartAttempt a/0 (SlotAvailable), StartAttempt b/0 (SlotAvailable)
        looked at again at 3600 s
        a/0 begins
        at 10 s
        b/0 fails, exit 1
        store: AnswerLost
      2 RecordAttempt a/0 TimedOut (DeadlineExceeded), trial Failed, RecordAttempt b/0 TestFailed (NonZeroExitCode), trial Failed
        ResultStoreUnavailableError: the result store does not answer
        store: Available
        operator restarts
      3 StartAttempt c/0 (SlotAvailable), RemoveAttempt a/0 (TimedOut)
        looked at again at 3610 s"
    `);
    expect(t.held).toEqual(['a/0 Stopping', 'b/0 Ended', 'c/0 Waiting']);
  });
});

describe('a start', () => {
  it('that got no answer is asked for again before anything else, and meets its first', async () => {
    const t = new Transcript({ variants: 2, parallelism: 1 });
    t.nextStart('AnswerLost');
    await t.decide();
    await t.decide();
    expect(t.text).toMatchInlineSnapshot(`
      "  next start: AnswerLost
      1 StartAttempt a/0 (SlotAvailable)
        Error: start checkout-cache-a-0c65e0e5bf: connection reset
      2 StartAttempt a/0 (SlotAvailable)
        looked at again at 3600 s"
    `);
    expect(t.held).toEqual(['a/0 Waiting']);
  });

  it('that got no answer is undone before a cancelled run ends', async () => {
    const t = new Transcript({ variants: 2, parallelism: 1 });
    t.nextStart('AnswerLost');
    await t.decide();
    t.isCancelled();
    await t.decide();
    t.isGone('a/0');
    await t.decide();
    expect(t.text).toMatchInlineSnapshot(`
      "  next start: AnswerLost
      1 StartAttempt a/0 (SlotAvailable)
        Error: start checkout-cache-a-0c65e0e5bf: connection reset
        cancel
      2 RemoveAttempt a/0 (StartUnanswered)
      3 RecordAttempt a/0 Cancelled (RunCancelled), trial Pending (not counted)
        a/0 is gone
      4 FinishRun Cancelled (CancelRequested): cancelled, with 0 of 2 trials done"
    `);
    expect(t.held).toEqual([]);
  });

  it('that never arrived does not keep a cancelled run from ending', async () => {
    const t = new Transcript({ variants: 2, parallelism: 1 });
    t.nextStart('NotSent');
    await t.decide();
    t.isCancelled();
    await t.decide();
    expect(t.text).toMatchInlineSnapshot(`
      "  next start: NotSent
      1 StartAttempt a/0 (SlotAvailable)
        Error: start checkout-cache-a-0c65e0e5bf: connection refused
        cancel
      2 RemoveAttempt checkout-cache-a-0c65e0e5bf (StartUnanswered)
      3 FinishRun Cancelled (CancelRequested): cancelled, with 0 of 2 trials done"
    `);
  });

  it('that is postponed is tried again when it was said, and no sooner by itself', async () => {
    const t = new Transcript({ variants: 1, parallelism: 1 });
    t.nextStart('Postponed');
    await t.decide();
    t.passes(1);
    t.nextStart('Postponed');
    await t.decide();
    t.passes(2);
    await t.decide();
    expect(t.text).toMatchInlineSnapshot(`
      "  next start: Postponed
      1 StartAttempt a/0 (SlotAvailable)
        looked at again at 1 s
        at 1 s
        next start: Postponed
      2 StartAttempt a/0 (SlotAvailable)
        looked at again at 3 s
        at 3 s
      3 StartAttempt a/0 (SlotAvailable)
        looked at again at 3603 s"
    `);
  });

  it('that is postponed when it is asked for again may still have happened, and is undone by cancelling', async () => {
    const t = new Transcript({ variants: 2, parallelism: 1 });
    t.nextStart('AnswerLost');
    await t.decide();
    t.nextStart('Postponed');
    await t.decide();
    t.isCancelled();
    await t.decide();
    expect(t.text).toMatchInlineSnapshot(`
      "  next start: AnswerLost
      1 StartAttempt a/0 (SlotAvailable)
        Error: start checkout-cache-a-0c65e0e5bf: connection reset
        next start: Postponed
      2 StartAttempt a/0 (SlotAvailable)
        looked at again at 1 s
        cancel
      3 RemoveAttempt a/0 (StartUnanswered)
      4 RecordAttempt a/0 Cancelled (RunCancelled), trial Pending (not counted)"
    `);
    expect(t.held).toEqual(['a/0 Stopping']);
  });

  it('that a failing server postpones may have happened, and is undone before a cancelled run ends', async () => {
    const t = new Transcript({ variants: 2, parallelism: 1 });
    t.nextStart('PostponedButStarted');
    await t.decide();
    t.isCancelled();
    await t.decide();
    t.isGone('a/0');
    await t.decide();
    expect(t.text).toMatchInlineSnapshot(`
      "  next start: PostponedButStarted
      1 StartAttempt a/0 (SlotAvailable)
        looked at again at 1 s
        cancel
      2 RemoveAttempt a/0 (StartUnanswered)
      3 RecordAttempt a/0 Cancelled (RunCancelled), trial Pending (not counted)
        looked at again at 1 s
        a/0 is gone
      4 FinishRun Cancelled (CancelRequested): cancelled, with 0 of 2 trials done
        looked at again at 1 s"
    `);
    expect(t.held).toEqual([]);
  });

  it('that a failing server postpones is asked for again before any other, and meets its first', async () => {
    const t = new Transcript({ variants: 3, parallelism: 1 });
    await t.decide();
    t.isLost('a/0');
    t.nextStart('PostponedButStarted');
    await t.decide();
    t.passes(2);
    await t.decide();
    expect(t.text).toMatchInlineSnapshot(`
      "1 StartAttempt a/0 (SlotAvailable)
        looked at again at 3600 s
        a/0 is lost
        next start: PostponedButStarted
      2 RecordAttempt a/0 Infrastructure (NodeLost), trial Pending
      3 StartAttempt b/0 (SlotAvailable)
        looked at again at 1 s
        at 2 s
      4 StartAttempt b/0 (SlotAvailable)
        looked at again at 3600 s"
    `);
    expect(t.held).toEqual(['a/0 Ended', 'b/0 Waiting']);
  });

  it('is none while another that got no answer has no slot any more, which is undone and not held against its trial', async () => {
    const t = new Transcript({ variants: 3, parallelism: 2, spec: { retryPolicy: { limit: 0 } } });
    t.nextStart('NotSent');
    t.nextStart('AnswerLost');
    await t.decide();
    t.parallelismIs(1);
    await t.decide();
    t.isGone('b/0');
    await t.decide();
    expect(t.text).toMatchInlineSnapshot(`
      "  next start: NotSent
        next start: AnswerLost
      1 StartAttempt a/0 (SlotAvailable), StartAttempt b/0 (SlotAvailable)
        Error: start checkout-cache-a-0c65e0e5bf: connection refused
        parallelism 1
      2 RemoveAttempt b/0 (StartUnanswered)
      3 RecordAttempt b/0 Cancelled (StartUnanswered), trial Pending (not counted)
      4 RemoveAttempt checkout-cache-a-0c65e0e5bf (StartUnanswered)
        b/0 is gone
      5 StartAttempt b/0#2 (Retry)
        looked at again at 3600 s"
    `);
  });

  it('is none while another that got no answer may wait and must not', async () => {
    const t = new Transcript({ variants: 3, parallelism: 2 });
    t.nextStart('NotSent');
    t.nextStart('AnswerLost');
    await t.decide();
    t.edits({ maxPending: 1 });
    await t.decide();
    await t.decide();
    expect(t.text).toMatchInlineSnapshot(`
      "  next start: NotSent
        next start: AnswerLost
      1 StartAttempt a/0 (SlotAvailable), StartAttempt b/0 (SlotAvailable)
        Error: start checkout-cache-a-0c65e0e5bf: connection refused
        maxPending 1
      2 RemoveAttempt b/0 (StartUnanswered)
      3 RecordAttempt b/0 Cancelled (StartUnanswered), trial Pending (not counted)
      4 StartAttempt a/0 (SlotAvailable)
        looked at again at 3600 s
        looked at again at 3600 s"
    `);
  });

  it('that is undone is not held against its trial, though the answer to that was lost', async () => {
    const t = new Transcript({ variants: 2, parallelism: 1, spec: { retryPolicy: { limit: 0 } } });
    t.nextStart('AnswerLost');
    await t.decide();
    t.parallelismIs(0);
    t.engine.removeFaults.push('AnswerLost');
    await t.decide();
    await t.decide();
    t.isGone('a/0');
    t.parallelismIs(1);
    await t.decide();
    expect(t.text).toMatchInlineSnapshot(`
      "  next start: AnswerLost
      1 StartAttempt a/0 (SlotAvailable)
        Error: start checkout-cache-a-0c65e0e5bf: connection reset
        parallelism 0
      2 RemoveAttempt a/0 (StartUnanswered)
        Error: remove checkout-cache-a-0c65e0e5bf: connection reset
      3 RecordAttempt a/0 Cancelled (StartUnanswered), trial Pending (not counted)
        a/0 is gone
        parallelism 1
      4 StartAttempt a/0#2 (Retry)
        looked at again at 3600 s"
    `);
  });

  it('that is refused is recorded as a failure of the infrastructure', async () => {
    const t = new Transcript({ variants: 2, parallelism: 1 });
    t.nextStart('Refused');
    await t.decide();
    expect(t.text).toMatchInlineSnapshot(`
      "  next start: Refused
      1 StartAttempt a/0 (SlotAvailable)
      2 RecordAttempt a/0 Infrastructure (PodRefused), trial Pending
      3 StartAttempt b/0 (SlotAvailable)
        looked at again at 1.189 s"
    `);
    expect([...t.store.records.values()]).toMatchObject([
      {
        attempt: 1,
        judgement: { outcome: 'Infrastructure', reason: 'PodRefused', message: 'not allowed' },
        trialAfter: { phase: 'Pending', counts: true },
      },
    ]);
  });
});

describe('what the store may hold though it did not say so', () => {
  it('is a refused start, which is recorded again and not asked for again', async () => {
    const t = new Transcript({ variants: 2, parallelism: 0, spec: { retryPolicy: { limit: 0 } } });
    await t.decide();
    t.parallelismIs(1);
    t.nextStart('Refused');
    t.storeIs('AnswerLost');
    await t.decide();
    t.storeIs('Available');
    await t.decide();
    expect(t.text).toMatchInlineSnapshot(`
      "  nothing to do
        parallelism 1
        next start: Refused
        store: AnswerLost
      1 StartAttempt a/0 (SlotAvailable)
      2 RecordAttempt a/0 Infrastructure (PodRefused), trial Failed
        ResultStoreUnavailableError: the result store does not answer
        store: Available
      3 RecordAttempt a/0 Infrastructure (PodRefused), trial Failed
      4 StartAttempt b/0 (SlotAvailable)
        looked at again at 3600 s"
    `);
    expect(t.held).toEqual(['b/0 Waiting']);
  });

  it('is the end of the run, after which nothing starts though its reason is gone', async () => {
    const t = new Transcript({ variants: 1, parallelism: 0, spec: { activeDeadlineSeconds: 30 } });
    await t.decide();
    t.passes(30);
    t.storeIs('AnswerLost');
    await t.decide();
    t.edits({ activeDeadlineSeconds: 600, parallelism: 1 });
    t.storeIs('Available');
    await t.decide();
    await t.decide();
    expect(t.text).toMatchInlineSnapshot(`
      "  looked at again at 30 s
        at 30 s
        store: AnswerLost
      1 FinishRun Failed (DeadlineExceeded): the run was active for longer than spec.activeDeadlineSeconds, with 0 of 1 trials done
        ResultStoreUnavailableError: the result store does not answer
        activeDeadlineSeconds 600, parallelism 1
        store: Available
      2 FinishRun Failed (DeadlineExceeded): the run was active for longer than spec.activeDeadlineSeconds, with 0 of 1 trials done
        nothing to do"
    `);
    expect(t.held).toEqual([]);
  });
});

/** An attempt of a run's first trial that has been running since 0. */
const running = (run: RunDefinition, name: string, attempt: number): ObservedAttempt => ({
  name,
  variantId: run.variants[0]?.id ?? '',
  repetition: 0,
  attempt,
  state: { kind: 'Running', since: 0 },
});

describe('a cluster that cannot be seen', () => {
  const run = aRun({ variants: 1, spec: { trialDeadlineSeconds: 60 } });
  const attempt = running(run, 'running', 1);
  const decided = (seenUntil: number) => {
    const ledger = new RunLedger(run);
    ledger.noteObserved([attempt]);
    return reconcile(ledger, [attempt], { ...controlsOf(run), seenUntil }, 180_000);
  };

  it('makes no attempt late: it may have ended in time', () => {
    const { actions, requeueAt } = decided(59_000);
    expect(actions).toEqual([]);
    expect(requeueAt).toBe(181_000);
  });

  it('makes one late that was seen to run after its deadline', () => {
    expect(decided(60_000).actions).toMatchObject([{ judgement: { outcome: 'TimedOut' } }]);
  });

  const ended: ObservedAttempt = {
    ...attempt,
    state: { kind: 'Ended', at: 59_500, termination: exitedWell() },
  };
  /** Beside the attempt that runs, of one variant and another. */
  interface Stored {
    readonly same?: 'Succeeded' | 'FailsVariant';
    readonly other?: 'Succeeded' | 'Failed';
  }
  const wishes: readonly [what: string, reason: string, wish: Partial<RunControls>, stored?: Stored][] = [
    ["the run's deadline", 'DeadlineExceeded', { deadlineAt: 60_000 }],
    ['a cancellation', 'RunCancelled', { cancel: 'Requested' }],
    ['a suspension', 'RunSuspended', { suspended: true }],
    ['a lower parallelism', 'Preempted', { parallelism: 0, scaleDownPolicy: 'Preempt' }],
    ['targets that are met', 'TargetMet', {}, { same: 'Succeeded', other: 'Succeeded' }],
    ['too many variants that failed', 'TooManyFailedVariants', { maxFailedVariants: 0 }, { other: 'Failed' }],
    ['the failure of its variant', 'VariantFailed', {}, { same: 'FailsVariant' }],
  ];
  /** The others end single attempts of a run that goes on. */
  const halts = (reason: string): boolean => reason !== 'Preempted' && reason !== 'VariantFailed';
  const longRun = aRun({
    variants: 2,
    repetitions: 2,
    metrics: [{ name: 'p95_ms', goal: 'minimize', target: '15' }],
  });
  /** Trials a/0, b/0, a/1, b/1, of which the first one is under way. */
  const ledgerOf = ({ same, other }: Stored = {}): RunLedger => {
    const ledger = new RunLedger(longRun);
    ledger.noteObserved([attempt]);
    const success = (index: number) =>
      ledger.noteRecorded(index, 1, 'Succeeded', new Map([['p95_ms', 1]]), { phase: 'Succeeded' });
    const failure = (index: number, failsVariant: boolean) =>
      ledger.noteRecorded(index, 1, 'TestFailed', new Map(), { phase: 'Failed', failsVariant });
    if (same === 'Succeeded') success(2);
    if (same === 'FailsVariant') failure(2, true);
    for (const index of [1, 3]) {
      if (other === 'Succeeded') success(index);
      if (other === 'Failed') failure(index, false);
    }
    return ledger;
  };

  describe.each(wishes)('and %s at 60 s', (_, reason, wish, stored) => {
    const controls = { ...controlsOf(longRun), wantedSince: 60_000, ...wish };
    const ledger = ledgerOf(stored);
    const plan = (one: ObservedAttempt, seenUntil: number, now: number) =>
      reconcile(ledger, [one], { ...controls, seenUntil }, now);
    const withoutStore = (seenUntil: number, now: number) =>
      endingsWithoutStore(ledger, [attempt], { ...controls, seenUntil }, now);

    it('end no attempt that may have ended before', () => {
      expect(plan(attempt, 59_000, 119_000)).toMatchObject({ actions: [], requeueAt: 120_000 });
      expect(withoutStore(59_000, 119_000)).toBeUndefined();
    });

    it('do not end one that turns out to have', () => {
      expect(plan(ended, 119_000, 119_000).actions).toMatchObject([{ judgement: { outcome: 'Succeeded' } }]);
    });

    it('end one that turns out to go on', () => {
      expect(plan(attempt, 60_000, 119_000).actions).toMatchObject([{ judgement: { reason } }]);
    });

    if (halts(reason))
      it('are told to wait for that only once it has lasted', () => {
        const told = (now: number) => {
          const at = { ...controls, seenUntil: 59_000 };
          const { waiting } = plan(attempt, 59_000, now);
          const context = { controls: at, activeSince: 0, waiting, storeProblem: undefined };
          return JSON.stringify(
            statusOf(ledger, { ...context, observedGeneration: 1, previousConditions: [] }, now).conditions,
          );
        };
        expect(told(62_000)).not.toContain('may have ended before that');
        expect(told(66_000)).toContain('may have ended before that');
      });
  });

  it.each(wishes.slice(1))('does not hold up %s for ever', (_, reason, wish, stored) => {
    const controls = { ...controlsOf(longRun), wantedSince: 60_000, seenUntil: 0, ...wish };
    const ledger = ledgerOf(stored);
    expect(reconcile(ledger, [attempt], controls, 120_000).actions).toMatchObject([
      { judgement: { reason } },
    ]);
    if (halts(reason))
      expect(endingsWithoutStore(ledger, [attempt], controls, 120_000)).toMatchObject({ why: { reason } });
  });

  it.each<[what: string, wish: Partial<RunControls>, stopped: readonly number[]]>([
    ['a cancellation', { cancel: 'Requested' }, []],
    ['the early stop of its variant', {}, [0]],
  ])(
    'keeps a start that got no answer from being undone by %s: it may have run to its end',
    (_, wish, stopped) => {
      const ledger = new RunLedger(run);
      ledger.noteStartAsked(0, 1);
      ledger.noteStartUnanswered(0);
      ledger.noteSkipped([], stopped, 1);
      const controls = { ...controlsOf(run), wantedSince: 60_000, ...wish };
      expect(reconcile(ledger, [], { ...controls, seenUntil: 59_000 }, 61_000)).toMatchObject({
        actions: [],
        requeueAt: 62_000,
      });
      expect(reconcile(ledger, [], { ...controls, seenUntil: 61_000 }, 61_000).actions).toMatchObject([
        { reason: 'StartUnanswered' },
      ]);
    },
  );
});

describe('an attempt whose program has ended, while what it left is being read', () => {
  const run = aRun({ variants: 1, spec: { trialDeadlineSeconds: 60 } });
  const shownAs = (state: AttemptState): ObservedAttempt => ({ ...running(run, 'read', 1), state });
  const read = shownAs({ kind: 'Running', since: 0, endedAt: 59_000 });
  const wanted: readonly [what: string, controls: Partial<RunControls>][] = [
    ['its deadline', {}],
    ['a cancellation', { cancel: 'Requested' }],
    ['a suspension', { suspended: true }],
    ["the run's deadline", { deadlineAt: 60_000 }],
    ['a lower parallelism', { parallelism: 0, scaleDownPolicy: 'Preempt' }],
  ];

  it.each(wanted)(
    'is ended by nothing, not by %s: it takes its slot and comes to its own end',
    (_, controls) => {
      const ledger = new RunLedger(run);
      ledger.noteObserved([read]);
      const all = { ...controlsOf(run), ...controls };
      expect(reconcile(ledger, [read], all, 90_000)).toMatchObject({ actions: [], requeueAt: undefined });
      expect(endingsWithoutStore(ledger, [read], all, 90_000)).toBeUndefined();
      const termination = exitedWell();
      const ended = shownAs({ kind: 'Ended', at: 59_000, termination });
      expect(reconcile(ledger, [ended], all, 91_000).actions).toMatchObject([
        { kind: 'RecordAttempt', judgement: { outcome: 'Succeeded' } },
      ]);
    },
  );
});

describe('an attempt that should not be', () => {
  const run = aRun({ variants: 1 });
  const late = running(run, 'late', 2);

  it('is removed without a record when its trial has its result', () => {
    const ledger = new RunLedger(run);
    ledger.noteRecorded(0, 1, 'Succeeded', new Map([['p95_ms', 1]]), { phase: 'Succeeded' });
    ledger.noteObserved([late]);
    expect(reconcile(ledger, [late], controlsOf(run), 0).actions).toEqual([
      { kind: 'RemoveAttempt', trial: 0, name: 'late', reason: 'Superseded' },
    ]);
  });

  it.each(['Never', 'Succeeded', 'Always'] as const)(
    'is removed, with podCleanupPolicy %s as well, when its end is stored and its program may run again',
    (podCleanupPolicy) => {
      const ledger = new RunLedger(run);
      ledger.noteRecorded(0, 1, 'Succeeded', new Map([['p95_ms', 1]]), { phase: 'Succeeded' });
      const termination = { kind: 'Exited', exitCode: 0, message: '' } as const;
      const ended = (mayRunAgain: boolean): ObservedAttempt => ({
        ...late,
        attempt: 1,
        state: { kind: 'Ended', at: 0, termination, ...(mayRunAgain ? { mayRunAgain } : {}) },
      });
      const controls = { ...controlsOf(run), podCleanupPolicy };
      const removals = (attempt: ObservedAttempt) => {
        ledger.noteObserved([attempt]);
        return reconcile(ledger, [attempt], controls, 0).actions.filter(
          ({ kind }) => kind === 'RemoveAttempt',
        );
      };
      expect(removals(ended(true))).toMatchObject([{ reason: 'MayRunAgain' }]);
      expect(removals(ended(false))).toMatchObject(
        podCleanupPolicy === 'Never' ? [] : [{ reason: 'ResultStored' }],
      );
    },
  );

  it('is not started when the run is over, even if a trial is left', () => {
    const end = { state: 'Cancelled', reason: 'CancelRequested', message: '' } as const;
    expect(reconcile(new RunLedger(run, [], end), [], controlsOf(run), 0).actions).toEqual([]);
  });
});

describe('an attempt of a trial that the run does not have', () => {
  it('is neither recorded nor removed, takes no slot and does not keep the run from ending', async () => {
    const t = new Transcript({ variants: 1, parallelism: 1 });
    t.strangerAppears('somebody-elses');
    await t.decide();
    t.succeeds('a/0');
    await t.decide();
    await t.decide();
    expect(t.text).toMatchInlineSnapshot(`
      "  somebody-elses, of no trial of this run, appears
      1 StartAttempt a/0 (SlotAvailable)
        looked at again at 3600 s
        a/0 succeeds
      2 RecordAttempt a/0 Succeeded (Completed), trial Succeeded
      3 RemoveAttempt a/0 (ResultStored)
      4 FinishRun Complete (AllTrialsSucceeded): its one trial succeeded
        nothing to do"
    `);
    expect(t.held).toEqual(['somebody-elses Running']);
  });
});

describe('a start that is not answered yet', () => {
  const stopping = { kind: 'Stopping' } as const;
  const ended = {
    kind: 'Ended',
    at: 0,
    termination: { kind: 'Exited', exitCode: 0, message: '{"metrics":{"x":1}}' },
  } as const;

  /** What is decided for the second of two trials while the first is being started. */
  function decidedBesides(
    state: ObservedAttempt['state'] | undefined,
    limits: Pick<RunControls, 'parallelism'> & Partial<RunControls>,
  ): readonly string[] {
    const definition = aRun({ variants: 2 });
    const controls = { ...controlsOf(definition), ...limits };
    const ledger = new RunLedger(definition);
    const [start] = reconcile(ledger, [], { ...controls, startBudget: 1 }, 0).actions;
    const [trial] = definition.trials;
    if (start?.kind !== 'StartAttempt' || trial === undefined) throw new Error('nothing is started');
    ledger.noteStartAsked(start.trial, start.attempt);
    const { name, attempt } = start;
    const { variant, repetition } = trial;
    const shown = state === undefined ? [] : [{ name, variantId: variant.id, repetition, attempt, state }];
    return reconcile(ledger, shown, controls, 0).actions.map(({ kind }) => kind);
  }

  // A pod is taken for somebody else's before the answer tells of its Job, and may have ended by then.
  it.each([
    ['nothing', undefined],
    ['a pod of unknown owner', stopping],
    ['its end', ended],
  ] as const)('takes its slot, and is one of those that wait, when %s is seen of it', (_, state) => {
    expect(decidedBesides(state, { parallelism: 1 })).toEqual([]);
    expect(decidedBesides(state, { parallelism: 2, maxPending: 1 })).toEqual([]);
    expect(decidedBesides(state, { parallelism: 2, maxPending: 2 })).toEqual(['StartAttempt']);
  });
});

describe('what has ended and is stored', () => {
  const SECOND = 1_000;
  const STORED_AT = 10_030;
  const EXITED = {
    kind: 'Ended',
    at: 0,
    termination: { kind: 'Exited', exitCode: 0, message: '' },
  } as const;
  const RUNNING = { kind: 'Running', since: 0 } as const;
  const waitingFor = (ms: number): AttemptState => ({ kind: 'Waiting', since: STORED_AT - ms });

  /** What is decided at a time when the first trial is stored and still there, a slot is free, and the others are as `others` shows them. */
  function decidedAt(now: number, wanted: Partial<RunControls> = {}, others: readonly AttemptState[] = []) {
    const definition = aRun({ variants: others.length === 0 ? 3 : 1 + others.length });
    const controls = { ...controlsOf(definition), removalDelayMs: SECOND, parallelism: 1 };
    const ledger = new RunLedger(definition);
    const [start] = reconcile(ledger, [], controls, 0).actions;
    const [trial] = definition.trials;
    if (start?.kind !== 'StartAttempt' || trial === undefined) throw new Error('nothing is started');
    const { name, attempt } = start;
    ledger.noteStarted(start.trial, attempt);
    const metrics = new Map([['p95_ms', 1]]);
    ledger.noteRecorded(start.trial, attempt, 'Succeeded', metrics, { phase: 'Succeeded' }, STORED_AT);
    const { variant, repetition } = trial;
    const shown: ObservedAttempt[] = [{ name, variantId: variant.id, repetition, attempt, state: EXITED }];
    for (const [before, state] of others.entries()) {
      const index = before + 1;
      const other = definition.trials[index];
      if (other === undefined) throw new Error('there is no such trial');
      ledger.noteStarted(index, 1);
      shown.push({
        name: attemptName(definition, other, 1),
        variantId: other.variant.id,
        repetition: other.repetition,
        attempt: 1,
        state,
      });
    }
    const { actions, requeueAt } = reconcile(ledger, shown, { ...controls, ...wanted }, now);
    return { actions: actions.map(({ kind }) => kind), requeueAt };
  }

  it('is kept until the slot has had time to be filled, and then removed with all that ended in the same tenth of a second', () => {
    expect(decidedAt(STORED_AT)).toEqual({ actions: ['StartAttempt'], requeueAt: 11_100 });
    expect(decidedAt(11_099).actions).toEqual(['StartAttempt']);
    expect(decidedAt(11_100)).toEqual({ actions: ['StartAttempt', 'RemoveAttempt'], requeueAt: undefined });
  });

  it('is removed at once when nothing is left to start and everything that was started runs', () => {
    expect(decidedAt(STORED_AT, {}, [RUNNING]).actions).toEqual(['RemoveAttempt']);
    expect(decidedAt(STORED_AT, {}, [RUNNING, waitingFor(0)])).toEqual({ actions: [], requeueAt: 11_100 });
  });

  it('is removed at once when a start is held up by more than a busy machine', () => {
    expect(decidedAt(STORED_AT, {}, [RUNNING, waitingFor(2_000)]).actions).toEqual([]);
    expect(decidedAt(STORED_AT, {}, [RUNNING, waitingFor(2_001)]).actions).toEqual(['RemoveAttempt']);
  });

  it.each([
    ['the run is cancelled', { cancel: 'Requested' }],
    ['the run is suspended', { suspended: true }],
    [
      'starts are refused, for which a quota on what there is may be the reason',
      { postponed: { reason: 'QuotaExceeded', message: '' }, startBudget: 0 },
    ],
    ['the engine has nothing to spare time for', { removalDelayMs: 0 }],
  ] as const)('is removed at once when %s', (_, wanted) => {
    expect(decidedAt(STORED_AT, wanted).actions).toContain('RemoveAttempt');
  });
});
