/** What a user may do to a run under way, told as transcripts: see test/builders/transcript.ts. */
import { describe, expect, it } from 'vitest';
import { Transcript } from '../../test/builders/transcript.ts';

describe('suspending a run', () => {
  it('ends what runs and starts nothing, and when it is resumed runs what has no result, and nothing else', async () => {
    const t = new Transcript({ variants: 3, parallelism: 2 });
    await t.decide();
    t.begins('a/0', 'b/0');
    t.succeeds('a/0');
    t.isSuspended();
    await t.decide();
    t.isGone('b/0');
    await t.decide();
    t.isResumed();
    await t.decide();
    t.succeeds('b/0#2');
    t.succeeds('c/0');
    await t.decide();
    expect(t.text).toMatchInlineSnapshot(`
      "1 StartAttempt a/0 (SlotAvailable), StartAttempt b/0 (SlotAvailable)
        looked at again at 3600 s
        a/0, b/0 begin
        a/0 succeeds
        suspend true
      2 RecordAttempt a/0 Succeeded (Completed), trial Succeeded, RecordAttempt b/0 Cancelled (RunSuspended), trial Pending (not counted)
      3 RemoveAttempt a/0 (ResultStored), RemoveAttempt b/0 (Cancelled)
        b/0 is gone
        nothing to do
        suspend false
      4 StartAttempt b/0#2 (Retry), StartAttempt c/0 (SlotAvailable)
        looked at again at 3600 s
        b/0#2 succeeds
        c/0 succeeds
      5 RecordAttempt b/0#2 Succeeded (Completed), trial Succeeded, RecordAttempt c/0 Succeeded (Completed), trial Succeeded
      6 RemoveAttempt b/0#2 (ResultStored), RemoveAttempt c/0 (ResultStored)
      7 FinishRun Complete (AllTrialsSucceeded): all 3 trials succeeded"
    `);
    expect(t.held).toEqual([]);
  });

  it('is told, waits without being looked at, and has the run’s clock begin anew when it is over', async () => {
    const t = new Transcript({ variants: 2, spec: { activeDeadlineSeconds: 100 } });
    await t.decide();
    t.tellsProgress();
    t.begins('a/0');
    t.passes(90);
    t.isSuspended();
    await t.decide();
    t.isGone('a/0');
    await t.decide();
    t.tellsProgress();
    t.passes(1_000);
    await t.decide();
    t.isResumed();
    await t.decide();
    t.begins('a/0#2');
    t.passes(99);
    await t.decide();
    t.tellsProgress();
    t.passes(1);
    await t.decide();
    t.tellsProgress();
    expect(t.text).toMatchInlineSnapshot(`
      "1 StartAttempt a/0 (SlotAvailable)
        looked at again at 100 s
        status: WaitingForStart: 1 trial has not started, since 0 s
        a/0 begins
        at 90 s
        suspend true
      2 RecordAttempt a/0 Cancelled (RunSuspended), trial Pending (not counted)
      3 RemoveAttempt a/0 (Cancelled)
        a/0 is gone
        nothing to do
        status: RunSuspended: the run is suspended (spec.suspend)
        at 1090 s
        nothing to do
        suspend false
      4 StartAttempt a/0#2 (Retry)
        looked at again at 1190 s
        a/0#2 begins
        at 1189 s
        looked at again at 1190 s
        status: Running: trials are running, since 1090 s
        at 1190 s
      5 RecordAttempt a/0#2 Cancelled (DeadlineExceeded), trial Pending (not counted)
      6 RemoveAttempt a/0#2 (Cancelled)
        status: DeadlineExceeded: the run was active for longer than spec.activeDeadlineSeconds: running trials are being ended, since 1090 s"
    `);
  });

  it('outlives the operator', async () => {
    const t = new Transcript({ variants: 2, spec: { activeDeadlineSeconds: 100 } });
    await t.decide();
    t.isSuspended();
    await t.decide();
    t.isGone('a/0');
    t.operatorRestarts();
    await t.decide();
    t.passes(500);
    t.isResumed();
    await t.decide();
    t.tellsProgress();
    expect(t.text).toMatchInlineSnapshot(`
      "1 StartAttempt a/0 (SlotAvailable)
        looked at again at 100 s
        suspend true
      2 RecordAttempt a/0 Cancelled (RunSuspended), trial Pending (not counted)
      3 RemoveAttempt a/0 (Cancelled)
        a/0 is gone
        operator restarts
        nothing to do
        at 500 s
        suspend false
      4 StartAttempt a/0#2 (Retry)
        looked at again at 600 s
        status: WaitingForStart: 1 trial has not started, since 500 s"
    `);
  });

  it('does not use up the attempts of a trial, however often it is done', async () => {
    const t = new Transcript({ variants: 1, spec: { retryPolicy: { limit: 1 } } });
    for (const attempt of ['a/0', 'a/0#2', 'a/0#3']) {
      await t.decide();
      t.isSuspended();
      await t.decide();
      t.isGone(attempt);
      t.isResumed();
    }
    await t.decide();
    t.isLost('a/0#4');
    t.passes(2);
    await t.decide();
    t.passes(2);
    await t.decide();
    t.isLost('a/0#5');
    await t.decide();
    expect(t.text).toMatchInlineSnapshot(`
      "1 StartAttempt a/0 (SlotAvailable)
        looked at again at 3600 s
        suspend true
      2 RecordAttempt a/0 Cancelled (RunSuspended), trial Pending (not counted)
      3 RemoveAttempt a/0 (Cancelled)
        a/0 is gone
        suspend false
      4 StartAttempt a/0#2 (Retry)
        looked at again at 3600 s
        suspend true
      5 RecordAttempt a/0#2 Cancelled (RunSuspended), trial Pending (not counted)
      6 RemoveAttempt a/0#2 (Cancelled)
        a/0#2 is gone
        suspend false
      7 StartAttempt a/0#3 (Retry)
        looked at again at 3600 s
        suspend true
      8 RecordAttempt a/0#3 Cancelled (RunSuspended), trial Pending (not counted)
      9 RemoveAttempt a/0#3 (Cancelled)
        a/0#3 is gone
        suspend false
      10 StartAttempt a/0#4 (Retry)
        looked at again at 3600 s
        a/0#4 is lost
        at 2 s
      11 RecordAttempt a/0#4 Infrastructure (NodeLost), trial Pending
        looked at again at 3.375 s
        at 4 s
      12 StartAttempt a/0#5 (Retry)
        looked at again at 3604 s
        a/0#5 is lost
      13 RecordAttempt a/0#5 Infrastructure (NodeLost), trial Failed
      14 FinishRun Failed (InfrastructureFailed): 1 of 1 variants failed (1 trial Infrastructure)"
    `);
  });

  it('leaves the next attempt of a trial waiting until the one before is gone', async () => {
    const t = new Transcript({ variants: 1, parallelism: 2 });
    await t.decide();
    t.begins('a/0');
    t.isSuspended();
    await t.decide();
    t.isResumed();
    await t.decide();
    t.tellsProgress();
    t.isGone('a/0');
    await t.decide();
    expect(t.text).toMatchInlineSnapshot(`
      "1 StartAttempt a/0 (SlotAvailable)
        looked at again at 3600 s
        a/0 begins
        suspend true
      2 RecordAttempt a/0 Cancelled (RunSuspended), trial Pending (not counted)
      3 RemoveAttempt a/0 (Cancelled)
        suspend false
        nothing to do
        status: WaitingForEnd: trials are being ended and take their slots until they are gone, since 0 s
        a/0 is gone
      4 StartAttempt a/0#2 (Retry)
        looked at again at 3600 s"
    `);
  });

  it('lets a run whose trials are all done be complete', async () => {
    const t = new Transcript({ variants: 1 });
    await t.decide();
    t.succeeds('a/0');
    t.isSuspended();
    await t.decide();
    expect(t.text).toMatchInlineSnapshot(`
      "1 StartAttempt a/0 (SlotAvailable)
        looked at again at 3600 s
        a/0 succeeds
        suspend true
      2 RecordAttempt a/0 Succeeded (Completed), trial Succeeded
      3 RemoveAttempt a/0 (ResultStored)
      4 FinishRun Complete (AllTrialsSucceeded): its one trial succeeded"
    `);
  });
});

