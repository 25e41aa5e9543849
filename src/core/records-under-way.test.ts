/** What is decided while the store has not answered yet what it was asked to commit. */
import { describe, expect, it } from 'vitest';
import { Transcript } from '../../test/builders/transcript.ts';

const EARLY = { comparison: { earlyStopping: { looks: 1, minRepetitions: 2 } } };

describe('while a record is under way', () => {
  it('its slot is taken, and other slots are filled', async () => {
    const run = new Transcript({ variants: 5, parallelism: 2 });
    await run.decide();
    run.succeeds('a/0');
    run.storeIsLate();
    await run.decide();
    run.succeeds('b/0');
    await run.decide();
    run.tellsProgress();
    run.isAnswered();
    await run.decide();
    expect(run.text).toMatchInlineSnapshot(`
      "1 StartAttempt a/0 (SlotAvailable), StartAttempt b/0 (SlotAvailable)
        looked at again at 3600 s
        a/0 succeeds
        the next answer of the store is late
      2 RecordAttempt a/0 Succeeded (Completed), trial Succeeded
        looked at again at 5 s
        b/0 succeeds
      3 RecordAttempt b/0 Succeeded (Completed), trial Succeeded
      4 StartAttempt c/0 (SlotAvailable)
        looked at again at 1 s
        status: Running: trials are running, since 0 s
        answered
      5 StartAttempt d/0 (SlotAvailable)
        looked at again at 1 s"
    `);
  });

  it('nothing is started when it may be a reason not to', async () => {
    const run = new Transcript({ variants: 5, parallelism: 2, spec: { maxFailedVariants: 0 } });
    await run.decide();
    run.fails('a/0', 1);
    run.storeIsLate();
    await run.decide();
    run.succeeds('b/0');
    await run.decide();
    run.isAnswered();
    await run.decide();
    expect(run.text).toMatchInlineSnapshot(`
      "1 StartAttempt a/0 (SlotAvailable), StartAttempt b/0 (SlotAvailable)
        looked at again at 3600 s
        a/0 fails, exit 1
        the next answer of the store is late
      2 RecordAttempt a/0 TestFailed (NonZeroExitCode), trial Failed
        looked at again at 5 s
        b/0 succeeds
      3 RecordAttempt b/0 Succeeded (Completed), trial Succeeded
        looked at again at 1 s
        answered
      4 RemoveAttempt b/0 (ResultStored)
      5 FinishRun Failed (TooManyFailedVariants): 1 variant failed, more than spec.maxFailedVariants (0) allows, with 2 of 5 trials done"
    `);
  });

  it('nothing is started once the store has taken five seconds, and that is told', async () => {
    const run = new Transcript({ variants: 5, parallelism: 2 });
    await run.decide();
    run.succeeds('a/0');
    run.storeIsLate();
    await run.decide();
    run.passes(5);
    run.parallelismIs(3);
    await run.decide();
    run.tellsProgress();
    run.isAnswered();
    await run.decide();
    run.tellsProgress();
    expect(run.text).toMatchInlineSnapshot(`
      "1 StartAttempt a/0 (SlotAvailable), StartAttempt b/0 (SlotAvailable)
        looked at again at 3600 s
        a/0 succeeds
        the next answer of the store is late
      2 RecordAttempt a/0 Succeeded (Completed), trial Succeeded
        looked at again at 5 s
        at 5 s
        parallelism 3
        looked at again at 3600 s
        status: WaitingForResultStore: nothing new starts before results can be stored, since 0 s
        answered
      3 StartAttempt c/0 (SlotAvailable), StartAttempt d/0 (SlotAvailable), RemoveAttempt a/0 (ResultStored)
        looked at again at 3600 s
        status: WaitingForStart: 3 trials have not started, since 0 s"
    `);
  });

  it('what is cancelled is removed together', async () => {
    const run = new Transcript({ variants: 2, parallelism: 2 });
    await run.decide();
    run.begins('a/0', 'b/0');
    run.isCancelled();
    run.storeIsLate();
    await run.decide();
    run.isAnswered();
    await run.decide();
    expect(run.text).toMatchInlineSnapshot(`
      "1 StartAttempt a/0 (SlotAvailable), StartAttempt b/0 (SlotAvailable)
        looked at again at 3600 s
        a/0, b/0 begin
        cancel
        the next answer of the store is late
      2 RecordAttempt a/0 Cancelled (RunCancelled), trial Pending (not counted), RecordAttempt b/0 Cancelled (RunCancelled), trial Pending (not counted)
        looked at again at 5 s
        answered
      3 RemoveAttempt a/0 (Cancelled), RemoveAttempt b/0 (Cancelled)"
    `);
  });

  it('what was stored last is removed together', async () => {
    const run = new Transcript({ variants: 2, parallelism: 2 });
    await run.decide();
    run.begins('a/0', 'b/0');
    run.succeeds('a/0');
    run.succeeds('b/0');
    run.storeIsLate();
    await run.decide();
    run.isAnswered();
    await run.decide();
    expect(run.text).toMatchInlineSnapshot(`
      "1 StartAttempt a/0 (SlotAvailable), StartAttempt b/0 (SlotAvailable)
        looked at again at 3600 s
        a/0, b/0 begin
        a/0 succeeds
        b/0 succeeds
        the next answer of the store is late
      2 RecordAttempt a/0 Succeeded (Completed), trial Succeeded, RecordAttempt b/0 Succeeded (Completed), trial Succeeded
        looked at again at 5 s
        answered
      3 RemoveAttempt a/0 (ResultStored), RemoveAttempt b/0 (ResultStored)
      4 FinishRun Complete (AllTrialsSucceeded): all 2 trials succeeded"
    `);
  });

  it('what is stored is removed all the same while others are to start and a start is held up', async () => {
    const run = new Transcript({ variants: 5, parallelism: 3 });
    await run.decide();
    run.begins('a/0', 'b/0');
    run.passes(3);
    run.succeeds('a/0');
    run.storeIsLate();
    await run.decide();
    run.succeeds('b/0');
    await run.decide();
    expect(run.text).toMatchInlineSnapshot(`
      "1 StartAttempt a/0 (SlotAvailable), StartAttempt b/0 (SlotAvailable), StartAttempt c/0 (SlotAvailable)
        looked at again at 3600 s
        a/0, b/0 begin
        at 3 s
        a/0 succeeds
        the next answer of the store is late
      2 RecordAttempt a/0 Succeeded (Completed), trial Succeeded
        looked at again at 8 s
        b/0 succeeds
      3 RecordAttempt b/0 Succeeded (Completed), trial Succeeded
      4 StartAttempt d/0 (SlotAvailable), RemoveAttempt b/0 (ResultStored)
        looked at again at 8 s"
    `);
  });

  it('no trial is skipped, as it may change which ones are', async () => {
    const run = new Transcript({ variants: 2, repetitions: 4, parallelism: 5, spec: EARLY });
    await run.decide();
    run.succeeds('a/0', 10);
    run.succeeds('b/0', 20);
    run.succeeds('a/1', 10);
    await run.decide();
    run.succeeds('a/2', 10);
    run.storeIsLate();
    await run.decide();
    run.succeeds('b/1', 20);
    await run.decide();
    run.isAnswered();
    await run.decide();
    expect(run.text).toMatchInlineSnapshot(`
      "1 StartAttempt a/0 (SlotAvailable), StartAttempt b/0 (SlotAvailable), StartAttempt a/1 (SlotAvailable), StartAttempt b/1 (SlotAvailable), StartAttempt a/2 (SlotAvailable)
        looked at again at 3600 s
        a/0 succeeds
        b/0 succeeds
        a/1 succeeds
      2 RecordAttempt a/0 Succeeded (Completed), trial Succeeded, RecordAttempt b/0 Succeeded (Completed), trial Succeeded, RecordAttempt a/1 Succeeded (Completed), trial Succeeded
      3 StartAttempt b/2 (SlotAvailable), StartAttempt a/3 (SlotAvailable), StartAttempt b/3 (SlotAvailable)
        looked at again at 1 s
        a/2 succeeds
        the next answer of the store is late
      4 RecordAttempt a/2 Succeeded (Completed), trial Succeeded
        looked at again at 1 s
        b/1 succeeds
      5 RecordAttempt b/1 Succeeded (Completed), trial Succeeded
        looked at again at 5 s
        answered
      6 SkipTrials  (StoppedEarly), stops b at look 1
        looked at again at 1 s"
    `);
  });
});

