import { describe, expect, it } from 'vitest';
import { aRun } from '../../test/builders/run.ts';
import { evaluateCompletion } from './completion-policy.ts';
import type { Halt } from './halt.ts';
import type { Outcome } from './outcome.ts';
import { RunLedger } from './run-ledger.ts';

const run = aRun({ variants: 2, repetitions: 2 });
const CANCELLED: Halt = {
  reason: 'RunCancelled',
  message: 'cancelled',
  end: { state: 'Cancelled', reason: 'CancelRequested', message: 'cancelled, with 0 of 4 trials done' },
};
const SUSPENDED: Halt = { reason: 'RunSuspended', message: 'suspended', end: undefined };

type Trial = Exclude<Outcome, 'Cancelled'> | 'FailsVariant' | 'Untried' | 'Waiting' | 'Active';

/** The ledger of trials a/0, b/0, a/1, b/1 in these states. */
function ledgerOf(...trials: readonly Trial[]): RunLedger {
  const ledger = new RunLedger(run);
  for (const [index, trial] of trials.entries()) {
    if (trial === 'Untried') continue;
    ledger.noteStarted(index, 1);
    if (trial === 'Active') continue;
    if (trial === 'Waiting')
      ledger.noteRecorded(index, 1, 'Infrastructure', new Map(), {
        phase: 'Pending',
        notBefore: 1,
        counts: true,
      });
    else if (trial === 'Succeeded')
      ledger.noteRecorded(index, 1, trial, new Map([['p95_ms', 1]]), { phase: trial });
    else {
      const failsVariant = trial === 'FailsVariant';
      ledger.noteRecorded(index, 1, failsVariant ? 'TestFailed' : trial, new Map(), {
        phase: 'Failed',
        failsVariant,
      });
    }
  }
  return ledger;
}

describe('a run is over', () => {
  it.each<{ trials: readonly Trial[]; end: object }>([
    {
      trials: ['Succeeded', 'Succeeded', 'Succeeded', 'Succeeded'],
      end: { state: 'Complete', reason: 'AllTrialsSucceeded', message: 'all 4 trials succeeded' },
    },
    {
      trials: ['Succeeded', 'TestFailed', 'Succeeded', 'Infrastructure'],
      end: {
        state: 'Failed',
        reason: 'VariantsFailed',
        message: '1 of 2 variants failed (1 trial TestFailed, 1 trial Infrastructure)',
      },
    },
    {
      trials: ['TimedOut', 'ResultInvalid', 'TimedOut', 'TestFailed'],
      end: {
        state: 'Failed',
        reason: 'VariantsFailed',
        message: '2 of 2 variants failed (2 trials TimedOut, 1 trial ResultInvalid, 1 trial TestFailed)',
      },
    },
    {
      trials: ['Infrastructure', 'Infrastructure', 'Succeeded', 'Infrastructure'],
      end: {
        state: 'Failed',
        reason: 'InfrastructureFailed',
        message: '2 of 2 variants failed (3 trials Infrastructure)',
      },
    },
    {
      // a/1 is of the variant that was given up.
      trials: ['FailsVariant', 'Succeeded', 'Untried', 'Succeeded'],
      end: {
        state: 'Failed',
        reason: 'VariantsFailed',
        message: '1 of 2 variants failed (1 trial TestFailed)',
      },
    },
  ])('$end.state ($end.reason) with $trials, whatever halts it then', ({ trials, end }) => {
    for (const halt of [undefined, CANCELLED, SUSPENDED])
      expect(evaluateCompletion(ledgerOf(...trials), halt, 0)).toEqual(end);
  });

  it('with one trial in words of its own', () => {
    const ledger = new RunLedger(aRun({ variants: 1 }));
    ledger.noteRecorded(0, 1, 'Succeeded', new Map([['p95_ms', 1]]), { phase: 'Succeeded' });
    expect(evaluateCompletion(ledger, undefined, 0)?.message).toBe('its one trial succeeded');
  });

  it.each<{ trials: readonly Trial[] }>([
    { trials: ['Untried', 'Untried', 'Untried', 'Untried'] },
    { trials: ['Succeeded', 'TestFailed', 'Waiting', 'Untried'] },
    { trials: ['FailsVariant', 'Succeeded', 'Untried', 'Untried'] },
  ])('as its halt says with $trials', ({ trials }) => {
    expect(evaluateCompletion(ledgerOf(...trials), CANCELLED, 0)).toEqual(CANCELLED.end);
  });
});

describe('a run is not over', () => {
  const done = ['Succeeded', 'Succeeded', 'Succeeded', 'Succeeded'] as const;

  it.each<{ what: string; ledger: RunLedger }>([
    { what: 'a trial is untried', ledger: ledgerOf('Succeeded', 'Succeeded', 'Succeeded', 'Untried') },
    {
      what: 'a trial waits for another attempt',
      ledger: ledgerOf('Succeeded', 'Succeeded', 'Succeeded', 'Waiting'),
    },
  ])('while $what and nothing ends it, also when it is suspended', ({ ledger }) => {
    expect(evaluateCompletion(ledger, undefined, 0)).toBeUndefined();
    expect(evaluateCompletion(ledger, SUSPENDED, 0)).toBeUndefined();
  });

  it('while something of it is live, be it recorded or not, and cancelled or not', () => {
    for (const halt of [undefined, CANCELLED]) {
      expect(evaluateCompletion(ledgerOf(...done), halt, 1)).toBeUndefined();
      expect(
        evaluateCompletion(ledgerOf('Active', 'Untried', 'Untried', 'Untried'), halt, 0),
      ).toBeUndefined();
    }
  });

  it('while nobody knows whether an attempt was started', () => {
    const ledger = ledgerOf('Succeeded', 'Succeeded', 'Succeeded', 'Active');
    ledger.noteStartUnanswered(3);
    expect(evaluateCompletion(ledger, CANCELLED, 0)).toBeUndefined();
    ledger.noteStartAbandoned(3);
    expect(evaluateCompletion(ledger, CANCELLED, 0)).toMatchObject({ state: 'Cancelled' });
  });

  it('a second time', () => {
    const ledger = ledgerOf(...done);
    ledger.noteFinished({ state: 'Complete', reason: 'AllTrialsSucceeded', message: '' });
    expect(evaluateCompletion(ledger, undefined, 0)).toBeUndefined();
  });
});
