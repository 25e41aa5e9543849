import { describe, expect, it } from 'vitest';
import { aBatchTest, type BatchTestOptions } from '../../test/builders/batch-test.ts';
import { afterAttempt } from './after-attempt.ts';
import type { Outcome } from './outcome.ts';
import { retryAt } from './retry-policy.ts';

const NOW = 50_000;
type Spec = NonNullable<BatchTestOptions['spec']>;

/** What becomes of a trial whose attempt ended so. */
function fateAfter(
  fields: Spec,
  {
    outcome = 'TestFailed' as Outcome,
    exitCode = undefined as number | undefined,
    attempt = 1,
    countedBefore = 0,
  },
) {
  const { spec } = aBatchTest({ spec: fields });
  const judgement = { outcome, exitCode, reason: 'R', message: '', result: undefined };
  return afterAttempt({ name: 'n', attempt, judgement, countedBefore }, spec, NOW);
}

const FAILED = { phase: 'Failed', failsVariant: false };
const again = (fields: Spec, failures: number, counts = true) => ({
  phase: 'Pending',
  notBefore: retryAt(aBatchTest({ spec: fields }).spec.retryPolicy, failures, 'n', NOW),
  counts,
});

const OUTCOMES = ['Infrastructure', 'TestFailed', 'ResultInvalid', 'TimedOut'] as const;

describe('retryPolicy', () => {
  it('by itself has only a failure of the infrastructure tried again, once', () => {
    expect(fateAfter({}, { outcome: 'Infrastructure' })).toEqual(again({}, 1));
    expect(fateAfter({}, { outcome: 'Infrastructure', countedBefore: 1 })).toEqual(FAILED);
    for (const outcome of ['TestFailed', 'ResultInvalid', 'TimedOut'] as const)
      expect(fateAfter({}, { outcome })).toEqual(FAILED);
  });

  it.each(OUTCOMES)('that names only %s has nothing else tried again', (retried) => {
    const fields = { retryPolicy: { outcomes: [retried] } };
    for (const outcome of OUTCOMES)
      expect(fateAfter(fields, { outcome })).toEqual(outcome === retried ? again(fields, 1) : FAILED);
  });

  it('without outcomes has nothing tried again', () => {
    for (const outcome of OUTCOMES)
      expect(fateAfter({ retryPolicy: { outcomes: [] } }, { outcome })).toEqual(FAILED);
  });

  it.each([
    { limit: 0, phases: ['Failed'] },
    { limit: 1, phases: ['Pending', 'Failed'] },
    { limit: 3, phases: ['Pending', 'Pending', 'Pending', 'Failed'] },
  ])('with a limit of $limit allows as many attempts beyond the first', ({ limit, phases }) => {
    const fields = { retryPolicy: { limit } };
    expect(
      phases.map((_, countedBefore) => fateAfter(fields, { outcome: 'Infrastructure', countedBefore }).phase),
    ).toEqual(phases);
  });

  it('waits by the failures that count, not by the number of the attempt', () => {
    const fields = { retryPolicy: { limit: 9, backoffSeconds: 10, maxBackoffSeconds: 600 } };
    expect(fateAfter(fields, { outcome: 'Infrastructure', attempt: 7, countedBefore: 1 })).toEqual(
      again(fields, 2),
    );
  });
});

describe('an attempt', () => {
  it('that succeeded has its trial succeed, whatever the policies say', () => {
    const fields: Spec = {
      retryPolicy: { outcomes: [...OUTCOMES] },
      failurePolicy: {
        rules: [{ action: 'FailVariant', onExitCodes: { operator: 'NotIn', values: [1] } }],
      },
    };
    expect(fateAfter(fields, { outcome: 'Succeeded', exitCode: 0 })).toEqual({ phase: 'Succeeded' });
  });

  it('that we ended leaves its trial due at once and does not count, even at the limit', () => {
    for (const limit of [0, 1])
      expect(fateAfter({ retryPolicy: { limit } }, { outcome: 'Cancelled', countedBefore: 1 })).toEqual({
        phase: 'Pending',
        notBefore: NOW,
        counts: false,
      });
  });
});

describe('failurePolicy', () => {
  const policy = (action: 'FailVariant' | 'Ignore' | 'Retry', limit = 1): Spec => ({
    retryPolicy: { limit, backoffSeconds: 10, maxBackoffSeconds: 600 },
    failurePolicy: { rules: [{ action, onExitCodes: { operator: 'In', values: [42] } }] },
  });

  it('FailVariant fails the trial and with it the variant, without another attempt', () => {
    expect(fateAfter(policy('FailVariant'), { exitCode: 42 })).toEqual({
      phase: 'Failed',
      failsVariant: true,
    });
  });

  it('Ignore tries again without end and without counting, with a wait that grows', () => {
    const fields = policy('Ignore', 0);
    for (const attempt of [1, 2, 50, 5_000])
      expect(fateAfter(fields, { exitCode: 42, attempt })).toEqual(again(fields, attempt, false));
  });

  it('Retry tries again what retryPolicy does not name, up to its limit', () => {
    const fields = policy('Retry', 2);
    expect(fateAfter(fields, { exitCode: 42 })).toEqual(again(fields, 1));
    expect(fateAfter(fields, { exitCode: 42, countedBefore: 1 })).toEqual(again(fields, 2));
    expect(fateAfter(fields, { exitCode: 42, countedBefore: 2 })).toEqual(FAILED);
  });

  it('leaves an exit code that no rule names to retryPolicy', () => {
    expect(fateAfter(policy('Ignore'), { exitCode: 1 })).toEqual(FAILED);
    const retried = {
      ...policy('FailVariant'),
      retryPolicy: { outcomes: ['TestFailed' as const] },
    };
    expect(fateAfter(retried, { exitCode: 1 })).toEqual(again(retried, 1));
  });

  it.each(['Infrastructure', 'ResultInvalid', 'TimedOut'] as const)(
    'does not look at %s, whatever the exit code: that is not the verdict of the program',
    (outcome) => {
      const fields: Spec = {
        retryPolicy: { limit: 0 },
        failurePolicy: {
          rules: [{ action: 'FailVariant', onExitCodes: { operator: 'NotIn', values: [1] } }],
        },
      };
      for (const exitCode of [undefined, 0, 137])
        expect(fateAfter(fields, { outcome, exitCode })).toEqual(FAILED);
    },
  );
});
