import {
  AnnotationQueryBuilder,
  type Dashboard,
  DashboardBuilder,
  DashboardCursorSync,
  DatasourceVariableBuilder,
  QueryVariableBuilder,
  VariableRefresh,
} from '@grafana/grafana-foundation-sdk/dashboard';
import { heatmap, lines, numbered, PROMETHEUS, stacked, stat, withRow } from './panels.ts';

/**
 * Of one operator: the selectors that every expression carries. Other programs have metrics of the same names, and in another cluster one may have the address of an
 * operator.
 */
const OF_OPERATOR = 'job=~"$job",instance=~"$instance"';
const OF_RUNS = `namespace=~"$namespace",${OF_OPERATOR}`;
const RATE = '[$__rate_interval]';

const quantile = (share: number, metric: string, selector: string, by = ''): string =>
  `histogram_quantile(${share}, sum by (le${by}) (rate(${metric}_bucket{${selector}}${RATE})))`;

const part = (name: string, metric: string) => [
  { expr: quantile(0.5, metric, OF_RUNS), legend: `${name} p50` },
  { expr: quantile(0.95, metric, OF_RUNS), legend: `${name} p95` },
];

/** What somebody looks at who runs the operator. */
export function operatorDashboard(): Dashboard {
  const dashboard = new DashboardBuilder('BatchTest operator')
    .uid('batchtest-operator')
    .description(
      'How the operator does: runs, slots, results, its loop and its process. Results themselves are on the dashboard BatchTest results.',
    )
    .tags(['batchtest'])
    .refresh('30s')
    .time({ from: 'now-6h', to: 'now' })
    .tooltip(DashboardCursorSync.Crosshair)
    .timezone('browser')
    .withVariable(new DatasourceVariableBuilder('datasource').label('Prometheus').type('prometheus'))
    // Also those in which nothing has ended yet. All of the other two are those of operators alone.
    .withVariable(
      variable('namespace', 'Namespace', 'label_values(batchtest_attempts_total, namespace)').allValue('.*'),
    )
    .withVariable(variable('job', 'Job', 'label_values(batchtest_build_info, job)'))
    .withVariable(variable('instance', 'Operator', 'label_values(batchtest_build_info, instance)'))
    .annotation(
      new AnnotationQueryBuilder()
        .name('Restarts')
        .datasource(PROMETHEUS)
        .enable(true)
        .iconColor('orange')
        // Of several scrapes: between two of one step there may be none.
        .expr(`changes(process_start_time_seconds{${OF_OPERATOR}}${RATE}) > 0`)
        .titleFormat('operator restarted')
        .step('60s'),
    );
  overview(dashboard);
  slots(dashboard);
  latency(dashboard);
  failures(dashboard);
  store(dashboard);
  loop(dashboard);
  processRow(dashboard);
  return numbered(dashboard.build());
}

const variable = (name: string, label: string, query: string): QueryVariableBuilder =>
  new QueryVariableBuilder(name)
    .label(label)
    .datasource(PROMETHEUS)
    .query(query)
    .refresh(VariableRefresh.OnTimeRangeChanged)
    .multi(true)
    .includeAll(true);

function overview(dashboard: DashboardBuilder): void {
  withRow(dashboard, 'Overview', [
    stat(
      {
        title: 'Leader',
        description: 'Operators that hold the lease: 1, save for a moment of change.',
        width: 4,
      },
      { expr: `sum(leader_election_master_status{${OF_OPERATOR}})`, legend: 'leaders' },
    ),
    stat(
      { title: 'Version', description: 'What runs.', width: 4 },
      { expr: `count by (version) (batchtest_build_info{${OF_OPERATOR}})`, legend: '{{version}}' },
    ),
    stat(
      { title: 'Invariant violations', description: 'Must be 0: each is a defect.', width: 4 },
      { expr: `sum(batchtest_invariant_violations_total{${OF_OPERATOR}})`, legend: 'violations' },
    ),
    stat(
      {
        title: 'Results not stored',
        description: 'Attempts that have ended and are not committed; returns to 0.',
        width: 4,
      },
      { expr: `sum(batchtest_results_unstored{${OF_OPERATOR}})`, legend: 'unstored' },
    ),
    stat(
      {
        title: 'Time left',
        description: 'Trials that are due or under way, at the rate of the last ten minutes.',
        unit: 's',
        width: 8,
      },
      {
        expr: `sum(batchtest_trials_current{${OF_RUNS},state=~"pending|starting|running|storing"}) / (sum(rate(batchtest_trials_finished_total{${OF_RUNS}}[10m])) > 0)`,
        legend: 'left',
      },
    ),
    stacked(
      { title: 'Runs', description: 'BatchTests that are there, by state.' },
      { expr: `sum by (state) (batchtest_runs_current{${OF_RUNS}})`, legend: '{{state}}' },
    ),
    lines(
      { title: 'Trials finished per minute', description: 'By how they ended.', unit: 'none' },
      {
        expr: `sum by (phase) (rate(batchtest_trials_finished_total{${OF_RUNS}}${RATE})) * 60`,
        legend: '{{phase}}',
      },
    ),
  ]);
}

