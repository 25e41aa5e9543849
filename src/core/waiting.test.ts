import { describe, expect, it } from 'vitest';
import { exited } from '../../test/builders/model-engine.ts';
import { aRun, controlsOf } from '../../test/builders/run.ts';
import type { AttemptState, ObservedAttempt } from './attempt.ts';
import type { RunControls } from './run.ts';
import { RunLedger } from './run-ledger.ts';
import { waitingOf } from './waiting.ts';

const run = aRun({ variants: 6, parallelism: 3 });
const RUNNING: AttemptState = { kind: 'Running', since: 0 };
const WAITING: AttemptState = { kind: 'Waiting', since: 0 };
const STOPPING: AttemptState = { kind: 'Stopping' };
const ENDED: AttemptState = { kind: 'Ended', at: 0, termination: exited(1) };
const unscheduled: AttemptState = { ...WAITING, reason: 'Unschedulable', message: '0/3 nodes are available' };

/** Why the run waits while its first trials have attempts in these states. */
function waiting(
  states: readonly AttemptState[],
  { starting = 0, ...controls }: Partial<RunControls> & { readonly starting?: number } = {},
) {
  const ledger = new RunLedger(run);
  const own = states.map((state, index): ObservedAttempt => {
    const variantId = run.trials[index]?.variant.id ?? '';
    return { name: `n-${index}`, variantId, repetition: 0, attempt: 1, state };
  });
  ledger.noteObserved(own);
  return waitingOf(ledger, own, { ...controlsOf(run), ...controls }, starting);
}

const ALL = Array.from({ length: 6 }, () => RUNNING);

describe('a run makes headway', () => {
  it.each<{ when: string; states: readonly AttemptState[]; controls?: object }>([
    { when: 'something runs', states: [RUNNING, WAITING, STOPPING] },
    { when: 'something is started right now', states: [WAITING], controls: { starting: 1 } },
    { when: 'all that is left runs at a parallelism of 0', states: ALL, controls: { parallelism: 0 } },
    { when: 'as many may wait as have slots', states: [RUNNING, WAITING], controls: { maxPending: 2 } },
    {
      when: 'there is no slot for more, however many wait',
      states: [RUNNING, WAITING, WAITING],
      controls: { maxPending: 2 },
    },
    {
      when: 'nothing is left to be started, however many wait',
      states: [...ALL.slice(1), WAITING],
      controls: { maxPending: 1, parallelism: 9 },
    },
  ])('while $when', ({ states, controls }) => {
    expect(waiting(states, controls)).toBeUndefined();
  });
});

describe('a run waits', () => {
  it('as Paused at a parallelism of 0, also while something runs', () => {
    const paused = {
      reason: 'Paused',
      message: 'spec.parallelism is 0: nothing new starts, running trials finish',
    };
    expect(waiting([], { parallelism: 0 })).toEqual(paused);
    expect(waiting([RUNNING], { parallelism: 0 })).toEqual(paused);
  });

  it('for what refuses its starts, while there is a slot for one', () => {
    const postponed = { reason: 'QuotaExceeded', message: 'pods=3' };
    expect(waiting([RUNNING], { postponed })).toEqual(postponed);
    expect(waiting(ALL.slice(1), { postponed, parallelism: 5 })).toBeUndefined();
    expect(waiting([], { postponed, parallelism: 0 })?.reason).toBe('Paused');
  });

  it('as Paused, and does not promise that running trials finish where they are pre-empted', () => {
    expect(waiting([], { parallelism: 0, scaleDownPolicy: 'Preempt' })?.message).toBe(
      'spec.parallelism is 0: nothing new starts',
    );
  });

  it('for the start of what was started, and says what one of them waits for', () => {
    expect(waiting([WAITING])).toEqual({ reason: 'WaitingForStart', message: '1 trial has not started' });
    expect(waiting([WAITING, unscheduled, STOPPING])).toEqual({
      reason: 'WaitingForStart',
      message: '2 trials have not started: Unschedulable: 0/3 nodes are available',
    });
    expect(waiting([{ ...WAITING, reason: 'ContainerCreating' }])?.message).toBe(
      '1 trial has not started: ContainerCreating',
    );
  });

  it('for maxPending when that keeps a slot empty', () => {
    expect(waiting([RUNNING, unscheduled], { maxPending: 1 })).toEqual({
      reason: 'MaxPending',
      message:
        'no more than 1 may wait to start (spec.maxPending); 1 trial has not started: Unschedulable: 0/3 nodes are available',
    });
  });

  it('for the end of what is being stopped', () => {
    expect(waiting([STOPPING, ENDED])?.reason).toBe('WaitingForEnd');
  });

  it('for a program that cannot be ended, and says why', () => {
    const stuck = { ...STOPPING, message: 'process 7 cannot be ended: it runs as another user' };
    expect(waiting([STOPPING, stuck])).toEqual({
      reason: 'CannotBeEnded',
      message: 'a trial takes its slot until it is gone: process 7 cannot be ended: it runs as another user',
    });
    expect(waiting([stuck, stuck])?.message).toMatch(
      /^2 trials take their slots until they are gone: process 7 /,
    );
  });

  it('for a back-off when nothing is live and trials are due', () => {
    expect(waiting([ENDED])?.reason).toBe('BackingOff');
  });

  it('for nothing when only trials of a variant that was given up are left', () => {
    const two = aRun({ variants: 1, repetitions: 3 });
    const ledger = new RunLedger(two);
    expect(waitingOf(ledger, [], controlsOf(two), 0)?.reason).toBe('BackingOff');
    ledger.noteRecorded(0, 1, 'TestFailed', new Map(), { phase: 'Failed', failsVariant: true });
    expect(waitingOf(ledger, [], controlsOf(two), 0)).toBeUndefined();
    expect(waitingOf(ledger, [], { ...controlsOf(two), parallelism: 0 }, 0)).toBeUndefined();
  });
});
