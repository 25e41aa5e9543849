/** Trials that need not be run: of variants that are stopped early, and those that are left when a target is met. */
import { describe, expect, it } from 'vitest';
import { Transcript } from '../../test/builders/transcript.ts';

const EARLY = { comparison: { earlyStopping: { looks: 1, minRepetitions: 2 } } };

describe('a variant that is significantly behind at a look', () => {
  it('is stopped: what runs of it may finish, what does not is skipped, and the run is complete', async () => {
    const run = new Transcript({ variants: 2, repetitions: 4, parallelism: 3, spec: EARLY });
    await run.decide();
    run.succeeds('a/0', 10);
    run.succeeds('b/0', 20);
    run.succeeds('a/1', 10);
    await run.decide();
    run.succeeds('b/1', 20);
    await run.decide();
    run.succeeds('a/2', 10);
    run.succeeds('b/2', 20);
    run.succeeds('a/3', 10);
    await run.decide();
    expect(run.text).toMatchInlineSnapshot(`
      "1 StartAttempt a/0 (SlotAvailable), StartAttempt b/0 (SlotAvailable), StartAttempt a/1 (SlotAvailable)
        looked at again at 3600 s
        a/0 succeeds
        b/0 succeeds
        a/1 succeeds
      2 RecordAttempt a/0 Succeeded (Completed), trial Succeeded, RecordAttempt b/0 Succeeded (Completed), trial Succeeded, RecordAttempt a/1 Succeeded (Completed), trial Succeeded
      3 StartAttempt b/1 (SlotAvailable), StartAttempt a/2 (SlotAvailable), StartAttempt b/2 (SlotAvailable)
        looked at again at 1 s
        b/1 succeeds
      4 RecordAttempt b/1 Succeeded (Completed), trial Succeeded
      5 SkipTrials b/3 (StoppedEarly), stops b at look 1
      6 StartAttempt a/3 (SlotAvailable)
        looked at again at 1 s
        a/2 succeeds
        b/2 succeeds
        a/3 succeeds
      7 RecordAttempt a/2 Succeeded (Completed), trial Succeeded, RecordAttempt b/2 Succeeded (Completed), trial Succeeded, RecordAttempt a/3 Succeeded (Completed), trial Succeeded
      8 RemoveAttempt a/0 (ResultStored), RemoveAttempt b/0 (ResultStored), RemoveAttempt a/1 (ResultStored), RemoveAttempt b/1 (ResultStored), RemoveAttempt a/2 (ResultStored), RemoveAttempt b/2 (ResultStored), RemoveAttempt a/3 (ResultStored)
      9 FinishRun Complete (StoppedEarly): 1 variant was stopped early; 7 of 8 trials succeeded, 1 was skipped"
    `);
  });

  it('is stopped by a restarted operator too, and once only', async () => {
    const run = new Transcript({ variants: 2, repetitions: 3, parallelism: 4, spec: EARLY });
    await run.decide();
    for (const [attempt, p95] of [
      ['a/0', 10],
      ['b/0', 20],
      ['a/1', 10],
      ['b/1', 20],
    ] as const)
      run.succeeds(attempt, p95);
    run.storeIs('AnswerLost');
    await run.decide();
    run.operatorRestarts();
    await run.decide();
    run.storeIs('Available');
    await run.decide();
    expect(run.text).toMatchInlineSnapshot(`
      "1 StartAttempt a/0 (SlotAvailable), StartAttempt b/0 (SlotAvailable), StartAttempt a/1 (SlotAvailable), StartAttempt b/1 (SlotAvailable)
        looked at again at 3600 s
        a/0 succeeds
        b/0 succeeds
        a/1 succeeds
        b/1 succeeds
        store: AnswerLost
      2 RecordAttempt a/0 Succeeded (Completed), trial Succeeded, RecordAttempt b/0 Succeeded (Completed), trial Succeeded, RecordAttempt a/1 Succeeded (Completed), trial Succeeded, RecordAttempt b/1 Succeeded (Completed), trial Succeeded
        ResultStoreUnavailableError: the result store does not answer
        operator restarts
        ResultStoreUnavailableError: the result store does not answer
        store: Available
      3 SkipTrials b/2 (StoppedEarly), stops b at look 1
      4 StartAttempt a/2 (SlotAvailable)
        looked at again at 1 s"
    `);
  });

  it('leaves no start behind that got no answer, and is tried no more when what ran of it is lost', async () => {
    const run = new Transcript({ variants: 2, repetitions: 5, parallelism: 6, spec: EARLY });
    await run.decide();
    for (const [attempt, p95] of [
      ['a/0', 10],
      ['b/0', 20],
      ['a/1', 10],
      ['a/2', 10],
    ] as const)
      run.succeeds(attempt, p95);
    run.nextStart('AnswerLost');
    run.nextStart('AnswerLost');
    await run.decide();
    run.succeeds('b/1', 20);
    await run.decide();
    run.isLost('b/2');
    await run.decide();
    run.holds();
    expect(run.text).toMatchInlineSnapshot(`
      "1 StartAttempt a/0 (SlotAvailable), StartAttempt b/0 (SlotAvailable), StartAttempt a/1 (SlotAvailable), StartAttempt b/1 (SlotAvailable), StartAttempt a/2 (SlotAvailable), StartAttempt b/2 (SlotAvailable)
        looked at again at 3600 s
        a/0 succeeds
        b/0 succeeds
        a/1 succeeds
        a/2 succeeds
        next start: AnswerLost
        next start: AnswerLost
      2 RecordAttempt a/0 Succeeded (Completed), trial Succeeded, RecordAttempt b/0 Succeeded (Completed), trial Succeeded, RecordAttempt a/1 Succeeded (Completed), trial Succeeded, RecordAttempt a/2 Succeeded (Completed), trial Succeeded
      3 StartAttempt a/3 (SlotAvailable), StartAttempt b/3 (SlotAvailable), StartAttempt a/4 (SlotAvailable), StartAttempt b/4 (SlotAvailable)
        Error: start checkout-cache-a-6f31af74a6: connection reset
        b/1 succeeds
      4 RecordAttempt b/1 Succeeded (Completed), trial Succeeded
      5 SkipTrials  (StoppedEarly), stops b at look 1
      6 RemoveAttempt b/3 (StartUnanswered)
      7 RecordAttempt b/3 Cancelled (StartUnanswered), trial Pending (not counted)
      8 SkipTrials b/3 (StoppedEarly)
      9 StartAttempt a/3 (SlotAvailable)
        looked at again at 1 s
        b/2 is lost
      10 RecordAttempt b/2 Infrastructure (NodeLost), trial Pending
      11 SkipTrials b/2 (StoppedEarly)
        looked at again at 1 s
        held: a/0 Ended, b/0 Ended, a/1 Ended, b/1 Ended, a/2 Ended, b/2 Ended, a/3 Waiting, b/3 Stopping, a/4 Waiting, b/4 Waiting"
    `);
  });

  it('is not the baseline, whose trials the others are compared with', async () => {
    const run = new Transcript({
      variants: 3,
      repetitions: 3,
      parallelism: 6,
      spec: { comparison: { ...EARLY.comparison, baseline: 'b' } },
    });
    await run.decide();
    for (const [attempt, p95] of [
      ...([
        ['a/0', 10],
        ['b/0', 20],
        ['c/0', 20],
      ] as const),
      ...([
        ['a/1', 10],
        ['b/1', 20],
        ['c/1', 20],
      ] as const),
    ])
      run.succeeds(attempt, p95);
    await run.decide();
    expect(run.text).toMatchInlineSnapshot(`
      "1 StartAttempt a/0 (SlotAvailable), StartAttempt b/0 (SlotAvailable), StartAttempt c/0 (SlotAvailable), StartAttempt a/1 (SlotAvailable), StartAttempt b/1 (SlotAvailable), StartAttempt c/1 (SlotAvailable)
        looked at again at 3600 s
        a/0 succeeds
        b/0 succeeds
        c/0 succeeds
        a/1 succeeds
        b/1 succeeds
        c/1 succeeds
      2 RecordAttempt a/0 Succeeded (Completed), trial Succeeded, RecordAttempt b/0 Succeeded (Completed), trial Succeeded, RecordAttempt c/0 Succeeded (Completed), trial Succeeded, RecordAttempt a/1 Succeeded (Completed), trial Succeeded, RecordAttempt b/1 Succeeded (Completed), trial Succeeded, RecordAttempt c/1 Succeeded (Completed), trial Succeeded
      3 SkipTrials c/2 (StoppedEarly), stops c at look 1
      4 StartAttempt a/2 (SlotAvailable), StartAttempt b/2 (SlotAvailable)
        looked at again at 1 s"
    `);
  });

  it('is found though another one was given up before it had as many repetitions', async () => {
    const run = new Transcript({
      variants: 3,
      repetitions: 4,
      parallelism: 9,
      spec: {
        ...EARLY,
        retryPolicy: { outcomes: ['Infrastructure'], backoffSeconds: 60 },
        failurePolicy: { rules: [{ action: 'FailVariant', onExitCodes: { operator: 'In', values: [7] } }] },
      },
    });
    await run.decide();
    run.isLost('c/1');
    for (const [attempt, p95] of [
      ['a/0', 10],
      ['b/0', 20],
      ['c/0', 10],
      ['a/1', 10],
      ['b/1', 20],
    ] as const)
      run.succeeds(attempt, p95);
    run.fails('c/2', 7);
    await run.decide();
    expect(run.text).toContain('SkipTrials b/3 (StoppedEarly), stops b at look 1');
  });

  it('is nothing that a run is looked at for while it is suspended', async () => {
    const run = new Transcript({ variants: 2, repetitions: 3, parallelism: 4, spec: EARLY });
    await run.decide();
    for (const [attempt, p95] of [
      ['a/0', 10],
      ['b/0', 20],
      ['a/1', 10],
      ['b/1', 20],
    ] as const)
      run.succeeds(attempt, p95);
    run.isSuspended();
    await run.decide();
    run.isResumed();
    await run.decide();
    expect(run.text).toMatchInlineSnapshot(`
      "1 StartAttempt a/0 (SlotAvailable), StartAttempt b/0 (SlotAvailable), StartAttempt a/1 (SlotAvailable), StartAttempt b/1 (SlotAvailable)
        looked at again at 3600 s
        a/0 succeeds
        b/0 succeeds
        a/1 succeeds
        b/1 succeeds
        suspend true
      2 RecordAttempt a/0 Succeeded (Completed), trial Succeeded, RecordAttempt b/0 Succeeded (Completed), trial Succeeded, RecordAttempt a/1 Succeeded (Completed), trial Succeeded, RecordAttempt b/1 Succeeded (Completed), trial Succeeded
      3 RemoveAttempt a/0 (ResultStored), RemoveAttempt b/0 (ResultStored), RemoveAttempt a/1 (ResultStored), RemoveAttempt b/1 (ResultStored)
        suspend false
      4 SkipTrials b/2 (StoppedEarly), stops b at look 1
      5 StartAttempt a/2 (SlotAvailable)
        looked at again at 3600 s"
    `);
  });
});

