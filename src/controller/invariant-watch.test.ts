import { describe, expect, it } from 'vitest';
import { aRun } from '../../test/builders/run.ts';
import { type AttemptState, attemptName, type ObservedAttempt } from '../core/attempt.ts';
import { RunLedger } from '../core/run-ledger.ts';
import { InvariantWatch } from './invariant-watch.ts';

const run = aRun({ variants: 3 });
const RUNNING: AttemptState = { kind: 'Running', since: 0 };

function shown(index: number, attempt = 1, state: AttemptState = RUNNING): ObservedAttempt {
  const trial = run.trials[index];
  if (trial === undefined) throw new RangeError(`trial ${index}`);
  const { variant, repetition } = trial;
  return { variantId: variant.id, repetition, attempt, name: attemptName(run, trial, attempt), state };
}

const success = (ledger: RunLedger, index: number): void => {
  ledger.noteStarted(index, 1);
  ledger.noteRecorded(index, 1, 'Succeeded', new Map([['p95_ms', 1]]), { phase: 'Succeeded' });
};

describe('the watch over invariants', () => {
  it('finds nothing in a run that keeps to its width, drains, and removes what is recorded', () => {
    const ledger = new RunLedger(run);
    const watch = new InvariantWatch();
    expect(watch.look(ledger, [shown(0), shown(1)], 2)).toEqual([]);
    expect(watch.look(ledger, [shown(0), shown(1), shown(2)], 3)).toEqual([]);
    expect(watch.look(ledger, [shown(0), shown(1), shown(2)], 1)).toEqual([]);
    success(ledger, 0);
    expect(watch.look(ledger, [shown(0), shown(1, 1, { kind: 'Stopping' }), shown(1, 2)], 3)).toEqual([]);
  });

  it('tells once of an attempt that came though all slots were taken', () => {
    const watch = new InvariantWatch();
    const ledger = new RunLedger(run);
    watch.look(ledger, [shown(0)], 1);
    expect(watch.look(ledger, [shown(0), shown(1)], 1)).toEqual([
      { invariant: 'overshoot', attempt: shown(1).name },
    ]);
    expect(watch.look(ledger, [shown(0), shown(1)], 1)).toEqual([]);
  });

  it('tells of a further attempt of a trial whose success is committed', () => {
    const ledger = new RunLedger(run);
    success(ledger, 0);
    expect(new InvariantWatch().look(ledger, [shown(0, 2)], 3)).toEqual([
      { invariant: 'double_success', attempt: shown(0, 2).name },
    ]);
  });

  it('tells of two attempts of one trial at once', () => {
    expect(new InvariantWatch().look(new RunLedger(run), [shown(0), shown(0, 2)], 3)).toEqual([
      { invariant: 'double_start', attempt: shown(0, 2).name },
    ]);
  });

  it('tells of what lives after the end of its run', () => {
    const ledger = new RunLedger(run);
    ledger.noteFinished({ state: 'Cancelled', reason: 'CancelRequested', message: 'cancelled' });
    expect(new InvariantWatch().look(ledger, [shown(0)], 3)).toEqual([
      { invariant: 'orphan', attempt: shown(0).name },
    ]);
  });
});