function slots(dashboard: DashboardBuilder): void {
  withRow(dashboard, 'Slots', [
    lines(
      {
        title: 'Slots',
        description:
          'How many attempts may be live, how many are, and how many trials wait. Slots that stay free while trials wait are held back: by a quota, the scheduler, or back-off.',
      },
      { expr: `sum(batchtest_slots{${OF_RUNS}})`, legend: 'slots' },
      { expr: `sum(batchtest_slots_in_use{${OF_RUNS}})`, legend: 'in use' },
      { expr: `sum(batchtest_trials_current{${OF_RUNS},state="pending"})`, legend: 'trials waiting' },
    ),
    stacked(
      { title: 'Trials under way', description: 'By state.' },
      {
        expr: `sum by (state) (batchtest_trials_current{${OF_RUNS},state!~"pending|held"})`,
        legend: '{{state}}',
      },
    ),
    heatmap(
      {
        title: 'Slot refill',
        description:
          'From the end of an attempt, as the operator saw it, until the next one was started: the result is stored in between.',
      },
      `sum by (le) (increase(batchtest_slot_refill_seconds_bucket{${OF_OPERATOR}}${RATE}))`,
    ),
    stacked(
      {
        title: 'Waiting to start',
        description: 'Attempts whose program does not run yet, by what they wait for.',
      },
      { expr: `sum by (reason) (batchtest_attempts_waiting{${OF_RUNS}})`, legend: '{{reason}}' },
    ),
  ]);
}

function latency(dashboard: DashboardBuilder): void {
  withRow(dashboard, 'Where the time goes', [
    lines(
      {
        title: 'Waiting for a slot',
        description: 'From the start of the run until the first attempt of a trial.',
        unit: 's',
      },
      ...part('queue', 'batchtest_trial_queue_seconds'),
    ),
    lines(
      {
        title: 'Starting',
        description: 'From the creation of the Job until its program ran. A cluster tells the second.',
        unit: 's',
      },
      ...part('start', 'batchtest_attempt_start_seconds'),
    ),
    lines(
      { title: 'Running', description: 'The programs themselves.', unit: 's' },
      ...part('run', 'batchtest_attempt_run_seconds'),
    ),
    lines(
      {
        title: 'Storing',
        description: 'From the end of an attempt, as the operator saw it, until it was committed.',
        unit: 's',
      },
      ...part('store', 'batchtest_attempt_store_seconds'),
    ),
  ]);
}

function failures(dashboard: DashboardBuilder): void {
  withRow(dashboard, 'Failures', [
    stacked(
      { title: 'Attempts per minute', description: 'By outcome.', unit: 'none' },
      {
        expr: `sum by (outcome) (rate(batchtest_attempts_total{${OF_RUNS}}${RATE})) * 60`,
        legend: '{{outcome}}',
      },
    ),
    stacked(
      {
        title: 'Failures per minute',
        description: 'Attempts that did not succeed, by reason.',
        unit: 'none',
      },
      {
        expr: `sum by (outcome, reason) (rate(batchtest_attempt_failures_total{${OF_RUNS}}${RATE})) * 60`,
        legend: '{{outcome}} {{reason}}',
      },
    ),
    lines(
      {
        title: 'Retries per minute',
        description: 'Attempts after an earlier one of the same trial.',
        unit: 'none',
      },
      {
        expr: `sum by (namespace) (rate(batchtest_retries_total{${OF_RUNS}}${RATE})) * 60`,
        legend: '{{namespace}}',
      },
    ),
    lines(
      {
        title: 'Without progress',
        description:
          'For how long the run that stands still longest has neither started nor stored an attempt.',
        unit: 's',
      },
      {
        expr: `max by (namespace) (batchtest_longest_without_progress_seconds{${OF_RUNS}})`,
        legend: '{{namespace}}',
      },
    ),
  ]);
}

function store(dashboard: DashboardBuilder): void {
  withRow(dashboard, 'Result store', [
    lines(
      {
        title: 'Transactions',
        description: 'How long Postgres took, waiting for a connection included.',
        unit: 's',
      },
      {
        expr: quantile(0.5, 'batchtest_store_transaction_seconds', OF_OPERATOR, ', op'),
        legend: '{{op}} p50',
      },
      {
        expr: quantile(0.99, 'batchtest_store_transaction_seconds', OF_OPERATOR, ', op'),
        legend: '{{op}} p99',
      },
    ),
    lines(
      {
        title: 'Results per second',
        description: 'By what became of them. failed are tried again.',
        unit: 'none',
      },
      {
        expr: `sum by (result) (rate(batchtest_results_stored_total{${OF_OPERATOR}}${RATE}))`,
        legend: '{{result}}',
      },
    ),
    lines(
      { title: 'Not stored', description: 'Results that wait, and the age of the oldest.', unit: 'none' },
      { expr: `sum(batchtest_results_unstored{${OF_OPERATOR}})`, legend: 'results' },
      { expr: `max(batchtest_oldest_unstored_seconds{${OF_OPERATOR}})`, legend: 'oldest, in seconds' },
    ),
    lines(
      {
        title: 'Refused writes per minute',
        description: 'Writes that Postgres could not take then, by why.',
        unit: 'none',
      },
      {
        expr: `sum by (reason) (rate(batchtest_store_unavailable_total{${OF_OPERATOR}}${RATE})) * 60`,
        legend: '{{reason}}',
      },
      {
        expr: `sum by (sqlstate) (rate(batchtest_store_retries_total{${OF_OPERATOR}}${RATE})) * 60`,
        legend: 'tried again at once: {{sqlstate}}',
      },
    ),
    stacked(
      { title: 'Connections', description: 'Of the pool, and callers that wait for one.', width: 24 },
      { expr: `sum by (state) (batchtest_pg_pool_connections{${OF_OPERATOR}})`, legend: '{{state}}' },
    ),
  ]);
}

