/** What of the application of a plan depends on the order of answers; the rest is in invariants.test.ts. */
import { expect, it } from 'vitest';
import { ModelEngine } from '../../test/builders/model-engine.ts';
import { ModelStore } from '../../test/builders/model-store.ts';
import { aRun, controlsOf } from '../../test/builders/run.ts';
import { reconcile } from '../core/reconcile.ts';
import { RunLedger } from '../core/run-ledger.ts';
import type { Engine } from '../engine/engine.ts';
import type { ActiveRun } from './active-run.ts';
import { applyPlan } from './apply-plan.ts';
import { InvariantWatch } from './invariant-watch.ts';
import { RunPace } from './run-pace.ts';

it('waits for every answer before it tells of the first failure, so that nothing goes on unattended', async () => {
  const definition = aRun({ variants: 2, parallelism: 2 });
  const store = new ModelStore(definition);
  const { fence } = await store.openRun();
  const run: ActiveRun = {
    uid: definition.uid,
    ledger: new RunLedger(definition),
    fence,
    activeSince: 0,
    waiting: undefined,
    postponement: undefined,
    watch: new InvariantWatch(),
    pace: new RunPace(0),
    storeProblem: undefined,
  };
  const engine = new ModelEngine(() => 0);
  engine.startFaults.push('NotSent');
  let answerSecond = (): void => {};
  const secondMayAnswer = new Promise<void>((resolve) => {
    answerSecond = resolve;
  });
  const startAttempt: Engine['startAttempt'] = async (request) => {
    const outcome = await engine.startAttempt(request);
    await secondMayAnswer;
    return outcome;
  };
  const controls = controlsOf(definition);
  const targets = {
    engine: {
      startAttempt,
      removeAttempts: (...of: Parameters<Engine['removeAttempts']>) => engine.removeAttempts(...of),
    },
    store,
    now: () => 0,
    onEvent: () => {},
  };

  let settled = false;
  const applied = applyPlan(reconcile(run.ledger, [], controls, 0), run, controls, targets).finally(() => {
    settled = true;
  });
  applied.catch(() => {});
  await new Promise((resolve) => setImmediate(resolve));
  expect(settled).toBe(false);
  answerSecond();
  await expect(applied).rejects.toThrow('connection refused');
  expect([...run.ledger.activeTrials]).toEqual([1]);
  expect([...run.ledger.unansweredStarts]).toEqual([0]);
});