describe('the deadline of a run', () => {
  it('ends what runs, and with it the run as Failed', async () => {
    const t = new Transcript({ variants: 3, parallelism: 2, spec: { activeDeadlineSeconds: 60 } });
    await t.decide();
    t.begins('a/0', 'b/0');
    t.fails('a/0', 1);
    await t.decide();
    t.passes(60);
    await t.decide();
    t.tellsProgress();
    t.isGone('b/0');
    t.isGone('c/0');
    await t.decide();
    expect(t.text).toMatchInlineSnapshot(`
      "1 StartAttempt a/0 (SlotAvailable), StartAttempt b/0 (SlotAvailable)
        looked at again at 60 s
        a/0, b/0 begin
        a/0 fails, exit 1
      2 RecordAttempt a/0 TestFailed (NonZeroExitCode), trial Failed
      3 StartAttempt c/0 (SlotAvailable)
        looked at again at 60 s
        at 60 s
      4 RecordAttempt b/0 Cancelled (DeadlineExceeded), trial Pending (not counted), RecordAttempt c/0 Cancelled (DeadlineExceeded), trial Pending (not counted)
      5 RemoveAttempt b/0 (Cancelled), RemoveAttempt c/0 (Cancelled)
        status: DeadlineExceeded: the run was active for longer than spec.activeDeadlineSeconds: running trials are being ended, since 0 s
        b/0 is gone
        c/0 is gone
      6 FinishRun Failed (DeadlineExceeded): the run was active for longer than spec.activeDeadlineSeconds, with 1 of 3 trials done"
    `);
  });

  it('that is extended before everything has ended lets the run go on', async () => {
    const t = new Transcript({ variants: 2, parallelism: 2, spec: { activeDeadlineSeconds: 60 } });
    await t.decide();
    t.begins('a/0', 'b/0');
    t.passes(60);
    await t.decide();
    t.isGone('a/0');
    t.edits({ activeDeadlineSeconds: 600 });
    await t.decide();
    t.isGone('b/0');
    await t.decide();
    t.succeeds('a/0#2');
    t.succeeds('b/0#2');
    await t.decide();
    expect(t.text).toMatchInlineSnapshot(`
      "1 StartAttempt a/0 (SlotAvailable), StartAttempt b/0 (SlotAvailable)
        looked at again at 60 s
        a/0, b/0 begin
        at 60 s
      2 RecordAttempt a/0 Cancelled (DeadlineExceeded), trial Pending (not counted), RecordAttempt b/0 Cancelled (DeadlineExceeded), trial Pending (not counted)
      3 RemoveAttempt a/0 (Cancelled), RemoveAttempt b/0 (Cancelled)
        a/0 is gone
        activeDeadlineSeconds 600
      4 StartAttempt a/0#2 (Retry)
        looked at again at 600 s
        b/0 is gone
      5 StartAttempt b/0#2 (Retry)
        looked at again at 600 s
        a/0#2 succeeds
        b/0#2 succeeds
      6 RecordAttempt a/0#2 Succeeded (Completed), trial Succeeded, RecordAttempt b/0#2 Succeeded (Completed), trial Succeeded
      7 RemoveAttempt a/0#2 (ResultStored), RemoveAttempt b/0#2 (ResultStored)
      8 FinishRun Complete (AllTrialsSucceeded): all 2 trials succeeded"
    `);
  });
});

