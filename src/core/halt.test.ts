import { describe, expect, it } from 'vitest';
import { aRun, controlsOf } from '../../test/builders/run.ts';
import { type Halt, haltOf } from './halt.ts';
import type { RunControls } from './run.ts';
import { RunLedger } from './run-ledger.ts';

const NOW = 10_000;
const run = aRun({ variants: 4, repetitions: 2 });

/** A ledger of which one trial succeeded and of `failed` variants a trial failed. */
function ledgerOf(failed: number): RunLedger {
  const ledger = new RunLedger(run);
  for (let index = 0; index < failed; index += 1)
    ledger.noteRecorded(index, 1, 'TestFailed', new Map(), { phase: 'Failed', failsVariant: false });
  ledger.noteRecorded(7, 1, 'Succeeded', new Map([['p95_ms', 1]]), { phase: 'Succeeded' });
  return ledger;
}

const halt = (controls: Partial<RunControls>, failed = 0): Halt | undefined =>
  haltOf(ledgerOf(failed), { ...controlsOf(run), ...controls }, NOW);

describe('a run is halted', () => {
  it('by nothing at first, and by no failure unless its user says so', () => {
    expect(halt({})).toBeUndefined();
    expect(halt({}, 4)).toBeUndefined();
  });

  it('when it is cancelled, for good', () => {
    expect(halt({ cancel: 'Requested' })).toEqual({
      reason: 'RunCancelled',
      message: 'cancelled',
      end: { state: 'Cancelled', reason: 'CancelRequested', message: 'cancelled, with 1 of 8 trials done' },
    });
  });

  it('when its object is deleted, for good', () => {
    expect(halt({ cancel: 'Deleted' }, 1)).toEqual({
      reason: 'RunDeleted',
      message: 'the BatchTest was deleted',
      end: {
        state: 'Cancelled',
        reason: 'Deleted',
        message: 'the BatchTest was deleted, with 2 of 8 trials done',
      },
    });
  });

  it.each([
    { maxFailedVariants: 0, failed: 0, isHalted: false },
    { maxFailedVariants: 0, failed: 1, isHalted: true },
    { maxFailedVariants: 2, failed: 2, isHalted: false },
    { maxFailedVariants: 2, failed: 3, isHalted: true },
  ])(
    'is $isHalted when $failed variants failed and $maxFailedVariants may',
    ({ maxFailedVariants, failed, isHalted }) => {
      expect(halt({ maxFailedVariants }, failed)?.reason).toBe(
        isHalted ? 'TooManyFailedVariants' : undefined,
      );
    },
  );

  it('when more variants failed than may, in words that name the field', () => {
    expect(halt({ maxFailedVariants: 1 }, 2)?.end).toEqual({
      state: 'Failed',
      reason: 'TooManyFailedVariants',
      message: '2 variants failed, more than spec.maxFailedVariants (1) allows, with 3 of 8 trials done',
    });
  });

  it('not by trials of one variant that fail one after the other', () => {
    const ledger = ledgerOf(1);
    ledger.noteRecorded(4, 1, 'TestFailed', new Map(), { phase: 'Failed', failsVariant: false });
    expect(haltOf(ledger, { ...controlsOf(run), maxFailedVariants: 1 }, NOW)).toBeUndefined();
  });

  it('when its object cannot be read any more, whatever else it seems to say, and not once it can be', () => {
    const others = { maxFailedVariants: 0, deadlineAt: NOW, suspended: true };
    expect(halt({ ...others, invalidSpec: 'spec.x: unknown' }, 1)).toEqual({
      reason: 'InvalidSpec',
      message: 'the run cannot go on as its object is now (spec.x: unknown)',
      end: {
        state: 'Failed',
        reason: 'InvalidSpec',
        message: 'the run cannot go on as its object is now (spec.x: unknown), with 2 of 8 trials done',
      },
    });
    expect(halt({ invalidSpec: 'spec.x: unknown', cancel: 'Deleted' })?.reason).toBe('RunDeleted');
    expect(halt({ invalidSpec: undefined })).toBeUndefined();
  });

  it('from the instant of its deadline on, and not any more when that is extended', () => {
    expect(halt({ deadlineAt: NOW + 1 })).toBeUndefined();
    expect(halt({ deadlineAt: NOW })).toMatchObject({
      reason: 'DeadlineExceeded',
      end: { state: 'Failed', reason: 'DeadlineExceeded' },
    });
    expect(halt({ deadlineAt: NOW + 60_000 })).toBeUndefined();
  });

  it('while it is suspended, without an end', () => {
    expect(halt({ suspended: true })).toEqual({
      reason: 'RunSuspended',
      message: 'the run is suspended (spec.suspend)',
      end: undefined,
    });
  });

  it('by the first of cancel, failed variants, deadline and suspension', () => {
    const all = { cancel: 'Requested', maxFailedVariants: 0, deadlineAt: NOW, suspended: true } as const;
    expect(halt(all, 1)?.reason).toBe('RunCancelled');
    expect(halt({ ...all, cancel: 'Deleted' }, 1)?.reason).toBe('RunDeleted');
    expect(halt({ ...all, cancel: undefined }, 1)?.reason).toBe('TooManyFailedVariants');
    expect(halt({ ...all, cancel: undefined }, 0)?.reason).toBe('DeadlineExceeded');
    expect(halt({ ...all, cancel: undefined, deadlineAt: undefined })?.reason).toBe('RunSuspended');
  });
});