it('while trials are being skipped, nothing is started and nothing is recorded', async () => {
  const run = new Transcript({ variants: 2, repetitions: 4, parallelism: 4, spec: EARLY });
  await run.decide();
  run.succeeds('a/0', 10);
  run.succeeds('b/0', 20);
  run.succeeds('a/1', 10);
  await run.decide();
  run.succeeds('b/1', 20);
  run.storeIsLate();
  run.storeIsLate();
  await run.decide();
  run.isAnswered();
  await run.decide();
  run.succeeds('a/2', 10);
  await run.decide();
  run.isAnswered();
  await run.decide();
  expect(run.text).toMatchInlineSnapshot(`
    "1 StartAttempt a/0 (SlotAvailable), StartAttempt b/0 (SlotAvailable), StartAttempt a/1 (SlotAvailable), StartAttempt b/1 (SlotAvailable)
      looked at again at 3600 s
      a/0 succeeds
      b/0 succeeds
      a/1 succeeds
    2 RecordAttempt a/0 Succeeded (Completed), trial Succeeded, RecordAttempt b/0 Succeeded (Completed), trial Succeeded, RecordAttempt a/1 Succeeded (Completed), trial Succeeded
    3 StartAttempt a/2 (SlotAvailable), StartAttempt b/2 (SlotAvailable), StartAttempt a/3 (SlotAvailable)
      looked at again at 1 s
      b/1 succeeds
      the next answer of the store is late
      the next answer of the store is late
    4 RecordAttempt b/1 Succeeded (Completed), trial Succeeded
      looked at again at 1 s
      answered
    5 SkipTrials b/3 (StoppedEarly), stops b at look 1
      looked at again at 3600 s
      a/2 succeeds
      looked at again at 5 s
      answered
    6 RecordAttempt a/2 Succeeded (Completed), trial Succeeded
      looked at again at 1 s"
  `);
});