describe('deleting the object of a run', () => {
  it('ends it like cancelling, with what had ended stored', async () => {
    const t = new Transcript({ variants: 2, parallelism: 2 });
    await t.decide();
    t.begins('a/0', 'b/0');
    t.succeeds('a/0');
    t.isCancelled('Deleted');
    await t.decide();
    t.isGone('b/0');
    await t.decide();
    expect(t.text).toMatchInlineSnapshot(`
      "1 StartAttempt a/0 (SlotAvailable), StartAttempt b/0 (SlotAvailable)
        looked at again at 3600 s
        a/0, b/0 begin
        a/0 succeeds
        delete
      2 RecordAttempt a/0 Succeeded (Completed), trial Succeeded, RecordAttempt b/0 Cancelled (RunDeleted), trial Pending (not counted)
      3 RemoveAttempt a/0 (ResultStored), RemoveAttempt b/0 (Cancelled)
        b/0 is gone
      4 FinishRun Cancelled (Deleted): the BatchTest was deleted, with 1 of 2 trials done"
    `);
  });
});

describe('maxFailedVariants', () => {
  it('of 0 ends the run with the first variant that fails', async () => {
    const t = new Transcript({ variants: 3, parallelism: 2, spec: { maxFailedVariants: 0 } });
    await t.decide();
    t.begins('a/0', 'b/0');
    t.fails('a/0', 1);
    await t.decide();
    t.isGone('b/0');
    await t.decide();
    expect(t.text).toMatchInlineSnapshot(`
      "1 StartAttempt a/0 (SlotAvailable), StartAttempt b/0 (SlotAvailable)
        looked at again at 3600 s
        a/0, b/0 begin
        a/0 fails, exit 1
      2 RecordAttempt a/0 TestFailed (NonZeroExitCode), trial Failed
      3 RecordAttempt b/0 Cancelled (TooManyFailedVariants), trial Pending (not counted)
      4 RemoveAttempt b/0 (Cancelled)
        b/0 is gone
      5 FinishRun Failed (TooManyFailedVariants): 1 variant failed, more than spec.maxFailedVariants (0) allows, with 1 of 3 trials done"
    `);
  });

  it('lets as many variants fail as it says, and may be raised while what is too many is being ended', async () => {
    const t = new Transcript({ variants: 4, parallelism: 2, spec: { maxFailedVariants: 1 } });
    await t.decide();
    t.fails('a/0', 1);
    await t.decide();
    t.fails('b/0', 1);
    await t.decide();
    t.edits({ maxFailedVariants: 2 });
    await t.decide();
    t.isGone('c/0');
    await t.decide();
    expect(t.text).toMatchInlineSnapshot(`
      "1 StartAttempt a/0 (SlotAvailable), StartAttempt b/0 (SlotAvailable)
        looked at again at 3600 s
        a/0 fails, exit 1
      2 RecordAttempt a/0 TestFailed (NonZeroExitCode), trial Failed
      3 StartAttempt c/0 (SlotAvailable)
        looked at again at 3600 s
        b/0 fails, exit 1
      4 RecordAttempt b/0 TestFailed (NonZeroExitCode), trial Failed
      5 RecordAttempt c/0 Cancelled (TooManyFailedVariants), trial Pending (not counted)
      6 RemoveAttempt c/0 (Cancelled)
        maxFailedVariants 2
      7 StartAttempt d/0 (SlotAvailable)
        looked at again at 3600 s
        c/0 is gone
      8 StartAttempt c/0#2 (Retry)
        looked at again at 3600 s"
    `);
  });
});

