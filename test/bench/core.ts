import { type BatchTest, batchTestSchema } from '../../src/api/v1alpha1/schema.ts';
import type { ObservedAttempt } from '../../src/core/attempt.ts';
import type { Action } from '../../src/core/plan.ts';
import { reconcile } from '../../src/core/reconcile.ts';
import { defineRun, type RunControls } from '../../src/core/run.ts';
import { RunLedger } from '../../src/core/run-ledger.ts';
import { statusOf } from '../../src/core/status.ts';
import { type Figure, percentile } from './figure.ts';

const PARALLELISM = 100;
const controls: RunControls = {
  parallelism: PARALLELISM,
  scaleDownPolicy: 'Drain',
  maxPending: undefined,
  trialDeadlineSeconds: 600,
  trialStartDeadlineSeconds: 600,
  maxFailedVariants: undefined,
  podCleanupPolicy: 'Succeeded',
  cancel: undefined,
  invalidSpec: undefined,
  suspended: false,
  deadlineAt: undefined,
  seenUntil: Number.POSITIVE_INFINITY,
  wantedSince: 0,
  unseenRetryMs: 1_000,
  startBudget: Number.POSITIVE_INFINITY,
  removalDelayMs: 0,
  postponed: undefined,
};

/** The cost of decisions in a run of 10,000 trials, one variant each: the worst case for status and score. */
export function benchCore(): readonly Figure[] {
  const manifest = manifestOf(10_000);
  const defined = timed(() => defineRun(manifest, { uid: 'bench', engine: 'local' }));
  const ledger = new RunLedger(defined.result);
  const eventTimes = playRun(ledger);
  const ofFewVariants = playRun(
    new RunLedger(defineRun(manifestOf(9, 1_000), { uid: 'bench', engine: 'local' })),
  );
  const statusTimes: number[] = [];
  let size = 0;
  for (let i = 0; i < 20; i += 1) {
    const status = timed(() =>
      statusOf(
        ledger,
        {
          controls,
          activeSince: 0,
          waiting: undefined,
          storeProblem: undefined,
          observedGeneration: 1,
          previousConditions: [],
        },
        1,
      ),
    );
    statusTimes.push(status.ms);
    size = JSON.stringify(status.result).length;
  }
  return [
    {
      name: 'expand 10,000 variants and order their trials',
      value: defined.ms,
      unit: 'ms',
      budget: { atMost: 1_000 },
    },
    {
      name: 'reconcile one event of 10,000 trials, p50',
      value: percentile(eventTimes, 0.5),
      unit: 'ms',
      budget: { atMost: 5 },
    },
    {
      name: 'reconcile one event of 10,000 trials, p99',
      value: percentile(eventTimes, 0.99),
      unit: 'ms',
      budget: { atMost: 5 },
    },
    {
      name: 'reconcile one event of 9 variants of 1,000 trials, p99',
      value: percentile(ofFewVariants, 0.99),
      unit: 'ms',
      budget: { atMost: 5 },
    },
    {
      name: 'status of 10,000 variants, p99',
      value: percentile(statusTimes, 0.99),
      unit: 'ms',
      budget: { atMost: 50 },
    },
    { name: 'size of the status at 10,000 variants', value: size, unit: 'bytes', budget: { atMost: 8_192 } },
  ];
}

/** Plays a whole run in which one attempt ends at a time; the milliseconds that each such event took to decide and note. */
function playRun(ledger: RunLedger): readonly number[] {
  const live = new Map<string, ObservedAttempt>();
  const times: number[] = [];
  for (let now = 0; ; now += 1) {
    const oldest = live.values().next().value;
    if (oldest !== undefined)
      live.set(oldest.name, {
        ...oldest,
        state: {
          kind: 'Ended',
          at: now,
          termination: {
            kind: 'Exited',
            exitCode: 0,
            message: `{"metrics":{"m":${now % 97}}}`,
            startedAt: now - 1,
          },
        },
      });
    const observed = [...live.values()];
    const { ms, result: actions } = timed(() => decide(ledger, observed, now));
    times.push(ms);
    if (actions.some(({ kind }) => kind === 'FinishRun')) return times;
    for (const action of actions) follow(action, ledger, live, now);
  }
}

/** One event: the plan, the records noted, and the plan that follows from them. */
function decide(ledger: RunLedger, observed: readonly ObservedAttempt[], now: number): readonly Action[] {
  const plan = reconcile(ledger, observed, controls, now);
  const records = plan.actions.filter((action) => action.kind === 'RecordAttempt');
  if (records.length === 0) return plan.actions;
  for (const { trial, attempt, judgement, trialAfter } of records)
    ledger.noteRecorded(
      trial,
      attempt,
      judgement.outcome,
      judgement.result?.metrics ?? new Map(),
      trialAfter,
    );
  return reconcile(ledger, observed, controls, now).actions;
}

function follow(action: Action, ledger: RunLedger, live: Map<string, ObservedAttempt>, now: number): void {
  if (action.kind === 'RemoveAttempt') live.delete(action.name);
  if (action.kind !== 'StartAttempt') return;
  const trial = ledger.definition.trials[action.trial];
  if (trial === undefined) return;
  ledger.noteStarted(action.trial, action.attempt);
  live.set(action.name, {
    name: action.name,
    variantId: trial.variant.id,
    repetition: trial.repetition,
    attempt: action.attempt,
    state: { kind: 'Running', since: now },
  });
}

/** A BatchTest with so many variants, made by a matrix, and so many trials of each. */
export function manifestOf(variants: number, repetitions = 1): BatchTest {
  const side = Math.ceil(Math.sqrt(variants));
  const values = Array.from({ length: side }, (_, index) => String(index));
  return batchTestSchema.parse({
    apiVersion: 'batchtest.dev/v1alpha1',
    kind: 'BatchTest',
    metadata: { name: 'bench' },
    spec: {
      parallelism: PARALLELISM,
      repetitions,
      matrix: {
        parameters: [
          { name: 'A', values },
          { name: 'B', values },
        ],
      },
      template: { spec: { containers: [{ name: 'test', image: 'example' }] } },
      objective: { metrics: [{ name: 'm', goal: 'maximize' }] },
    },
  });
}

export function timed<T>(work: () => T): { readonly ms: number; readonly result: T } {
  const start = performance.now();
  const result = work();
  return { ms: performance.now() - start, result };
}