it('while it is not known whether trials were skipped, that is asked again, though the run is cancelled by now', async () => {
  const target = [{ name: 'p95_ms', goal: 'minimize' as const, target: '11' }];
  const run = new Transcript({ variants: 2, parallelism: 1, metrics: target });
  await run.decide();
  run.succeeds('a/0', 1);
  run.storeIsLate();
  await run.decide();
  run.storeIs('AnswerLost');
  run.isAnswered();
  await run.decide();
  run.isCancelled();
  run.storeIs('Available');
  await run.decide();
  expect(run.text).toMatchInlineSnapshot(`
    "1 StartAttempt a/0 (SlotAvailable)
      looked at again at 3600 s
      a/0 succeeds
      the next answer of the store is late
    2 RecordAttempt a/0 Succeeded (Completed), trial Succeeded
      looked at again at 5 s
      store: AnswerLost
      answered
    3 SkipTrials b/0 (TargetMet)
      ResultStoreUnavailableError: the result store does not answer
      cancel
      store: Available
    4 SkipTrials b/0 (TargetMet)
    5 RemoveAttempt a/0 (ResultStored)
    6 FinishRun Complete (TargetMet): a meets the target: p95_ms at most 11; 1 of 2 trials succeeded, 1 was skipped"
  `);
});

