import { describe, expect, it } from 'vitest';
import { aRun, controlsOf } from '../../test/builders/run.ts';
import { ConditionType } from '../api/v1alpha1/constants.ts';
import { type BatchTestStatus, batchTestStatusSchema } from '../api/v1alpha1/status.ts';
import { endOfChangedData } from './completion-policy.ts';
import type { RunEnd } from './plan.ts';
import { RunLedger } from './run-ledger.ts';
import { finishedCondition, isFinished, type StatusContext, statusOf, statusWithoutRun } from './status.ts';

const run = aRun({ variants: 2, uid: 'uid-1', parallelism: 2 });
const STARTED = Date.parse('2026-01-02T03:04:05.678Z');
const NOW = Date.parse('2026-01-02T03:10:00.999Z');
const LATER = NOW + 60_000;

const context = (changes: Partial<StatusContext> = {}): StatusContext => ({
  controls: controlsOf(run),
  activeSince: STARTED,
  waiting: undefined,
  storeProblem: undefined,
  observedGeneration: 3,
  previousConditions: [],
  ...changes,
});

const succeed = (ledger: RunLedger, index: number, p95: number): void =>
  ledger.noteRecorded(index, 1, 'Succeeded', new Map([['p95_ms', p95]]), { phase: 'Succeeded' });

const condition = (status: BatchTestStatus, type: string) =>
  status.conditions?.find((candidate) => candidate.type === type);

const ENDS: readonly RunEnd[] = [
  { state: 'Complete', reason: 'AllTrialsSucceeded', message: 'all 2 trials succeeded' },
  { state: 'Failed', reason: 'VariantsFailed', message: '1 of 2 variants failed' },
  { state: 'Cancelled', reason: 'CancelRequested', message: 'cancelled with 1 of 2 trials done' },
];

/** What ends a run before it is complete, while it is not over yet. */
const HALTS = [
  { reason: 'RunCancelled', controls: { cancel: 'Requested' } },
  { reason: 'RunDeleted', controls: { cancel: 'Deleted' } },
  { reason: 'InvalidSpec', controls: { invalidSpec: 'spec.parallelism: expected an integer' } },
  { reason: 'DeadlineExceeded', controls: { deadlineAt: NOW } },
] as const;

