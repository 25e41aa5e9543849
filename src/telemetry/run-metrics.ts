import type { ControllerEvent } from '../controller/controller-event.ts';
import { INVARIANTS } from '../controller/invariant-watch.ts';
import type { Outcome } from '../core/outcome.ts';
import type { RunEnd } from '../core/plan.ts';
import { FAILURE_REASONS } from './attempt-reasons.ts';
import { TRIAL_BUCKETS } from './buckets.ts';
import { boundedWord, type MetricFamilies, NAMESPACE } from './metric-families.ts';
import { describeSnapshots, type RunsToTell } from './run-gauges.ts';

const OUTCOMES: readonly Outcome[] = [
  'Succeeded',
  'TestFailed',
  'ResultInvalid',
  'TimedOut',
  'Infrastructure',
  'Cancelled',
];

const END_STATES: readonly RunEnd['state'][] = ['Complete', 'Failed', 'Cancelled'];
const TRIAL_ENDS = ['Succeeded', 'Failed', 'Cancelled', 'Skipped'] as const;

/** What runs do, as the controller tells it. */
export interface RunMetrics {
  /** Counts an event; cheap, as it is called for each attempt. */
  observe(event: ControllerEvent): void;
  /** Tells of this controller's runs from now on, with those followed already. Returns how to stop that. */
  follow(controller: RunsToTell): () => void;
}

export function createRunMetrics(families: MetricFamilies, now: () => number): RunMetrics {
  const runsFinished = families.counter('batchtest_runs_finished_total', 'Runs whose end was stored.', {
    namespace: NAMESPACE,
    state: END_STATES,
  });
  const trialsFinished = families.counter(
    'batchtest_trials_finished_total',
    'Trials that came to their final phase. Cancelled and skipped ones, also those that never started, count when their run ends; results taken over from an earlier run do not.',
    { namespace: NAMESPACE, phase: TRIAL_ENDS },
  );
  const attempts = families.counter('batchtest_attempts_total', 'Attempts whose end was stored.', {
    namespace: NAMESPACE,
    outcome: OUTCOMES,
  });
  const failures = families.counter(
    'batchtest_attempt_failures_total',
    'Attempts that were stored as anything but Succeeded, by reason. A series appears with the first such attempt.',
    {
      namespace: NAMESPACE,
      outcome: OUTCOMES.filter((outcome) => outcome !== 'Succeeded'),
      reason: FAILURE_REASONS,
    },
  );
  const retries = families.counter(
    'batchtest_retries_total',
    'Attempts started after an earlier one of the same trial.',
    { namespace: NAMESPACE },
  );
  const perTrial = (name: string, help: string) =>
    families.histogram(name, help, { namespace: NAMESPACE }, TRIAL_BUCKETS);
  const queued = perTrial(
    'batchtest_trial_queue_seconds',
    'From the time a run could run until the first attempt of a trial was started: waiting for a slot.',
  );
  const starting = perTrial(
    'batchtest_attempt_start_seconds',
    'From the asking for a start until the program ran: scheduling, pulling of the image. A cluster tells the second.',
  );
  const running = perTrial(
    'batchtest_attempt_run_seconds',
    'How long programs ran, as their engine tells it. A cluster tells the second.',
  );
  const storing = perTrial(
    'batchtest_attempt_store_seconds',
    'From the moment in which the end of an attempt was seen until it was committed.',
  );
  const refilled = families.histogram(
    'batchtest_slot_refill_seconds',
    'From the moment in which the end of an attempt was seen until the next one was started in its place, its result stored in between.',
    {},
    TRIAL_BUCKETS,
  );
  const cancelled = families.histogram(
    'batchtest_cancel_duration_seconds',
    'From the moment in which a cancellation or deletion was seen until the end of the run was stored, the grace period of its pods included.',
    {},
    TRIAL_BUCKETS,
  );
  const abandoned = families.counter(
    'batchtest_runs_abandoned_total',
    'Deleted BatchTests that were let go before their run could be stored: what was not stored is lost.',
    {},
  );
  const violations = families.counter(
    'batchtest_invariant_violations_total',
    'Things seen that must never be: each one is a defect of the operator.',
    { invariant: INVARIANTS },
  );
  // What may be counted is there from the start, so that an alert can tell 0 from absent.
  for (const invariant of INVARIANTS) violations.inc({ invariant }, 0);
  const known = new Set<string>();
  const meet = (namespace: string): void => {
    if (known.has(namespace)) return;
    known.add(namespace);
    for (const state of END_STATES) runsFinished.inc({ namespace, state }, 0);
    for (const phase of TRIAL_ENDS) trialsFinished.inc({ namespace, phase }, 0);
    for (const outcome of OUTCOMES) attempts.inc({ namespace, outcome }, 0);
    retries.inc({ namespace }, 0);
    for (const histogram of [queued, starting, running, storing]) histogram.zero({ namespace });
  };

  const controllers = new Set<RunsToTell>();
  describeSnapshots(families, controllers, now);

  return {
    observe(event) {
      const namespace = event.run.namespace ?? '';
      meet(namespace);
      switch (event.kind) {
        case 'RunOpened':
          return;
        case 'AttemptStarted':
          if (event.start.reason === 'Retry') retries.inc({ namespace });
          if (event.queuedMs !== undefined) queued.observe({ namespace }, event.queuedMs / 1_000);
          if (event.refillMs !== undefined) refilled.observe(event.refillMs / 1_000);
          return;
        case 'AttemptRecorded': {
          const { judgement, trialAfter } = event.record;
          const { outcome, reason } = judgement;
          attempts.inc({ namespace, outcome });
          if (outcome !== 'Succeeded')
            failures.inc({ namespace, outcome, reason: boundedWord(reason, FAILURE_REASONS) });
          if (trialAfter.phase !== 'Pending') trialsFinished.inc({ namespace, phase: trialAfter.phase });
          const { startMs, runMs, storeMs } = event.pace;
          if (startMs !== undefined) starting.observe({ namespace }, startMs / 1_000);
          if (runMs !== undefined) running.observe({ namespace }, runMs / 1_000);
          storing.observe({ namespace }, storeMs / 1_000);
          return;
        }
        case 'FieldsIgnored':
          return;
        case 'RunAbandoned':
          abandoned.inc();
          return;
        case 'InvariantViolated':
          violations.inc({ invariant: event.violation.invariant });
          return;
        case 'RunEnded':
          runsFinished.inc({ namespace, state: event.end.state });
          trialsFinished.inc({ namespace, phase: 'Cancelled' }, event.counts.cancelled);
          trialsFinished.inc({ namespace, phase: 'Skipped' }, event.counts.skipped);
          if (event.cancellingMs !== undefined) cancelled.observe(event.cancellingMs / 1_000);
          return;
      }
    },
    follow(controller) {
      controllers.add(controller);
      return () => controllers.delete(controller);
    },
  };
}