it('while trials cannot be skipped, that is told also between two tries', async () => {
  const target = [{ name: 'p95_ms', goal: 'minimize' as const, target: '11' }];
  const run = new Transcript({ variants: 2, parallelism: 1, metrics: target });
  await run.decide();
  run.succeeds('a/0', 1);
  run.storeIsLate();
  await run.decide();
  run.storeIs('Unavailable');
  run.isAnswered();
  await run.decide();
  run.storeIsLate();
  await run.decide();
  expect(run.storeProblem?.reason).toBe('ConnectionRefused');
  run.isAnswered();
  run.storeIs('Available');
  await run.decide();
  await run.decide();
  expect(run.storeProblem).toBeUndefined();
});

it('while it is not known what the store has committed, nothing is started', async () => {
  const run = new Transcript({ variants: 5, parallelism: 2 });
  await run.decide();
  run.succeeds('a/0');
  run.storeIs('Unavailable');
  await run.decide();
  run.storeIs('Available');
  run.storeIsLate();
  run.parallelismIs(3);
  await run.decide();
  run.tellsProgress();
  run.isAnswered();
  await run.decide();
  expect(run.text).toMatchInlineSnapshot(`
    "1 StartAttempt a/0 (SlotAvailable), StartAttempt b/0 (SlotAvailable)
      looked at again at 3600 s
      a/0 succeeds
      store: Unavailable
    2 RecordAttempt a/0 Succeeded (Completed), trial Succeeded
      ResultStoreUnavailableError: the result store does not answer
      store: Available
      the next answer of the store is late
      parallelism 3
    3 RecordAttempt a/0 Succeeded (Completed), trial Succeeded
      looked at again at 5 s
      status: WaitingForResultStore: nothing new starts before results can be stored, since 0 s
      answered
    4 StartAttempt c/0 (SlotAvailable), StartAttempt d/0 (SlotAvailable)
      looked at again at 1 s"
  `);
});

it('while the end of the run is being stored, nothing else is decided, and that it takes its time is told', async () => {
  const run = new Transcript({ variants: 1, parallelism: 0, spec: { activeDeadlineSeconds: 30 } });
  await run.decide();
  run.passes(30);
  run.storeIsLate();
  await run.decide();
  run.edits({ activeDeadlineSeconds: 600, parallelism: 1 });
  await run.decide();
  run.passes(5);
  await run.decide();
  run.tellsProgress();
  expect(run.storeProblem).toEqual({
    reason: 'Slow',
    message: 'the end of the run has been waiting for more than 5 s to be stored',
  });
  run.isAnswered();
  await run.decide();
  run.tellsProgress();
  expect(run.storeProblem).toBeUndefined();
  expect(run.text).toMatchInlineSnapshot(`
    "  looked at again at 30 s
      at 30 s
      the next answer of the store is late
    1 FinishRun Failed (DeadlineExceeded): the run was active for longer than spec.activeDeadlineSeconds, with 0 of 1 trials done
      looked at again at 35 s
      activeDeadlineSeconds 600, parallelism 1
      looked at again at 35 s
      at 35 s
      looked at again at 600 s
      status: WaitingForResultStore: nothing new starts before results can be stored, since 0 s
      answered
      nothing to do
      status: DeadlineExceeded: the run was active for longer than spec.activeDeadlineSeconds, with 0 of 1 trials done, since 0 s"
  `);
});

it('while the run cannot be ended, that is told also between two tries', async () => {
  const run = new Transcript({ variants: 1, parallelism: 0 });
  await run.decide();
  run.isCancelled();
  run.storeIs('Unavailable');
  await run.decide();
  run.storeIsLate();
  await run.decide();
  expect(run.storeProblem?.reason).toBe('ConnectionRefused');
  run.isAnswered();
  run.storeIs('Available');
  await run.decide();
  await run.decide();
  expect(run.storeProblem).toBeUndefined();
  expect(run.store.end?.reason).toBe('CancelRequested');
});
