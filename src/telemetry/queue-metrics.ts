import type { WorkQueueObserver, WorkQueueState } from '../controller/work-queue.ts';
import { QUEUE_BUCKETS, RECONCILE_BUCKETS } from './buckets.ts';
import type { MetricFamilies } from './metric-families.ts';

/** What kubebuilder's dashboards call the one controller that there is. */
const CONTROLLER = 'batchtest';
const RESULTS = ['success', 'requeue_after', 'error'] as const;

/** The reconcile loop and its queue, under the names that controller-runtime and client-go use. */
export interface QueueMetrics extends WorkQueueObserver {
  /** Tells of this queue from now on. Returns how to stop that. */
  follow(queue: () => WorkQueueState): () => void;
}

export function createQueueMetrics(families: MetricFamilies): QueueMetrics {
  const controller = { controller: [CONTROLLER] };
  const reconciled = families.counter(
    'controller_runtime_reconcile_total',
    'Reconciliations. requeue_after: comes back at a time, such as that of a deadline.',
    { ...controller, result: RESULTS },
  );
  const errors = families.counter(
    'controller_runtime_reconcile_errors_total',
    'Reconciliations that failed and are tried again, those that wait for the result store included.',
    controller,
  );
  const seconds = families.histogram(
    'controller_runtime_reconcile_time_seconds',
    'How long reconciliations took, their requests and transactions included.',
    controller,
    RECONCILE_BUCKETS,
  );
  const queue = { name: [CONTROLLER], controller: [CONTROLLER] };
  const adds = families.counter('workqueue_adds_total', 'Keys added to the queue.', queue);
  const retries = families.counter('workqueue_retries_total', 'Keys put back after a failure.', queue);
  const waited = families.histogram(
    'workqueue_queue_duration_seconds',
    'How long keys waited for a worker.',
    queue,
    QUEUE_BUCKETS,
  );
  const worked = families.histogram(
    'workqueue_work_duration_seconds',
    'How long the processing of keys took.',
    queue,
    QUEUE_BUCKETS,
  );
  const ofController = { controller: CONTROLLER } as const;
  const ofQueue = { name: CONTROLLER, controller: CONTROLLER } as const;
  for (const result of RESULTS) reconciled.inc({ ...ofController, result }, 0);
  errors.inc(ofController, 0);
  seconds.zero(ofController);
  adds.inc(ofQueue, 0);
  retries.inc(ofQueue, 0);
  waited.zero(ofQueue);
  worked.zero(ofQueue);

  const queues = new Set<() => WorkQueueState>();
  const total = (count: (state: WorkQueueState) => number): number =>
    [...queues].reduce((sum, state) => sum + count(state()), 0);
  const ages = (): readonly number[] => [...queues].flatMap((state) => state().underWayMs);
  families.gauge('workqueue_depth', 'Keys that wait for a worker.', queue, (gauge) =>
    gauge.set(
      ofQueue,
      total(({ depth }) => depth),
    ),
  );
  families.gauge(
    'workqueue_unfinished_work_seconds',
    'How long what is being processed has been, all together.',
    queue,
    (gauge) => gauge.set(ofQueue, ages().reduce((sum, age) => sum + age, 0) / 1_000),
  );
  families.gauge(
    'workqueue_longest_running_processor_seconds',
    'How long the key has been processed that has been longest.',
    queue,
    (gauge) => gauge.set(ofQueue, Math.max(0, ...ages()) / 1_000),
  );
  families.gauge('controller_runtime_active_workers', 'Keys that are being processed.', controller, (gauge) =>
    gauge.set(ofController, ages().length),
  );
  families.gauge(
    'controller_runtime_max_concurrent_reconciles',
    'Keys that may be processed at once; 0 while this process does not lead.',
    controller,
    (gauge) =>
      gauge.set(
        ofController,
        total(({ concurrency }) => concurrency),
      ),
  );

  return {
    added: () => adds.inc(ofQueue),
    taken: (waitedMs) => waited.observe(ofQueue, waitedMs / 1_000),
    processed(tookMs, how) {
      worked.observe(ofQueue, tookMs / 1_000);
      seconds.observe(ofController, tookMs / 1_000);
      reconciled.inc({ ...ofController, result: RESULT_OF[how] });
      if (how !== 'Failed') return;
      errors.inc(ofController);
      retries.inc(ofQueue);
    },
    follow(state) {
      queues.add(state);
      return () => queues.delete(state);
    },
  };
}

const RESULT_OF = { Settled: 'success', Requeued: 'requeue_after', Failed: 'error' } as const;