describe('lowering parallelism', () => {
  it('with Preempt ends first what waits, then the youngest, and runs them again later', async () => {
    const t = new Transcript({ variants: 4, parallelism: 1, spec: { scaleDownPolicy: 'Preempt' } });
    await t.decide();
    t.begins('a/0');
    t.passes(10);
    t.parallelismIs(4);
    await t.decide();
    t.begins('c/0');
    t.passes(10);
    t.begins('b/0');
    t.parallelismIs(2);
    await t.decide();
    t.parallelismIs(1);
    await t.decide();
    t.isGone('b/0');
    t.isGone('c/0');
    t.isGone('d/0');
    t.parallelismIs(3);
    await t.decide();
    expect(t.text).toMatchInlineSnapshot(`
      "1 StartAttempt a/0 (SlotAvailable)
        looked at again at 3600 s
        a/0 begins
        at 10 s
        parallelism 4
      2 StartAttempt b/0 (SlotAvailable), StartAttempt c/0 (SlotAvailable), StartAttempt d/0 (SlotAvailable)
        looked at again at 3600 s
        c/0 begins
        at 20 s
        b/0 begins
        parallelism 2
      3 RecordAttempt b/0 Cancelled (Preempted), trial Pending (not counted), RecordAttempt d/0 Cancelled (Preempted), trial Pending (not counted)
      4 RemoveAttempt b/0 (Cancelled), RemoveAttempt d/0 (Cancelled)
        looked at again at 3600 s
        parallelism 1
      5 RecordAttempt c/0 Cancelled (Preempted), trial Pending (not counted)
      6 RemoveAttempt c/0 (Cancelled)
        looked at again at 3600 s
        b/0 is gone
        c/0 is gone
        d/0 is gone
        parallelism 3
      7 StartAttempt b/0#2 (Retry), StartAttempt d/0#2 (Retry)
        looked at again at 3600 s"
    `);
  });

  it('to 0 ends everything with Preempt, and nothing with Drain', async () => {
    const t = new Transcript({ variants: 2, parallelism: 2 });
    await t.decide();
    t.begins('a/0');
    t.parallelismIs(0);
    await t.decide();
    t.tellsProgress();
    t.edits({ scaleDownPolicy: 'Preempt' });
    await t.decide();
    t.isGone('a/0');
    t.isGone('b/0');
    await t.decide();
    t.tellsProgress();
    expect(t.text).toMatchInlineSnapshot(`
      "1 StartAttempt a/0 (SlotAvailable), StartAttempt b/0 (SlotAvailable)
        looked at again at 3600 s
        a/0 begins
        parallelism 0
        looked at again at 3600 s
        status: Running: trials are running, since 0 s
        scaleDownPolicy Preempt
      2 RecordAttempt a/0 Cancelled (Preempted), trial Pending (not counted), RecordAttempt b/0 Cancelled (Preempted), trial Pending (not counted)
      3 RemoveAttempt a/0 (Cancelled), RemoveAttempt b/0 (Cancelled)
        a/0 is gone
        b/0 is gone
        nothing to do
        status: Paused: spec.parallelism is 0: nothing new starts, since 0 s"
    `);
  });

  it('with Preempt ends no more than must be when something ends anyhow', async () => {
    const t = new Transcript({
      variants: 3,
      parallelism: 3,
      trialDeadlineSeconds: 20,
      spec: { scaleDownPolicy: 'Preempt' },
    });
    await t.decide();
    t.begins('a/0');
    t.passes(20);
    t.begins('b/0', 'c/0');
    t.parallelismIs(2);
    await t.decide();
    expect(t.text).toMatchInlineSnapshot(`
      "1 StartAttempt a/0 (SlotAvailable), StartAttempt b/0 (SlotAvailable), StartAttempt c/0 (SlotAvailable)
        looked at again at 3600 s
        a/0 begins
        at 20 s
        b/0, c/0 begin
        parallelism 2
      2 RecordAttempt a/0 TimedOut (DeadlineExceeded), trial Failed
      3 RemoveAttempt a/0 (TimedOut)
        looked at again at 40 s"
    `);
    expect(t.held).toEqual(['a/0 Stopping', 'b/0 Running', 'c/0 Running']);
  });
});

