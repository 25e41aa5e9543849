import { describe, expect, it } from 'vitest';
import type { BatchTestOptions } from '../../test/builders/batch-test.ts';
import { aRun } from '../../test/builders/run.ts';
import type { AfterAttempt } from '../core/after-attempt.ts';
import type { EngineName } from '../core/run.ts';
import { RunLedger } from '../core/run-ledger.ts';
import { postponedAgain } from './postponement.ts';
import { controlsOf, endWishOf } from './run-controls.ts';

const NOW = 1_000_000;
const SINCE = 400_000;

function controls(
  spec: NonNullable<BatchTestOptions['spec']>,
  {
    cancel,
    engine = 'kubernetes',
    ...run
  }: Partial<Parameters<typeof controlsOf>[1]> & {
    readonly cancel?: 'Requested' | 'Deleted';
    readonly engine?: EngineName;
  } = {},
) {
  const definition = { ...aRun({ spec }), engine };
  return controlsOf(
    { manifest: definition.manifest, cancel },
    {
      activeSince: SINCE,
      endWish: undefined,
      postponement: undefined,
      ledger: new RunLedger(definition),
      ...run,
    },
    { seenUntil: (_, now) => now - 5 },
    NOW,
  );
}

describe('what a user wants of a run', () => {
  it('is at first what the schema gives', () => {
    expect(controls({})).toEqual({
      parallelism: 1,
      scaleDownPolicy: 'Drain',
      maxPending: undefined,
      trialDeadlineSeconds: 3_600,
      trialStartDeadlineSeconds: expect.any(Number),
      maxFailedVariants: undefined,
      podCleanupPolicy: 'Succeeded',
      cancel: undefined,
      suspended: false,
      deadlineAt: undefined,
      startBudget: 64,
      removalDelayMs: expect.any(Number),
      seenUntil: NOW - 5,
      wantedSince: 0,
      unseenRetryMs: 1_000,
    });
  });

  it('is what the manifest says', () => {
    const fields = {
      parallelism: 7,
      scaleDownPolicy: 'Preempt',
      maxPending: 3,
      trialDeadlineSeconds: 60,
      trialStartDeadlineSeconds: 90,
      maxFailedVariants: 0,
      podCleanupPolicy: 'Never',
    } as const;
    expect(controls(fields)).toMatchObject(fields);
    expect(controls({ suspend: true })).toMatchObject({ suspended: true });
    expect(controls({}, { cancel: 'Deleted' })).toMatchObject({ cancel: 'Deleted' });
  });

  it('has a deadline that is counted from when the run may run, and none while it may not', () => {
    expect(controls({ activeDeadlineSeconds: 60 }).deadlineAt).toBe(SINCE + 60_000);
    expect(controls({ activeDeadlineSeconds: 60 }, { activeSince: undefined }).deadlineAt).toBeUndefined();
  });

  it('removes everything that has ended of a local run, whose output stays in files', () => {
    for (const podCleanupPolicy of ['Never', 'Succeeded', 'Always'] as const) {
      expect(controls({ podCleanupPolicy }, { engine: 'local' }).podCleanupPolicy).toBe('Always');
      expect(controls({ podCleanupPolicy }).podCleanupPolicy).toBe(podCleanupPolicy);
    }
  });

  it('cleans up after a cluster has had time to start what comes next, and after local programs at once', () => {
    expect(controls({}).removalDelayMs).toBeGreaterThan(0);
    expect(controls({}, { engine: 'local' }).removalDelayMs).toBe(0);
  });

  it('starts as many as the engine lets it', () => {
    const answer = { kind: 'Postponed', reason: 'QuotaExceeded', message: '', retryAfterMs: 1_000 } as const;
    const now = postponedAgain(undefined, answer, NOW);
    const before = postponedAgain(undefined, answer, NOW - 5_000);
    expect(controls({}, { postponement: now }).startBudget).toBe(0);
    expect(controls({}, { postponement: before }).startBudget).toBe(1);
  });
});