function loop(dashboard: DashboardBuilder): void {
  withRow(dashboard, 'Loop and API server', [
    lines(
      { title: 'Reconciliations per second', description: 'By result.', unit: 'none' },
      {
        expr: `sum by (result) (rate(controller_runtime_reconcile_total{${OF_OPERATOR}}${RATE}))`,
        legend: '{{result}}',
      },
    ),
    lines(
      {
        title: 'Reconciliation',
        description: 'How long one takes, its requests and transactions included.',
        unit: 's',
      },
      { expr: quantile(0.5, 'controller_runtime_reconcile_time_seconds', OF_OPERATOR), legend: 'p50' },
      { expr: quantile(0.99, 'controller_runtime_reconcile_time_seconds', OF_OPERATOR), legend: 'p99' },
    ),
    lines(
      {
        title: 'Work queue',
        description: 'Runs that wait for a worker, and how long the longest is being processed.',
        unit: 'none',
      },
      { expr: `sum(workqueue_depth{${OF_OPERATOR}})`, legend: 'depth' },
      {
        expr: `max(workqueue_longest_running_processor_seconds{${OF_OPERATOR}})`,
        legend: 'longest, in seconds',
      },
    ),
    lines(
      { title: 'Requests per second', description: 'To the API server, by method and status.', unit: 'none' },
      {
        expr: `sum by (method, code) (rate(rest_client_requests_total{${OF_OPERATOR}}${RATE}))`,
        legend: '{{method}} {{code}}',
      },
    ),
    lines(
      {
        title: 'Request latency',
        description: 'Until the headers of the answer, and how long requests waited for others.',
        unit: 's',
      },
      {
        expr: quantile(0.99, 'rest_client_request_duration_seconds', OF_OPERATOR, ', verb'),
        legend: '{{verb}} p99',
      },
      {
        expr: quantile(0.99, 'rest_client_rate_limiter_duration_seconds', OF_OPERATOR),
        legend: 'waiting p99',
      },
    ),
    lines(
      {
        title: 'Age of the views',
        description: 'How long ago the API server was heard of. Bookmarks come every minute.',
        unit: 's',
      },
      {
        expr: `max by (resource) (time() - batchtest_informer_last_event_timestamp_seconds{${OF_OPERATOR}})`,
        legend: '{{resource}}',
      },
    ),
    lines(
      {
        title: 'Views begun again',
        description: 'Lists and watches that failed, per minute. Expired is ordinary, after a pause.',
        unit: 'none',
      },
      {
        expr: `sum by (resource, reason) (rate(batchtest_informer_restarts_total{${OF_OPERATOR}}${RATE})) * 60`,
        legend: '{{resource}} {{reason}}',
      },
    ),
  ]);
}

function processRow(dashboard: DashboardBuilder): void {
  withRow(dashboard, 'Process', [
    lines(
      { title: 'CPU', description: 'Cores in use.', unit: 'none' },
      { expr: `rate(process_cpu_seconds_total{${OF_OPERATOR}}${RATE})`, legend: '{{instance}}' },
    ),
    lines(
      { title: 'Memory', description: 'Resident, the heap, and how large that may grow.', unit: 'bytes' },
      { expr: `process_resident_memory_bytes{${OF_OPERATOR}}`, legend: '{{instance}} resident' },
      { expr: `nodejs_heap_size_used_bytes{${OF_OPERATOR}}`, legend: '{{instance}} heap' },
      { expr: `nodejs_heap_size_limit_bytes{${OF_OPERATOR}}`, legend: '{{instance}} heap limit' },
    ),
    lines(
      { title: 'Event loop lag', description: 'How late timers are.', unit: 's' },
      { expr: `nodejs_eventloop_lag_p99_seconds{${OF_OPERATOR}}`, legend: '{{instance}} p99' },
    ),
    lines(
      { title: 'Garbage collection', description: 'Share of the time spent in it.', unit: 'percentunit' },
      {
        expr: `sum by (instance) (rate(nodejs_gc_duration_seconds_sum{${OF_OPERATOR}}${RATE}))`,
        legend: '{{instance}}',
      },
    ),
  ]);
}