describe('maxPending', () => {
  it('starts no more than that ahead of what runs', async () => {
    const t = new Transcript({ variants: 5, parallelism: 4, spec: { maxPending: 2 } });
    await t.decide();
    t.waits('a/0', 'Unschedulable', '0/3 nodes are available');
    await t.decide();
    t.tellsProgress();
    t.begins('b/0');
    await t.decide();
    await t.decide();
    t.tellsProgress();
    t.begins('a/0');
    t.edits({ maxPending: 1 });
    await t.decide();
    t.begins('c/0');
    await t.decide();
    await t.decide();
    t.tellsProgress();
    expect(t.text).toMatchInlineSnapshot(`
      "1 StartAttempt a/0 (SlotAvailable), StartAttempt b/0 (SlotAvailable)
        looked at again at 3600 s
        a/0 waits: Unschedulable
        looked at again at 3600 s
        status: WaitingForStart: 2 trials have not started: Unschedulable: 0/3 nodes are available, since 0 s
        b/0 begins
      2 StartAttempt c/0 (SlotAvailable)
        looked at again at 3600 s
        looked at again at 3600 s
        status: MaxPending: no more than 2 may wait to start (spec.maxPending); 2 trials have not started: Unschedulable: 0/3 nodes are available, since 0 s
        a/0 begins
        maxPending 1
        looked at again at 3600 s
        c/0 begins
      3 StartAttempt d/0 (SlotAvailable)
        looked at again at 3600 s
        looked at again at 3600 s
        status: Running: trials are running, since 0 s"
    `);
  });
});

