/** What of the application of a plan depends on the order of answers; the rest is in invariants.test.ts. */
import { describe, expect, it } from 'vitest';
import { exitedWell, ModelEngine } from '../../test/builders/model-engine.ts';
import { ModelStore } from '../../test/builders/model-store.ts';
import { aRun, controlsOf } from '../../test/builders/run.ts';
import { reconcile } from '../core/reconcile.ts';
import type { RunControls, RunDefinition } from '../core/run.ts';
import { RunLedger } from '../core/run-ledger.ts';
import type { ActiveRun } from './active-run.ts';
import { applyPlan } from './apply-plan.ts';
import type { ControllerEvent } from './controller-event.ts';
import { InvariantWatch } from './invariant-watch.ts';
import { RunPace } from './run-pace.ts';
import { VerificationWatch } from './verification-watch.ts';
import { WorkUnderWay } from './work-under-way.ts';

/** A run that is opened, in a model world whose time is `clock.now`. */
async function opened(definition: RunDefinition) {
  const clock = { now: 0 };
  const store = new ModelStore(definition);
  const { fence } = await store.openRun();
  const run: ActiveRun = {
    uid: definition.uid,
    ledger: new RunLedger(definition),
    fence,
    activeSince: 0,
    endWish: undefined,
    waiting: undefined,
    postponement: undefined,
    watch: new InvariantWatch(),
    pace: new RunPace(0),
    work: new WorkUnderWay(() => {}),
    storeProblem: undefined,
    verification: new VerificationWatch(false),
  };
  const now = () => clock.now;
  const engine = new ModelEngine(now);
  const told: ControllerEvent[] = [];
  const targets = { engine, store, now, onEvent: (event: ControllerEvent) => void told.push(event) };
  return { clock, store, run, engine, targets, told };
}

/** A run of one trial whose attempt runs. `applied` carries out what is to be done now. */
async function underWay(definition = aRun({ variants: 1 })) {
  const { clock, store, run, engine, targets, told } = await opened(definition);
  const applied = async (wanted: Partial<RunControls> = {}): Promise<void> => {
    const controls = { ...controlsOf(definition), seenUntil: clock.now, ...wanted };
    const observed = engine.observe(definition);
    applyPlan(reconcile(run.ledger, observed, controls, clock.now), run, controls, targets);
    await run.work.settled();
  };
  await applied();
  const [attempt] = engine.attempts.values();
  if (attempt === undefined) throw new Error('unreachable: it was started');
  engine.begin(attempt);
  const toldOf = (kind: ControllerEvent['kind']) => told.filter((event) => event.kind === kind);
  return { clock, store, run, engine, attempt, applied, toldOf };
}

it('has an attempt bounded by the deadlines that are wanted now, not by those that its run began with', async () => {
  const definition = aRun({ variants: 1 });
  const { run, engine, targets } = await opened(definition);
  const asked: number[] = [];
  const startAttempt = engine.startAttempt.bind(engine);
  engine.startAttempt = (request) => {
    asked.push(request.deadlineSeconds);
    return startAttempt(request);
  };
  const controls = { ...controlsOf(definition), trialStartDeadlineSeconds: 7_200, trialDeadlineSeconds: 60 };
  applyPlan(reconcile(run.ledger, engine.observe(definition), controls, 0), run, controls, targets);
  await run.work.settled();
  expect(asked).toEqual([7_260]);
});

it('decides while starts are under way, but nothing about them, and tells of the first failure when all are answered', async () => {
  const definition = aRun({ variants: 2, parallelism: 2 });
  const { run, engine, targets } = await opened(definition);
  engine.startFaults.push('NotSent', { late: 'Started' });
  const controls = controlsOf(definition);
  const decide = () => reconcile(run.ledger, engine.observe(run.ledger.definition), controls, 0);

  expect(applyPlan(decide(), run, controls, targets)).toEqual({ decideAgain: true });
  await new Promise((resolve) => setImmediate(resolve));
  expect([...run.ledger.unansweredStarts], 'the first was not answered').toEqual([0]);
  expect([...run.ledger.startsUnderWay], 'the second is still to be').toEqual([1]);
  expect(run.work.isIdle).toBe(false);
  expect(() => run.work.throwFailure()).not.toThrow();

  const [attempt] = engine.attempts.values();
  if (attempt === undefined) throw new Error('the second is not shown');
  engine.end(attempt, exitedWell());
  expect(decide().actions.map(({ kind }) => kind)).toEqual(['StartAttempt']);

  engine.answerLate();
  await run.work.settled();
  expect(() => run.work.throwFailure()).toThrow('connection refused');
  expect(() => run.work.throwFailure()).not.toThrow();
  expect(decide().actions).toMatchObject([{ kind: 'RecordAttempt', trial: 1 }]);
});

