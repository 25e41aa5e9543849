/** What of the application of a plan depends on the order of answers; the rest is in invariants.test.ts. */
import { describe, expect, it } from 'vitest';
import { exitedWell, ModelEngine } from '../../test/builders/model-engine.ts';
import { ModelStore } from '../../test/builders/model-store.ts';
import { aRun, controlsOf } from '../../test/builders/run.ts';
import { reconcile } from '../core/reconcile.ts';
import type { RunDefinition } from '../core/run.ts';
import { RunLedger } from '../core/run-ledger.ts';
import type { ActiveRun } from './active-run.ts';
import { applyPlan } from './apply-plan.ts';
import { InvariantWatch } from './invariant-watch.ts';
import { RunPace } from './run-pace.ts';
import { VerificationWatch } from './verification-watch.ts';
import { WorkUnderWay } from './work-under-way.ts';

async function opened(definition: RunDefinition, store: ModelStore): Promise<ActiveRun> {
  const { fence } = await store.openRun();
  return {
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
}

it('decides while starts are under way, but nothing about them, and tells of the first failure when all are answered', async () => {
  const definition = aRun({ variants: 2, parallelism: 2 });
  const store = new ModelStore(definition);
  const run = await opened(definition, store);
  const engine = new ModelEngine(() => 0);
  engine.startFaults.push('NotSent', { late: 'Started' });
  const controls = controlsOf(definition);
  const targets = { engine, store, now: () => 0, onEvent: () => {} };
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
  /** One attempt that is shown as running, two seconds after its deadline. */
  async function late() {
    const definition = aRun({ variants: 1, trialDeadlineSeconds: 10 });
    const store = new ModelStore(definition);
    const run = await opened(definition, store);
    let now = 0;
    const engine = new ModelEngine(() => now);
    const controls = { ...controlsOf(definition), seenUntil: Number.POSITIVE_INFINITY };
    const targets = { engine, store, now: () => now, onEvent: () => {} };
    const apply = async () => {
      const observed = engine.observe(definition);
      run.ledger.noteObserved(observed);
      applyPlan(reconcile(run.ledger, observed, controls, now), run, controls, targets);
      await run.work.settled();
    };
    await apply();
    const [attempt] = engine.attempts.values();
    if (attempt === undefined) throw new Error('it was not started');
    engine.begin(attempt);
    now = 12_000;
    const outcomes = () => [...store.records.values()].map(({ judgement: { outcome } }) => outcome);
    return { apply, attempt, engine, outcomes, run };
  }

  it('has timed out when it goes on', async () => {
    const { apply, outcomes } = await late();
    await apply();
    expect(outcomes()).toEqual(['TimedOut']);
  });

  it('keeps its result when it ended in time and nobody was told', async () => {
    const { apply, attempt, engine, outcomes } = await late();
    engine.isAsShown = async () => {
      engine.end(attempt, exitedWell());
      return false;
    };
    await apply();
    expect(outcomes()).toEqual([]);
    await apply();
    expect(outcomes()).toEqual(['Succeeded']);
  });

  it('is not late while nobody can tell, and the store is not blamed for that', async () => {
    const { apply, engine, outcomes, run } = await late();
    let answer = (): void => {};
    engine.isAsShown = () =>
      new Promise((_, reject) => {
        answer = () => reject(new Error('connection refused'));
      });
    const applied = apply();
    expect([...run.ledger.recordsUnderWay.keys()]).toEqual([0]);
    expect(run.ledger.storingSince).toBeUndefined();
    answer();
    await applied;
    expect(outcomes()).toEqual([]);
    expect(() => run.work.throwFailure()).toThrow('connection refused');
    engine.isAsShown = async () => true;
    await apply();
    expect(outcomes()).toEqual(['TimedOut']);
  });
});