describe('while results cannot be stored', () => {
  it('what must not run is ended all the same, and recorded as ended once they can', async () => {
    const t = new Transcript({ variants: 3, parallelism: 3 });
    await t.decide();
    t.begins('a/0', 'b/0');
    t.succeeds('a/0');
    t.storeIs('Unavailable');
    t.isCancelled();
    await t.decide();
    t.holds();
    t.tellsProgress();
    t.isGone('b/0');
    t.isGone('c/0');
    await t.decide();
    t.storeIs('Available');
    await t.decide();
    expect(t.text).toMatchInlineSnapshot(`
      "1 StartAttempt a/0 (SlotAvailable), StartAttempt b/0 (SlotAvailable), StartAttempt c/0 (SlotAvailable)
        looked at again at 3600 s
        a/0, b/0 begin
        a/0 succeeds
        store: Unavailable
        cancel
      2 RecordAttempt a/0 Succeeded (Completed), trial Succeeded, RecordAttempt b/0 Cancelled (RunCancelled), trial Pending (not counted), RecordAttempt c/0 Cancelled (RunCancelled), trial Pending (not counted)
        ResultStoreUnavailableError: the result store does not answer
        held: a/0 Ended, b/0 Stopping, c/0 Stopping
        status: RunCancelled: cancelled: running trials are being ended, since 0 s
        b/0 is gone
        c/0 is gone
      3 RecordAttempt a/0 Succeeded (Completed), trial Succeeded, RecordAttempt b/0 Cancelled (RunCancelled), trial Pending (not counted), RecordAttempt c/0 Cancelled (RunCancelled), trial Pending (not counted)
        ResultStoreUnavailableError: the result store does not answer
        store: Available
      4 RecordAttempt a/0 Succeeded (Completed), trial Succeeded, RecordAttempt b/0 Cancelled (RunCancelled), trial Pending (not counted), RecordAttempt c/0 Cancelled (RunCancelled), trial Pending (not counted)
      5 RemoveAttempt a/0 (ResultStored)
      6 FinishRun Cancelled (CancelRequested): cancelled, with 1 of 3 trials done"
    `);
    expect([...t.store.records.values()].map(({ judgement: { reason } }) => reason)).toEqual([
      'Completed',
      'RunCancelled',
      'RunCancelled',
    ]);
  });

  it('what must not run is ended as well when they are slow to be stored', async () => {
    const t = new Transcript({ variants: 2, parallelism: 2 });
    await t.decide();
    t.begins('a/0', 'b/0');
    t.succeeds('a/0');
    t.isCancelled();
    t.storeIsLate();
    t.storeIsLate();
    await t.decide();
    t.holds();
    t.passes(5);
    await t.decide();
    t.holds();
    t.isGone('b/0');
    t.isAnswered();
    await t.decide();
    expect(t.text).toMatchInlineSnapshot(`
      "1 StartAttempt a/0 (SlotAvailable), StartAttempt b/0 (SlotAvailable)
        looked at again at 3600 s
        a/0, b/0 begin
        a/0 succeeds
        cancel
        the next answer of the store is late
        the next answer of the store is late
      2 RecordAttempt a/0 Succeeded (Completed), trial Succeeded, RecordAttempt b/0 Cancelled (RunCancelled), trial Pending (not counted)
        looked at again at 5 s
        held: a/0 Ended, b/0 Running
        at 5 s
        looked at again at 3600 s
        held: a/0 Ended, b/0 Stopping
        b/0 is gone
        answered
      3 RemoveAttempt a/0 (ResultStored)
      4 FinishRun Cancelled (CancelRequested): cancelled, with 1 of 2 trials done"
    `);
  });

  it('what was ended is not held against its trial, though its reason is gone by the time it is recorded', async () => {
    const t = new Transcript({ variants: 2, parallelism: 2, spec: { retryPolicy: { limit: 0 } } });
    await t.decide();
    t.begins('a/0', 'b/0');
    t.storeIs('Unavailable');
    t.edits({ suspend: true });
    await t.decide();
    t.edits({ suspend: false });
    t.isGone('a/0');
    t.storeIs('Available');
    await t.decide();
    expect([...t.store.records.values()].map(({ judgement: { reason } }) => reason)).toEqual([
      'RunSuspended',
      'RunSuspended',
    ]);
    t.isGone('b/0');
    await t.decide();
    expect(t.held).toEqual(['a/0#2 Waiting', 'b/0#2 Waiting']);
  });

  it('what was ended and is stored is not held against the next attempt of its trial', async () => {
    const t = new Transcript({ variants: 2, parallelism: 2 });
    await t.decide();
    t.begins('a/0', 'b/0');
    t.isSuspended();
    t.storeIsLate();
    await t.decide();
    // The record of b is committed by now, and it is to be removed together with a.
    expect([...t.store.records.values()]).toHaveLength(2);
    expect(t.held).toEqual(['a/0 Running', 'b/0 Running']);
    t.passes(5);
    await t.decide();
    expect(t.held).toEqual(['a/0 Stopping', 'b/0 Stopping']);
    t.isGone('a/0');
    t.isGone('b/0');
    t.isAnswered();
    t.isResumed();
    await t.decide();
    await t.decide();
    expect([...t.held].sort()).toEqual(['a/0#2 Waiting', 'b/0#2 Waiting']);
  });

  it('nothing is ended that may go on', async () => {
    const t = new Transcript({ variants: 2, parallelism: 2 });
    await t.decide();
    t.begins('a/0', 'b/0');
    t.succeeds('a/0');
    t.storeIs('Unavailable');
    await t.decide();
    t.holds();
    t.tellsProgress();
    expect(t.text).toMatchInlineSnapshot(`
      "1 StartAttempt a/0 (SlotAvailable), StartAttempt b/0 (SlotAvailable)
        looked at again at 3600 s
        a/0, b/0 begin
        a/0 succeeds
        store: Unavailable
      2 RecordAttempt a/0 Succeeded (Completed), trial Succeeded
        ResultStoreUnavailableError: the result store does not answer
        held: a/0 Ended, b/0 Running
        status: WaitingForResultStore: nothing new starts before results can be stored, since 0 s"
    `);
  });
});

