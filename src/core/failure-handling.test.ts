/** What follows an attempt that failed or never started, told as transcripts: see test/builders/transcript.ts. */
import { describe, expect, it } from 'vitest';
import type { BatchTestOptions } from '../../test/builders/batch-test.ts';
import { Transcript } from '../../test/builders/transcript.ts';

describe('an attempt that does not start', () => {
  it('in time is ended, blames the infrastructure, says what it waited for, and is tried again', async () => {
    const t = new Transcript({ variants: 1, spec: { trialStartDeadlineSeconds: 30 } });
    await t.decide();
    t.waits('a/0', 'ImagePullBackOff', 'no such image');
    await t.decide();
    t.tellsProgress();
    t.passes(30);
    await t.decide();
    t.isGone('a/0');
    t.passes(2);
    await t.decide();
    t.passes(30);
    await t.decide();
    t.isGone('a/0#2');
    await t.decide();
    expect(t.text).toMatchInlineSnapshot(`
      "1 StartAttempt a/0 (SlotAvailable)
        looked at again at 30 s
        a/0 waits: ImagePullBackOff
        looked at again at 30 s
        status: WaitingForStart: 1 trial has not started: ImagePullBackOff: no such image, since 0 s
        at 30 s
      2 RecordAttempt a/0 Infrastructure (StartDeadlineExceeded), trial Pending
      3 RemoveAttempt a/0 (Infrastructure)
        looked at again at 31.189 s
        a/0 is gone
        at 32 s
      4 StartAttempt a/0#2 (Retry)
        looked at again at 62 s
        at 62 s
      5 RecordAttempt a/0#2 Infrastructure (StartDeadlineExceeded), trial Failed
      6 RemoveAttempt a/0#2 (Infrastructure)
        a/0#2 is gone
      7 FinishRun Failed (InfrastructureFailed): 1 of 1 variants failed (1 trial Infrastructure)"
    `);
    expect([...t.store.records.values()].map(({ judgement }) => judgement.message)).toEqual([
      'did not start within 30 s (spec.trialStartDeadlineSeconds); last seen: ImagePullBackOff: no such image',
      'did not start within 30 s (spec.trialStartDeadlineSeconds)',
    ]);
  });

  it('has nothing to do with the deadline of one that runs, and the other way round', async () => {
    const t = new Transcript({
      variants: 2,
      parallelism: 2,
      trialDeadlineSeconds: 10,
      spec: { trialStartDeadlineSeconds: 30 },
    });
    await t.decide();
    t.begins('b/0');
    t.passes(10);
    await t.decide();
    t.passes(19);
    t.begins('a/0');
    t.passes(9);
    await t.decide();
    expect(t.text).toMatchInlineSnapshot(`
      "1 StartAttempt a/0 (SlotAvailable), StartAttempt b/0 (SlotAvailable)
        looked at again at 30 s
        b/0 begins
        at 10 s
      2 RecordAttempt b/0 TimedOut (DeadlineExceeded), trial Failed
      3 RemoveAttempt b/0 (TimedOut)
        looked at again at 30 s
        at 29 s
        a/0 begins
        at 38 s
        looked at again at 39 s"
    `);
  });
});

describe('retryPolicy', () => {
  it('has an attempt that was too slow followed by another only when that one is gone', async () => {
    const t = new Transcript({
      variants: 1,
      parallelism: 2,
      trialDeadlineSeconds: 10,
      spec: { retryPolicy: { outcomes: ['TimedOut'], backoffSeconds: 0 } },
    });
    await t.decide();
    t.begins('a/0');
    t.passes(10);
    await t.decide();
    t.passes(10);
    await t.decide();
    t.isGone('a/0');
    await t.decide();
    expect(t.text).toMatchInlineSnapshot(`
      "1 StartAttempt a/0 (SlotAvailable)
        looked at again at 3600 s
        a/0 begins
        at 10 s
      2 RecordAttempt a/0 TimedOut (DeadlineExceeded), trial Pending
      3 RemoveAttempt a/0 (TimedOut)
        at 20 s
        nothing to do
        a/0 is gone
      4 StartAttempt a/0#2 (Retry)
        looked at again at 3620 s"
    `);
  });

  it('is followed over a restart: attempts that count are not forgotten, nor those that do not', async () => {
    const t = new Transcript({
      variants: 1,
      spec: {
        retryPolicy: { limit: 1, outcomes: ['TestFailed'], backoffSeconds: 0 },
        failurePolicy: { rules: [{ action: 'Ignore', onExitCodes: { operator: 'In', values: [75] } }] },
      },
    });
    await t.decide();
    t.fails('a/0', 75);
    await t.decide();
    t.fails('a/0#2', 1);
    t.operatorRestarts();
    await t.decide();
    t.fails('a/0#3', 75);
    t.operatorRestarts();
    await t.decide();
    t.operatorRestarts();
    t.fails('a/0#4', 1);
    await t.decide();
    expect(t.text).toMatchInlineSnapshot(`
      "1 StartAttempt a/0 (SlotAvailable)
        looked at again at 3600 s
        a/0 fails, exit 75
      2 RecordAttempt a/0 TestFailed (NonZeroExitCode), trial Pending (not counted)
      3 StartAttempt a/0#2 (Retry)
        looked at again at 3600 s
        a/0#2 fails, exit 1
        operator restarts
      4 RecordAttempt a/0#2 TestFailed (NonZeroExitCode), trial Pending
      5 StartAttempt a/0#3 (Retry)
        looked at again at 3600 s
        a/0#3 fails, exit 75
        operator restarts
      6 RecordAttempt a/0#3 TestFailed (NonZeroExitCode), trial Pending (not counted)
      7 StartAttempt a/0#4 (Retry)
        looked at again at 3600 s
        operator restarts
        a/0#4 fails, exit 1
      8 RecordAttempt a/0#4 TestFailed (NonZeroExitCode), trial Failed
      9 FinishRun Failed (VariantsFailed): 1 of 1 variants failed (1 trial TestFailed)"
    `);
    expect(t.held).toEqual(['a/0 Ended', 'a/0#2 Ended', 'a/0#3 Ended', 'a/0#4 Ended']);
  });
});