describe('a target', () => {
  const metrics = [{ name: 'p95_ms', goal: 'minimize' as const, target: '15' }];

  it('ends the run once a variant has succeeded in all repetitions and meets it', async () => {
    const run = new Transcript({ variants: 3, repetitions: 2, parallelism: 3, metrics });
    await run.decide();
    run.succeeds('a/0', 20);
    run.succeeds('b/0', 16);
    await run.decide();
    run.succeeds('b/1', 14);
    await run.decide();
    run.tellsProgress();
    run.isGone('c/0');
    run.isGone('a/1');
    await run.decide();
    expect(run.text).toMatchInlineSnapshot(`
      "1 StartAttempt a/0 (SlotAvailable), StartAttempt b/0 (SlotAvailable), StartAttempt c/0 (SlotAvailable)
        looked at again at 3600 s
        a/0 succeeds
        b/0 succeeds
      2 RecordAttempt a/0 Succeeded (Completed), trial Succeeded, RecordAttempt b/0 Succeeded (Completed), trial Succeeded
      3 StartAttempt a/1 (SlotAvailable), StartAttempt b/1 (SlotAvailable)
        looked at again at 1 s
        b/1 succeeds
      4 RecordAttempt b/1 Succeeded (Completed), trial Succeeded
      5 RecordAttempt c/0 Cancelled (TargetMet), trial Pending (not counted), RecordAttempt a/1 Cancelled (TargetMet), trial Pending (not counted)
      6 SkipTrials c/0 a/1 c/1 (TargetMet)
      7 RemoveAttempt a/0 (ResultStored), RemoveAttempt b/0 (ResultStored), RemoveAttempt c/0 (Cancelled), RemoveAttempt a/1 (Cancelled), RemoveAttempt b/1 (ResultStored)
        status: TargetMet: b meets the target: p95_ms at most 15: running trials are being ended, since 0 s
        c/0 is gone
        a/1 is gone
      8 FinishRun Complete (TargetMet): b meets the target: p95_ms at most 15; 3 of 6 trials succeeded, 3 were skipped"
    `);
  });

  it('leaves a run with a failed variant failed, and skips the rest all the same', async () => {
    const run = new Transcript({ variants: 3, parallelism: 1, metrics });
    await run.decide();
    run.fails('a/0', 1);
    await run.decide();
    run.succeeds('b/0', 14);
    await run.decide();
    expect(run.text).toMatchInlineSnapshot(`
      "1 StartAttempt a/0 (SlotAvailable)
        looked at again at 3600 s
        a/0 fails, exit 1
      2 RecordAttempt a/0 TestFailed (NonZeroExitCode), trial Failed
      3 StartAttempt b/0 (SlotAvailable)
        looked at again at 3600 s
        b/0 succeeds
      4 RecordAttempt b/0 Succeeded (Completed), trial Succeeded
      5 SkipTrials c/0 (TargetMet)
      6 RemoveAttempt b/0 (ResultStored)
      7 FinishRun Failed (VariantsFailed): 1 of 3 variants failed (1 trial TestFailed); b meets the target: p95_ms at most 15"
    `);
  });

  it('that is met with the last trial has nothing to end', async () => {
    const run = new Transcript({ variants: 1, metrics });
    await run.decide();
    run.succeeds('a/0', 15);
    await run.decide();
    expect(run.text).toMatchInlineSnapshot(`
      "1 StartAttempt a/0 (SlotAvailable)
        looked at again at 3600 s
        a/0 succeeds
      2 RecordAttempt a/0 Succeeded (Completed), trial Succeeded
      3 RemoveAttempt a/0 (ResultStored)
      4 FinishRun Complete (AllTrialsSucceeded): its one trial succeeded"
    `);
  });

  it('that is met stays met, whatever the user does but cancel', async () => {
    const run = new Transcript({ variants: 2, parallelism: 2, metrics });
    await run.decide();
    run.succeeds('a/0', 14);
    await run.decide();
    run.isSuspended();
    run.tellsProgress();
    run.isCancelled();
    run.tellsProgress();
    expect(run.text).toMatchInlineSnapshot(`
      "1 StartAttempt a/0 (SlotAvailable), StartAttempt b/0 (SlotAvailable)
        looked at again at 3600 s
        a/0 succeeds
      2 RecordAttempt a/0 Succeeded (Completed), trial Succeeded
      3 RecordAttempt b/0 Cancelled (TargetMet), trial Pending (not counted)
      4 SkipTrials b/0 (TargetMet)
      5 RemoveAttempt a/0 (ResultStored), RemoveAttempt b/0 (Cancelled)
        suspend true
        status: TargetMet: a meets the target: p95_ms at most 15: running trials are being ended, since 0 s
        cancel
        status: RunCancelled: cancelled: running trials are being ended, since 0 s"
    `);
  });
});
