import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { afterAll, beforeAll, expect, it, onTestFinished, vi } from 'vitest';
import { controlsOf, aRun as runOf } from '../../test/builders/run.ts';
import {
  type Connection,
  type PostgresServer,
  startPostgresServer,
} from '../../test/integration/postgres-server.ts';
import { attemptName, type ObservedAttempt } from '../core/attempt.ts';
import { reconcile } from '../core/reconcile.ts';
import { RunLedger } from '../core/run-ledger.ts';
import { openPostgresResultStore } from '../results/postgres/open-postgres-result-store.ts';
import type { ResultStore } from '../results/result-store.ts';
import { applyPlan } from './apply-plan.ts';
import { InvariantWatch } from './invariant-watch.ts';
import { PushedResultsLook, withPushedResults } from './pushed-results.ts';
import { RunPace } from './run-pace.ts';
import { VerificationWatch } from './verification-watch.ts';
import { WorkUnderWay } from './work-under-way.ts';

let postgres: PostgresServer;
let store: ResultStore;
let connection: Connection;
beforeAll(async () => {
  postgres = await startPostgresServer();
  connection = await postgres.createDatabase();
  store = await openPostgresResultStore({ connection });
});
afterAll(async () => {
  await store?.close();
  await postgres?.stop();
});

const ENGINE = {
  isAsShown: () => Promise.reject(new Error('nothing is late')),
  isGone: () => Promise.reject(new Error('nothing is gone')),
  startAttempt: () => Promise.reject(new Error('nothing is to be started')),
  removeAttempts: () => Promise.reject(new Error('nothing is to be removed')),
};

/** A run of which every program has ended and none has been judged. */
async function aRunThatHasEnded(repetitions: number) {
  const run = runOf({ uid: randomUUID(), variants: 1, repetitions, spec: { results: { push: true } } });
  const opened = await store.openRun(run);
  const ledger = new RunLedger(run, opened.trials, opened.end);
  const ended = run.trials.map(
    (trial): ObservedAttempt => ({
      name: attemptName(run, trial, 1),
      variantId: trial.variant.id,
      repetition: trial.repetition,
      attempt: 1,
      startId: `pod-${trial.repetition}`,
      state: { kind: 'Ended', at: 1_000, termination: { kind: 'Exited', exitCode: 0, message: '' } },
    }),
  );
  ledger.noteObserved(ended);
  return { run, opened, ledger, ended };
}

it('judges many that end at once, a part of them at a time, by the newest of what the store holds', async () => {
  const { run, opened, ledger, ended } = await aRunThatHasEnded(250);
  const push = ({ variantId, repetition, startId = '' }: ObservedAttempt) =>
    store.pushResult({
      runUid: run.uid,
      namespace: run.namespace,
      start: { variantId, repetition, attempt: 1, startId },
      sha256: 'a'.repeat(64),
      result: { metrics: new Map([['p95_ms', repetition]]), artifacts: [], outputs: { repetition } },
    });
  const [late, ...early] = ended;
  if (late === undefined) throw new Error('unreachable: there are 250');
  await Promise.all(early.map(push));

  const lookedUp: number[] = [];
  const active = {
    ...{ uid: run.uid, ledger, fence: opened.fence, watch: new InvariantWatch(), activeSince: 0 },
    pace: new RunPace(0),
    work: new WorkUnderWay(() => {}),
    ...{
      endWish: undefined,
      waiting: undefined,
      postponement: undefined,
      storeProblem: undefined,
      verification: new VerificationWatch(false),
    },
  };
  const look = new PushedResultsLook();
  let isLatePushed = false;
  for (let round = 0; round < 20 && ledger.counts.active > 0; round += 1) {
    const pushed = await look.look(ledger, () => ended, {
      readPushed: (uid, starts) => {
        lookedUp.push(starts.length);
        return store.readPushed(uid, starts);
      },
    });
    const observed = withPushedResults(ended, pushed);
    // After it was looked up, and before its attempt is recorded.
    if (!isLatePushed) expect(await push(late)).toEqual({ kind: 'Stored' });
    isLatePushed = true;
    const plan = reconcile(ledger, observed, controlsOf(run), 2_000);
    const targets = { engine: ENGINE, store, now: () => 2_000, onEvent: () => {} };
    applyPlan(plan, active, controlsOf(run), targets);
    await active.work.settled();
  }
  expect(Math.max(...lookedUp)).toBe(100);
  const stored = await store.loadRun(run.uid);
  expect(stored?.trials).toMatchObject({ succeeded: 250, pending: 0 });
  for (const { repetition, metrics, outputs } of stored?.trialDetails ?? []) {
    expect(metrics.get('p95_ms')).toBe(repetition);
    expect(outputs).toEqual({ repetition });
  }
});

it('does not hold up a decision when the store takes its time, nor ask it twice', async () => {
  const { ledger, ended } = await aRunThatHasEnded(2);
  let asked = 0;
  const counted: Pick<ResultStore, 'readPushed'> = {
    readPushed: (...starts) => {
      asked += 1;
      return store.readPushed(...starts);
    },
  };
  const somebody = new pg.Client(connection);
  await somebody.connect();
  onTestFinished(() => somebody.end());
  await somebody.query('begin; lock table batchtest.pushed_results in access exclusive mode');
  const look = new PushedResultsLook();
  const [first, second] = ended;
  if (first === undefined || second === undefined) throw new Error('unreachable: there are 2');
  const slow = { name: 'ResultStoreUnavailableError', reason: 'Slow' };
  await expect(look.look(ledger, () => [first], counted)).rejects.toMatchObject(slow);
  await expect(look.look(ledger, () => [first], counted)).rejects.toMatchObject(slow);
  expect(asked).toBe(1);
  await somebody.query('commit');
  // The answer to the first question is had once it has come, and nothing is decided without one for what is there.
  const answered = await vi.waitFor(() => look.look(ledger, () => ended, counted), { timeout: 10_000 });
  expect([...answered.keys()]).toEqual([first.startId]);
  expect([...(await look.look(ledger, () => [second], counted)).keys()]).toEqual([second.startId]);
  expect(asked).toBe(2);
});