describe('a variant that fails as a whole', () => {
  const failVariant: NonNullable<BatchTestOptions['spec']> = {
    failurePolicy: { rules: [{ action: 'FailVariant', onExitCodes: { operator: 'In', values: [42] } }] },
  };

  it('has its other trials ended, and those that have not started are not run', async () => {
    const t = new Transcript({ variants: 2, repetitions: 3, parallelism: 3, spec: failVariant });
    await t.decide();
    t.begins('a/0', 'b/0', 'a/1');
    t.fails('a/0', 42);
    await t.decide();
    t.isGone('a/1');
    t.succeeds('b/0');
    await t.decide();
    t.succeeds('b/1');
    t.succeeds('b/2');
    await t.decide();
    expect(t.text).toMatchInlineSnapshot(`
      "1 StartAttempt a/0 (SlotAvailable), StartAttempt b/0 (SlotAvailable), StartAttempt a/1 (SlotAvailable)
        looked at again at 3600 s
        a/0, b/0, a/1 begin
        a/0 fails, exit 42
      2 RecordAttempt a/0 TestFailed (NonZeroExitCode), variant Failed
      3 RecordAttempt a/1 Cancelled (VariantFailed), trial Pending (not counted)
      4 StartAttempt b/1 (SlotAvailable), RemoveAttempt a/1 (Cancelled)
        looked at again at 3600 s
        a/1 is gone
        b/0 succeeds
      5 RecordAttempt b/0 Succeeded (Completed), trial Succeeded
      6 StartAttempt b/2 (SlotAvailable)
        looked at again at 1 s
        b/1 succeeds
        b/2 succeeds
      7 RecordAttempt b/1 Succeeded (Completed), trial Succeeded, RecordAttempt b/2 Succeeded (Completed), trial Succeeded
      8 RemoveAttempt b/0 (ResultStored), RemoveAttempt b/1 (ResultStored), RemoveAttempt b/2 (ResultStored)
      9 FinishRun Failed (VariantsFailed): 1 of 2 variants failed (1 trial TestFailed)"
    `);
    expect(t.store.trialOf(t.run.variants[0]?.id ?? '', 2)).toMatchObject({
      phase: 'Cancelled',
      recordedAttempts: 0,
    });
  });

  it('stays failed over a restart', async () => {
    const t = new Transcript({ variants: 2, repetitions: 2, parallelism: 1, spec: failVariant });
    await t.decide();
    t.fails('a/0', 42);
    t.storeIs('AnswerLost');
    await t.decide();
    t.storeIs('Available');
    t.operatorRestarts();
    await t.decide();
    t.succeeds('b/0');
    await t.decide();
    t.succeeds('b/1');
    await t.decide();
    expect(t.text).toMatchInlineSnapshot(`
      "1 StartAttempt a/0 (SlotAvailable)
        looked at again at 3600 s
        a/0 fails, exit 42
        store: AnswerLost
      2 RecordAttempt a/0 TestFailed (NonZeroExitCode), variant Failed
        ResultStoreUnavailableError: the result store does not answer
        store: Available
        operator restarts
      3 StartAttempt b/0 (SlotAvailable)
        looked at again at 3600 s
        b/0 succeeds
      4 RecordAttempt b/0 Succeeded (Completed), trial Succeeded
      5 StartAttempt b/1 (SlotAvailable)
        looked at again at 1 s
        b/1 succeeds
      6 RecordAttempt b/1 Succeeded (Completed), trial Succeeded
      7 RemoveAttempt b/0 (ResultStored), RemoveAttempt b/1 (ResultStored)
      8 FinishRun Failed (VariantsFailed): 1 of 2 variants failed (1 trial TestFailed)"
    `);
  });

  it('has a start that got no answer undone', async () => {
    const t = new Transcript({ variants: 2, repetitions: 2, parallelism: 1, spec: failVariant });
    await t.decide();
    t.parallelismIs(3);
    t.nextStart('AnswerLost');
    t.nextStart('AnswerLost');
    await t.decide();
    t.fails('a/0', 42);
    await t.decide();
    t.isGone('a/1');
    await t.decide();
    expect(t.text).toMatchInlineSnapshot(`
      "1 StartAttempt a/0 (SlotAvailable)
        looked at again at 3600 s
        parallelism 3
        next start: AnswerLost
        next start: AnswerLost
      2 StartAttempt b/0 (SlotAvailable), StartAttempt a/1 (SlotAvailable)
        Error: start checkout-cache-b-055947564b: connection reset
        a/0 fails, exit 42
      3 RecordAttempt a/0 TestFailed (NonZeroExitCode), variant Failed
      4 RemoveAttempt a/1 (StartUnanswered)
      5 RecordAttempt a/1 Cancelled (StartUnanswered), trial Pending (not counted)
      6 StartAttempt b/0 (SlotAvailable), StartAttempt b/1 (SlotAvailable)
        looked at again at 3600 s
        a/1 is gone
        looked at again at 3600 s"
    `);
    expect(t.held).toEqual(['a/0 Ended', 'b/0 Waiting', 'b/1 Waiting']);
  });
});

