/** What of the application of a plan depends on the order of answers; the rest is in invariants.test.ts. */
import { expect, it } from 'vitest';
import { exitedWell, ModelEngine } from '../../test/builders/model-engine.ts';
import { ModelStore } from '../../test/builders/model-store.ts';
import { aRun, controlsOf } from '../../test/builders/run.ts';
import { reconcile } from '../core/reconcile.ts';
import { RunLedger } from '../core/run-ledger.ts';
import type { ActiveRun } from './active-run.ts';
import { applyPlan } from './apply-plan.ts';
import { InvariantWatch } from './invariant-watch.ts';
import { RunPace } from './run-pace.ts';
import { VerificationWatch } from './verification-watch.ts';
import { WorkUnderWay } from './work-under-way.ts';

it('decides while starts are under way, but nothing about them, and tells of the first failure when all are answered', async () => {
  const definition = aRun({ variants: 2, parallelism: 2 });
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