describe('an attempt whose deadline passes', () => {
  /** It is shown as running, two seconds after its deadline. */
  async function late() {
    const world = await underWay(aRun({ variants: 1, trialDeadlineSeconds: 10 }));
    world.clock.now = 12_000;
    const outcomes = () => [...world.store.records.values()].map(({ judgement: { outcome } }) => outcome);
    return { ...world, outcomes };
  }

  it('has timed out when it goes on', async () => {
    const { applied, outcomes } = await late();
    await applied();
    expect(outcomes()).toEqual(['TimedOut']);
  });

  it('keeps its result when it ended in time and nobody was told', async () => {
    const { applied, attempt, engine, outcomes } = await late();
    engine.isAsShown = async () => {
      engine.end(attempt, exitedWell());
      return false;
    };
    await applied();
    expect(outcomes()).toEqual([]);
    await applied();
    expect(outcomes()).toEqual(['Succeeded']);
  });

  it('is not late while nobody can tell, and the store is not blamed for that', async () => {
    const { applied, engine, outcomes, run } = await late();
    let answer = (): void => {};
    engine.isAsShown = () =>
      new Promise((_, reject) => {
        answer = () => reject(new Error('connection refused'));
      });
    const answered = applied();
    expect([...run.ledger.recordsUnderWay.keys()]).toEqual([0]);
    expect(run.ledger.storingSince).toBeUndefined();
    answer();
    await answered;
    expect(outcomes()).toEqual([]);
    expect(() => run.work.throwFailure()).toThrow('connection refused');
    engine.isAsShown = async () => true;
    await applied();
    expect(outcomes()).toEqual(['TimedOut']);
  });
});

describe('an attempt that is no longer shown', () => {
  async function noLongerShown() {
    const world = await underWay();
    world.attempt.hidden = true;
    const reasons = () => [...world.store.records.values()].map(({ judgement: { reason } }) => reason);
    return { ...world, reasons };
  }

  it('keeps its result when the engine finds it once it is asked', async () => {
    const { applied, attempt, engine, reasons } = await noLongerShown();
    await applied();
    expect(reasons()).toEqual([]);
    engine.end(attempt, exitedWell());
    await applied();
    expect(reasons()).toEqual(['Completed']);
  });

  it('takes its slot, and is not given up, while nobody can tell', async () => {
    const { applied, engine, reasons, run } = await noLongerShown();
    engine.isGone = () => Promise.reject(new Error('connection refused'));
    await applied();
    expect(() => run.work.throwFailure()).toThrow('connection refused');
    expect(reasons()).toEqual([]);
    expect(run.ledger.counts.active).toBe(1);
  });

  it('has vanished when there is nothing of it', async () => {
    const { applied, attempt, engine, reasons } = await noLongerShown();
    engine.vanish(attempt);
    await applied();
    expect(reasons()).toEqual(['AttemptVanished']);
  });
});

describe('what is committed though the answer is lost', () => {
  it('is told once it is known: the end of an attempt', async () => {
    const { store, run, engine, attempt, applied, toldOf } = await underWay();
    engine.end(attempt, exitedWell());
    store.condition = 'AnswerLost';
    await applied();
    expect(store.records.size).toBe(1);
    expect(toldOf('AttemptRecorded')).toEqual([]);
    store.condition = 'Available';
    await applied();
    await applied();
    expect(toldOf('AttemptRecorded')).toMatchObject([
      { record: { judgement: { outcome: 'Succeeded' } }, counts: { succeeded: 1 } },
    ]);
    await run.verification.look(run.uid, store.verification, false, 0);
    expect(run.verification.counts, 'what was read back of it is asked for').toBeDefined();
  });

  it('is told as it is stored, though it would be judged otherwise by now', async () => {
    const { store, engine, attempt, applied, toldOf } = await underWay();
    store.condition = 'AnswerLost';
    await applied({ cancel: 'Requested' });
    engine.end(attempt, exitedWell());
    store.condition = 'Unavailable';
    await applied({ cancel: 'Requested' });
    store.condition = 'Available';
    await applied({ cancel: 'Requested' });
    expect(toldOf('AttemptRecorded')).toMatchObject([
      { record: { judgement: { reason: 'RunCancelled' }, trialAfter: { phase: 'Pending' } } },
    ]);
  });

  it('is told once it is known: the end of the run', async () => {
    const { store, run, engine, attempt, applied, toldOf } = await underWay();
    engine.end(attempt, exitedWell());
    await applied();
    // Removes it.
    await applied();
    store.condition = 'AnswerLost';
    await applied();
    expect(store.end).toBeDefined();
    expect(() => run.work.throwFailure()).toThrow('does not answer');
    expect(toldOf('RunEnded')).toEqual([]);
    store.condition = 'Available';
    await applied();
    await applied();
    expect(() => run.work.throwFailure()).not.toThrow();
    expect(run.ledger.end).toEqual(store.end);
    expect(toldOf('RunEnded')).toMatchObject([{ end: store.end, counts: { succeeded: 1 } }]);
  });
});