describe('starts that are postponed', () => {
  it('are tried one at a time, ever later, and all at once as soon as one goes well', async () => {
    const t = new Transcript({ variants: 4, parallelism: 4 });
    for (let start = 0; start < 4; start += 1) t.engine.startFaults.push('Postponed');
    await t.decide();
    t.tellsProgress();
    await t.decide();
    t.passes(1);
    t.nextStart('Postponed');
    await t.decide();
    t.passes(2);
    t.nextStart('Postponed');
    await t.decide();
    t.passes(4);
    await t.decide();
    expect(t.text).toMatchInlineSnapshot(`
      "1 StartAttempt a/0 (SlotAvailable), StartAttempt b/0 (SlotAvailable), StartAttempt c/0 (SlotAvailable), StartAttempt d/0 (SlotAvailable)
        looked at again at 1 s
        status: QuotaExceeded: pods=3, since 0 s
        looked at again at 1 s
        at 1 s
        next start: Postponed
      2 StartAttempt a/0 (SlotAvailable)
        looked at again at 3 s
        at 3 s
        next start: Postponed
      3 StartAttempt b/0 (SlotAvailable)
        looked at again at 7 s
        at 7 s
      4 StartAttempt c/0 (SlotAvailable)
      5 StartAttempt d/0 (SlotAvailable), StartAttempt a/0 (SlotAvailable)
      6 StartAttempt b/0 (SlotAvailable)
        looked at again at 3607 s"
    `);
  });

  it('are tried again at once when something ended that may have made room', async () => {
    const t = new Transcript({ variants: 3, parallelism: 2 });
    await t.decide();
    t.succeeds('a/0');
    t.nextStart('Postponed');
    await t.decide();
    t.succeeds('b/0');
    await t.decide();
    expect(t.text).toMatchInlineSnapshot(`
      "1 StartAttempt a/0 (SlotAvailable), StartAttempt b/0 (SlotAvailable)
        looked at again at 3600 s
        a/0 succeeds
        next start: Postponed
      2 RecordAttempt a/0 Succeeded (Completed), trial Succeeded
      3 StartAttempt c/0 (SlotAvailable)
      4 RemoveAttempt a/0 (ResultStored)
        looked at again at 1 s
        b/0 succeeds
      5 RecordAttempt b/0 Succeeded (Completed), trial Succeeded
      6 StartAttempt c/0 (SlotAvailable), RemoveAttempt b/0 (ResultStored)
        looked at again at 3600 s"
    `);
  });
});