describe('podCleanupPolicy', () => {
  /** One attempt that failed, one that succeeded, and one that was tried twice. */
  async function heldUnder(podCleanupPolicy: 'Always' | 'Succeeded' | 'Never'): Promise<readonly string[]> {
    const t = new Transcript({ variants: 3, parallelism: 3, spec: { podCleanupPolicy } });
    await t.decide();
    t.fails('a/0', 1);
    t.succeeds('b/0');
    t.isLost('c/0');
    t.passes(2);
    await t.decide();
    t.passes(2);
    await t.decide();
    t.succeeds('c/0#2');
    await t.decide();
    expect(t.store.end?.reason).toBe('VariantsFailed');
    return t.held;
  }

  it('Always leaves nothing', async () => {
    expect(await heldUnder('Always')).toEqual([]);
  });

  it('Succeeded leaves what failed, also what another attempt made good', async () => {
    expect(await heldUnder('Succeeded')).toEqual(['a/0 Ended', 'c/0 Ended']);
  });

  it('Never leaves everything that has ended', async () => {
    expect(await heldUnder('Never')).toEqual(['a/0 Ended', 'b/0 Ended', 'c/0 Ended', 'c/0#2 Ended']);
  });

  it('Never leaves nothing that still runs', async () => {
    const t = new Transcript({ variants: 1, trialDeadlineSeconds: 10, spec: { podCleanupPolicy: 'Never' } });
    await t.decide();
    t.begins('a/0');
    t.passes(10);
    await t.decide();
    expect(t.held).toEqual(['a/0 Stopping']);
  });

  it('may be changed while the run is under way', async () => {
    const t = new Transcript({ variants: 2, spec: { podCleanupPolicy: 'Never' } });
    await t.decide();
    t.fails('a/0', 1);
    await t.decide();
    t.passes(1);
    await t.decide();
    expect(t.held).toEqual(['a/0 Ended', 'b/0 Waiting']);
    t.edits({ podCleanupPolicy: 'Always' });
    await t.decide();
    expect(t.held).toEqual(['b/0 Waiting']);
  });

  it('whatever it is, removes an attempt that ended by itself in the moment in which it was to be ended', async () => {
    for (const podCleanupPolicy of ['Always', 'Succeeded', 'Never'] as const) {
      const t = new Transcript({ variants: 1, spec: { podCleanupPolicy } });
      await t.decide();
      t.begins('a/0');
      t.isSuspended();
      t.storeIs('AnswerLost');
      t.engine.removeFaults.push('NotSent');
      await t.decide();
      t.storeIs('Available');
      t.succeeds('a/0');
      // The first tells of the removal that failed.
      await t.decide();
      await t.decide();
      expect([...t.store.records.values()]).toMatchObject([{ judgement: { reason: 'RunSuspended' } }]);
      expect(t.held).toEqual([]);
    }
  });
});