describe('what is wanted of attempts that go on', () => {
  const of = (spec: NonNullable<BatchTestOptions['spec']>, cancel?: 'Requested' | 'Deleted') => ({
    manifest: aRun({ spec }).manifest,
    cancel,
  });
  const run = aRun({ metrics: [{ name: 'p95_ms', goal: 'minimize', target: '15' }] });
  const nothing = new RunLedger(run);
  const first = endWishOf(undefined, of({ parallelism: 2 }), nothing, NOW);

  it.each([
    ['a cancellation', of({ parallelism: 2 }, 'Requested')],
    ['a suspension', of({ parallelism: 2, suspend: true })],
    ['a lower parallelism', of({ parallelism: 1 })],
    ['an object that cannot be read', { ...of({ parallelism: 2 }), invalidSpec: 'no list' }],
  ])('is as old as %s', (_, wanted) => {
    const wish = endWishOf(first, wanted, nothing, NOW + 5);
    expect(wish.since).toBe(NOW + 5);
    expect(endWishOf(wish, wanted, nothing, NOW + 9)).toBe(wish);
    expect(controls({}, { endWish: wish }).wantedSince).toBe(NOW + 5);
  });

  it.each<[what: string, maxFailedVariants: number, then: AfterAttempt]>([
    ['a success by which the targets are met', 1, { phase: 'Succeeded' }],
    ['a failure that is one too many', 0, { phase: 'Failed', failsVariant: false }],
    ['a failure of a whole variant', 1, { phase: 'Failed', failsVariant: true }],
  ])('is as old as %s, once that is stored', (_, maxFailedVariants, then) => {
    const wanted = of({ maxFailedVariants });
    const ledger = new RunLedger(run);
    const before = endWishOf(undefined, wanted, ledger, NOW);
    const outcome = then.phase === 'Succeeded' ? 'Succeeded' : 'TestFailed';
    ledger.noteRecorded(0, 1, outcome, new Map([['p95_ms', 1]]), then);
    const wish = endWishOf(before, wanted, ledger, NOW + 5);
    expect(wish.since).toBe(NOW + 5);
    expect(endWishOf(wish, wanted, ledger, NOW + 9)).toBe(wish);
  });

  it('is as old as the early stop of a variant, once that is stored', () => {
    const wanted = of({ parallelism: 2 });
    const ledger = new RunLedger(run);
    ledger.noteSkipped([], [0], 1);
    const wish = endWishOf(first, wanted, ledger, NOW + 5);
    expect(wish.since).toBe(NOW + 5);
    expect(endWishOf(wish, wanted, ledger, NOW + 9)).toBe(wish);
  });

  it('is no younger for a failure that ends nothing else', () => {
    const wanted = of({ maxFailedVariants: 1, parallelism: 2 });
    const ledger = new RunLedger(run);
    ledger.noteRecorded(0, 1, 'TestFailed', new Map(), { phase: 'Failed', failsVariant: false });
    expect(endWishOf(first, wanted, ledger, NOW + 5)).toBe(first);
  });

  it.each([
    ['the parallelism of a cancelled run', of({}, 'Requested'), of({ parallelism: 9 }, 'Requested')],
    ['the deletion of a cancelled run', of({}, 'Requested'), of({}, 'Deleted')],
    ['the suspension of a cancelled run', of({}, 'Requested'), of({ suspend: true }, 'Requested')],
    ['the parallelism of a suspended run', of({ suspend: true }), of({ suspend: true, parallelism: 9 })],
  ])('is not asked for anew by %s', (_, before, after) => {
    const wish = endWishOf(undefined, before, nothing, NOW);
    expect(endWishOf(wish, after, nothing, NOW + 5)).toBe(wish);
  });

  it('is not asked for anew by an edit of something else', () => {
    expect(endWishOf(first, of({ parallelism: 2, trialDeadlineSeconds: 5 }), nothing, NOW + 5)).toBe(first);
  });
});