describe('the status of a run', () => {
  it('says what is committed and what is under way', () => {
    const ledger = new RunLedger(run);
    succeed(ledger, 0, 4);
    ledger.noteStarted(1, 1);
    expect(statusOf(ledger, context(), NOW)).toEqual({
      observedGeneration: 3,
      runUid: 'uid-1',
      startTime: '2026-01-02T03:04:05Z',
      trials: { total: 2, pending: 0, running: 1, succeeded: 1, failed: 0, cancelled: 0 },
      variants: { total: 2, succeeded: 1, failed: 0 },
      best: { name: 'a', score: '1.0000' },
      conditions: [
        {
          type: 'Progressing',
          status: 'True',
          reason: 'Running',
          message: 'trials are running',
          lastTransitionTime: '2026-01-02T03:10:00Z',
          observedGeneration: 3,
        },
        {
          type: 'ResultStoreAvailable',
          status: 'True',
          reason: 'Available',
          message: 'results are stored',
          lastTransitionTime: '2026-01-02T03:10:00Z',
          observedGeneration: 3,
        },
      ],
    });
  });

  it('says once the run is over which variants cannot be told apart from the best, and whether the gates are kept', () => {
    const run = aRun({
      variants: 14,
      repetitions: 2,
      uid: 'uid-1',
      spec: { comparison: { baseline: 'a', gates: [{ metric: 'p95_ms', maxRegressionPercent: 50 }] } },
    });
    const ledger = new RunLedger(run);
    // a and b are far from the others, all of which overlap; variant by variant within each repetition.
    for (const [index, { variant, repetition }] of run.trials.entries())
      succeed(ledger, index, (variant.name === 'a' || variant.name === 'b' ? 900 : 10) + repetition);
    const running = statusOf(ledger, context(), NOW);
    expect(running.best).toEqual({ name: 'c', score: '1.0000' });
    expect(running).not.toHaveProperty('gate');

    ledger.noteFinished({ state: 'Complete', reason: 'AllTrialsSucceeded', message: '' });
    const over = statusOf(ledger, context(), NOW);
    expect(over.best).toEqual({
      name: 'c',
      score: '1.0000',
      ties: ['d', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l', 'm'],
      tieCount: 11,
    });
    expect(over.gate).toBe('Passed');
    expect(batchTestStatusSchema.safeParse(over).error).toBeUndefined();
    expect(ledger.conclusion).toBe(ledger.conclusion);
  });

  it('says of a run that is over and breaks a gate that it failed', () => {
    const gates = [{ metric: 'p95_ms', max: 5 }];
    const ledger = new RunLedger(aRun({ variants: 2, uid: 'uid-1', spec: { comparison: { gates } } }));
    succeed(ledger, 0, 4);
    succeed(ledger, 1, 6);
    ledger.noteFinished({ state: 'Complete', reason: 'AllTrialsSucceeded', message: '' });
    expect(statusOf(ledger, context(), NOW)).toMatchObject({
      best: { name: 'a', tieCount: 0 },
      gate: 'Failed',
    });
  });

  it('names no best variant before the first result, and no generation where there is none', () => {
    const status = statusOf(new RunLedger(run), context({ observedGeneration: undefined }), NOW);
    expect(Object.keys(status)).toEqual(['runUid', 'startTime', 'trials', 'variants', 'conditions']);
    expect(condition(status, ConditionType.Progressing)).not.toHaveProperty('observedGeneration');
  });

  it('is the same text for the same state at another time', () => {
    const ledger = new RunLedger(run);
    succeed(ledger, 0, 4);
    const first = statusOf(ledger, context(), NOW);
    const second = statusOf(ledger, context({ previousConditions: first.conditions ?? [] }), LATER);
    expect(JSON.stringify(second)).toBe(JSON.stringify(first));
  });

  it('keeps the time of a condition whose reason changes, and not of one whose status does', () => {
    const ledger = new RunLedger(run);
    const first = statusOf(ledger, context(), NOW);
    const problem = { reason: 'ConnectionRefused', message: 'the result store does not answer' };
    const second = statusOf(
      ledger,
      context({ storeProblem: problem, previousConditions: first.conditions ?? [] }),
      LATER,
    );
    expect(condition(second, ConditionType.Progressing)).toMatchObject({
      status: 'True',
      reason: 'WaitingForResultStore',
      lastTransitionTime: '2026-01-02T03:10:00Z',
    });
    expect(condition(second, ConditionType.ResultStoreAvailable)).toMatchObject({
      ...problem,
      status: 'False',
      lastTransitionTime: '2026-01-02T03:11:00Z',
    });
  });

  const quota = { reason: 'QuotaExceeded', message: 'pods=3' };
  const problem = { reason: 'ConnectionRefused', message: 'the result store does not answer' };
  it.each([
    { reason: 'Running', changes: {} },
    { reason: 'QuotaExceeded', changes: { waiting: quota } },
    { reason: 'WaitingForResultStore', changes: { waiting: quota, storeProblem: problem } },
    ...HALTS.map(({ reason, controls }) => ({
      reason,
      changes: {
        waiting: quota,
        storeProblem: problem,
        controls: { ...controlsOf(run), ...controls },
      },
    })),
  ])('gives $reason as the reason of its progress, the one that matters most', ({ reason, changes }) => {
    const status = statusOf(new RunLedger(run), context(changes), NOW);
    expect(condition(status, ConditionType.Progressing)).toMatchObject({ status: 'True', reason });
    expect(isFinished(status)).toBe(false);
  });

  it('says of a cancelled run which program cannot be ended', () => {
    const waiting = {
      reason: 'CannotBeEnded',
      message: 'a trial takes its slot until it is gone: process 7 …',
    };
    const controls = { ...controlsOf(run), cancel: 'Requested' as const };
    const status = statusOf(new RunLedger(run), context({ controls, waiting }), NOW);
    expect(condition(status, ConditionType.Progressing)?.message).toBe(`cancelled: ${waiting.message}`);
  });

  it.each(HALTS)('says of $reason what is being done about it', ({ reason, controls }) => {
    const status = statusOf(
      new RunLedger(run),
      context({ controls: { ...controlsOf(run), ...controls } }),
      NOW,
    );
    expect(condition(status, ConditionType.Progressing)).toMatchObject({
      reason,
      message: expect.stringMatching(/: running trials are being ended$/),
    });
    expect(condition(status, ConditionType.Suspended)).toBeUndefined();
  });

  it('tells of reused results, and not of none', () => {
    const reused = new RunLedger(run, [
      {
        variantId: run.variants[0]?.id ?? '',
        repetition: 0,
        phase: 'Succeeded',
        recordedAttempts: 0,
        countedAttempts: 0,
        lastOutcome: undefined,
        failsVariant: false,
        reusedFrom: 'uid-0',
        metrics: new Map([['p95_ms', 1]]),
      },
    ]);
    expect(statusOf(reused, context(), NOW).trials).toMatchObject({ succeeded: 1, reused: 1 });
    expect(statusOf(new RunLedger(run), context(), NOW).trials).not.toHaveProperty('reused');
  });

  it.each(ENDS)('says $state at the end, when it ended, and that from then on', (end) => {
    const ledger = new RunLedger(run);
    succeed(ledger, 0, 4);
    const before = statusOf(ledger, context(), NOW);
    ledger.noteFinished(end);
    const last = statusOf(ledger, context({ previousConditions: before.conditions ?? [] }), LATER);
    expect(last.completionTime).toBe('2026-01-02T03:11:00Z');
    expect(condition(last, ConditionType.Progressing)).toMatchObject({
      status: 'False',
      reason: end.reason,
      lastTransitionTime: '2026-01-02T03:11:00Z',
    });
    expect(finishedCondition(last)).toMatchObject({
      type: end.state,
      status: 'True',
      reason: end.reason,
      message: end.message,
    });
    const again = statusOf(ledger, context({ previousConditions: last.conditions ?? [] }), LATER + 3_600_000);
    expect(again).toEqual(last);
  });

  it('is less than 8 KiB and passes its schema at 10,000 variants, whatever servers say', () => {
    const values = Array.from({ length: 100 }, (_, index) => `${'🦀'.repeat(40)}${index}`);
    const large = aRun({
      variants: [],
      matrix: {
        parameters: [
          { name: 'A', values },
          { name: 'B', values },
        ],
      },
      uid: 'u'.repeat(36),
    });
    const ledger = new RunLedger(large);
    for (const index of large.trials.keys())
      if (index % 3 === 0) succeed(ledger, index, index);
      else ledger.noteRecorded(index, 1, 'TestFailed', new Map(), { phase: 'Failed', failsVariant: false });
    const talkative = { reason: 'ServerError', message: 'x'.repeat(100_000) };
    const running = statusOf(ledger, context({ waiting: talkative, storeProblem: talkative }), NOW);
    ledger.noteFinished({ state: 'Failed', reason: 'VariantsFailed', message: talkative.message });
    for (const status of [running, statusOf(ledger, context({ storeProblem: talkative }), NOW)]) {
      expect(batchTestStatusSchema.parse(status)).toEqual(status);
      expect(Buffer.byteLength(JSON.stringify(status))).toBeLessThan(8_192);
      expect(status.variants).toEqual({ total: 10_000, succeeded: 3_334, failed: 6_666 });
    }
  });
});

it('names no best variant once the data that all trials read has changed, and passes no gate', () => {
  const gated = aRun({
    variants: 2,
    spec: { comparison: { gates: [{ metric: 'p95_ms', max: 1_000 }] } },
  });
  const ledger = new RunLedger(gated);
  for (const index of gated.trials.keys()) succeed(ledger, index, index + 1);
  expect(statusOf(ledger, context(), NOW).best).toBeDefined();
  ledger.noteFinished(
    endOfChangedData({ state: 'Complete', reason: 'AllTrialsSucceeded', message: 'all' }, 'corpus'),
  );
  const status = statusOf(ledger, context(), NOW);
  expect(status.best).toBeUndefined();
  expect(status.gate).toBe('Failed');
});

describe('the status of a run that is suspended', () => {
  const suspended = { controls: { ...controlsOf(run), suspended: true }, activeSince: undefined };
  const running = statusOf(new RunLedger(run), context(), NOW);
  const first = statusOf(
    new RunLedger(run),
    context({ ...suspended, previousConditions: running.conditions ?? [] }),
    LATER,
  );

  it('says so in a condition of its own, makes no progress and has no start', () => {
    expect(condition(running, ConditionType.Suspended)).toBeUndefined();
    expect(condition(first, ConditionType.Suspended)).toMatchObject({
      status: 'True',
      reason: 'RunSuspended',
      lastTransitionTime: '2026-01-02T03:11:00Z',
    });
    expect(condition(first, ConditionType.Progressing)).toMatchObject({
      status: 'False',
      reason: 'RunSuspended',
      lastTransitionTime: '2026-01-02T03:11:00Z',
    });
    expect(first).not.toHaveProperty('startTime');
    expect(isFinished(first)).toBe(false);
  });

  it('names the suspension before anything that is in the way', () => {
    const problem = { reason: 'ConnectionRefused', message: '' };
    const status = statusOf(
      new RunLedger(run),
      context({ ...suspended, waiting: problem, storeProblem: problem }),
      NOW,
    );
    expect(condition(status, ConditionType.Progressing)?.reason).toBe('RunSuspended');
  });

  it('has its condition turned false when it is resumed, and then starts anew', () => {
    const resumed = statusOf(
      new RunLedger(run),
      context({ activeSince: LATER + 5_000, previousConditions: first.conditions ?? [] }),
      LATER + 5_000,
    );
    expect(resumed.startTime).toBe('2026-01-02T03:11:05Z');
    expect(condition(resumed, ConditionType.Progressing)).toMatchObject({
      status: 'True',
      reason: 'Running',
    });
    expect(condition(resumed, ConditionType.Suspended)).toMatchObject({
      status: 'False',
      reason: 'RunResumed',
      lastTransitionTime: '2026-01-02T03:11:05Z',
    });
    const later = context({ activeSince: LATER + 5_000, previousConditions: resumed.conditions ?? [] });
    expect(statusOf(new RunLedger(run), later, LATER + 60_000)).toEqual(resumed);
  });

  it.each([
    ['cancelled', { cancel: 'Requested' as const }, 'RunCancelled'],
    ['cancelled by its deletion', { cancel: 'Deleted' as const }, 'RunDeleted'],
  ])('is not that of a suspended one any more when it is %s', (_, controls, reason) => {
    const status = statusOf(
      new RunLedger(run),
      context({
        ...suspended,
        controls: { ...suspended.controls, ...controls },
        previousConditions: first.conditions ?? [],
      }),
      LATER,
    );
    expect(condition(status, ConditionType.Progressing)).toMatchObject({ status: 'True', reason });
    expect(condition(status, ConditionType.Suspended)).toMatchObject({ status: 'False', reason });
  });

  it.each([
    ['suspended', suspended, 'CancelRequested'],
    ['resumed', { activeSince: LATER }, 'RunResumed'],
  ])(
    'is not that of a suspended one any more when it is over, and says when it was not resumed: %s',
    (_, now, reason) => {
      const ledger = new RunLedger(run);
      ledger.noteFinished({ state: 'Cancelled', reason: 'CancelRequested', message: '' });
      const status = statusOf(ledger, context({ ...now, previousConditions: first.conditions ?? [] }), LATER);
      expect(condition(status, ConditionType.Suspended)).toMatchObject({ status: 'False', reason });
      expect(finishedCondition(status)?.type).toBe('Cancelled');
    },
  );
});

describe('the status of an object that has no run', () => {
  it('is that it failed when its spec cannot be run', () => {
    const explanation = { reason: 'InvalidSpec', message: 'spec.variants[1]: …' };
    const status = statusWithoutRun({ kind: 'InvalidSpec', explanation }, undefined, 3, NOW);
    expect(finishedCondition(status)).toMatchObject({ type: 'Failed', ...explanation });
    expect(condition(status, ConditionType.Progressing)).toMatchObject({ status: 'False' });
    expect(status.observedGeneration).toBe(3);
  });

  it('is that it waits when the store cannot be used yet, and the same text the next time', () => {
    const explanation = { reason: 'ConnectionRefused', message: 'the result store does not answer' };
    const problem = { kind: 'StoreUnavailable', explanation } as const;
    const status = statusWithoutRun(problem, undefined, 3, NOW);
    expect(isFinished(status)).toBe(false);
    expect(condition(status, ConditionType.ResultStoreAvailable)).toMatchObject({
      status: 'False',
      ...explanation,
    });
    const again = statusWithoutRun(problem, status, 3, LATER);
    expect(JSON.stringify(again)).toBe(JSON.stringify(status));
  });

  it('keeps what was told of the run before, as when an operator starts while the store is away', () => {
    const run = aRun();
    const told = statusOf(new RunLedger(run), context({ controls: controlsOf(run) }), NOW);
    const explanation = { reason: 'ConnectionRefused', message: 'the result store does not answer' };
    const { conditions, ...rest } = statusWithoutRun(
      { kind: 'StoreUnavailable', explanation },
      told,
      3,
      LATER,
    );
    const { conditions: _, ...before } = told;
    expect(rest).toEqual(before);
    expect(conditions?.map(({ type, status }) => [type, status])).toEqual([
      [ConditionType.Progressing, 'True'],
      [ConditionType.ResultStoreAvailable, 'False'],
    ]);
  });

  it('is that it is suspended when it is, without the clock of its deadline, and that it was resumed after that', () => {
    const explanation = { reason: 'ConnectionRefused', message: 'the result store does not answer' };
    const away = (suspended: boolean | undefined, previous: BatchTestStatus): BatchTestStatus =>
      statusWithoutRun({ kind: 'StoreUnavailable', explanation, suspended }, previous, 3, LATER);
    const told = statusOf(new RunLedger(run), context(), NOW);
    expect(condition(away(false, told), ConditionType.Suspended)).toBeUndefined();
    const suspended = away(true, told);
    expect(suspended.startTime).toBeUndefined();
    expect(condition(suspended, ConditionType.Suspended)).toMatchObject({
      status: 'True',
      reason: 'RunSuspended',
    });
    const resumed = away(false, suspended);
    expect(resumed.startTime).toBeUndefined();
    expect(condition(resumed, ConditionType.Suspended)).toMatchObject({
      status: 'False',
      reason: 'RunResumed',
    });
    // As when it is cancelled while it is suspended.
    expect(away(undefined, suspended)).toEqual(suspended);
  });

  it('is that it waits when the object could not be kept from going, with the reason', () => {
    const explanation = { reason: 'FinalizerNotSet', message: 'forbidden' };
    const status = statusWithoutRun({ kind: 'NotHeld', explanation }, undefined, 3, NOW);
    expect(isFinished(status)).toBe(false);
    expect(condition(status, ConditionType.Progressing)).toMatchObject({ status: 'True', ...explanation });
  });

  it('is cut where a list of mistakes is too long, between characters', () => {
    const explanation = { reason: 'InvalidSpec', message: `x${'🦀'.repeat(5_000)}` };
    const { conditions } = statusWithoutRun({ kind: 'InvalidSpec', explanation }, undefined, 3, NOW);
    const message = conditions?.[0]?.message ?? '';
    expect([...message]).toHaveLength(1_024);
    expect(message.endsWith('🦀…')).toBe(true);
  });
});

describe('isFinished', () => {
  it('is false without a status, without conditions, and for a condition that does not hold', () => {
    expect(isFinished(undefined)).toBe(false);
    expect(isFinished({})).toBe(false);
    const failed = {
      type: 'Failed',
      status: 'False',
      reason: 'R',
      message: '',
      lastTransitionTime: '',
    } as const;
    expect(isFinished({ conditions: [failed] })).toBe(false);
    expect(isFinished({ conditions: [{ ...failed, status: 'True' }] })).toBe(true);
  });
});
