import {
  type Dashboard,
  DashboardBuilder,
  DashboardCursorSync,
  DatasourceVariableBuilder,
  QueryVariableBuilder,
  VariableRefresh,
} from '@grafana/grafana-foundation-sdk/dashboard';
import { numbered, POSTGRES, sqlSeries, sqlTable, withRow } from './panels.ts';

/** The value of a variable, quoted as SQL does, whatever characters it has. */
const chosen = (variable: string): string => `\${${variable}:sqlstring}`;
const WORKFLOW = chosen('workflow');
const RUN = chosen('run');
const METRIC = chosen('metric');

/**
 * A view that is asked for one run after the other. Postgres lets a condition on a run reach the tables of a view, but not a join: that would compute the view
 * for every run that there is. `offset 0` keeps it from making a join of this.
 */
const perRun = (question: string): string => `lateral (\n  ${question}\n  offset 0\n)`;

/**
 * The times of a series, no two of them the same: of values of one series and one time Grafana keeps the last alone, and a cluster tells whole
 * seconds. Times are stored by the millisecond, so that a microsecond more meets no other.
 */
const distinctWithin = (series: string, time: string, order: string): string =>
  `${time} + interval '1 microsecond' * (row_number() over (partition by ${series}, ${time} order by ${order}) - 1)`;

/** What somebody looks at who wants to know which variant is best, and how that changes from run to run. */
export function resultsDashboard(): Dashboard {
  const dashboard = new DashboardBuilder('BatchTest results')
    .uid('batchtest-results')
    .description('The runs of a workflow and what they measured, from the views of the result store.')
    .tags(['batchtest'])
    .time({ from: 'now-90d', to: 'now' })
    .tooltip(DashboardCursorSync.Crosshair)
    .timezone('browser')
    .withVariable(
      new DatasourceVariableBuilder('datasource').label('Postgres').type('grafana-postgresql-datasource'),
    )
    .withVariable(
      variable(
        'workflow',
        'Workflow',
        'select distinct workflow_id from batchtest.runs where not deleting order by 1',
      ),
    )
    .withVariable(
      variable(
        'run',
        'Run',
        `select uid as __value, name || ' ' || to_char(started_at, 'YYYY-MM-DD HH24:MI') as __text
         from batchtest.runs where workflow_id = ${WORKFLOW} and not deleting order by started_at desc limit 200`,
      ),
    )
    .withVariable(
      variable(
        'metric',
        'Metric',
        `select name from batchtest.objective_metrics where run_uid = ${RUN}
         union select name from batchtest.metrics where run_uid = ${RUN} order by 1`,
      ),
    );
  run(dashboard);
  metric(dashboard);
  failures(dashboard);
  workflow(dashboard);
  return numbered(dashboard.build());
}

const variable = (name: string, label: string, query: string): QueryVariableBuilder =>
  new QueryVariableBuilder(name)
    .label(label)
    .datasource(POSTGRES)
    .query(query.replaceAll(/\s+/g, ' '))
    .refresh(VariableRefresh.OnTimeRangeChanged);

function run(dashboard: DashboardBuilder): void {
  withRow(dashboard, 'Run', [
    sqlTable(
      { title: 'Run', description: 'How it stands or ended.', width: 16 },
      `
select state, reason, message, total, succeeded, failed, cancelled, skipped, pending, started_at, finished_at
from batchtest.run_summary
where uid = ${RUN}`,
    ),
    sqlTable(
      {
        title: 'Best variant',
        description:
          'The one with the highest score; the report tells which others cannot be told apart from it.',
        width: 8,
      },
      `
select variant, score, parameters
from batchtest.best_variant
where run_uid = ${RUN}`,
    ),
    sqlTable(
      {
        title: 'Comparison matrix',
        description:
          'One row for each variant and metric, the best variant first. A variant with a failed trial has no score. goal is empty for a metric that does not decide.',
      },
      `
select rank, variant, score, metric, goal, weight, samples, mean, stddev, min, max
from batchtest.comparison_matrix
where run_uid = ${RUN}
order by variant is distinct from (select variant from batchtest.best_variant where run_uid = ${RUN}),
  rank nulls last, position, metric`,
    ),
  ]);
}

function metric(dashboard: DashboardBuilder): void {
  withRow(dashboard, 'Metric', [
    sqlTable(
      {
        title: '$metric per variant',
        description: 'How the accepted results of the run are spread.',
        width: 12,
      },
      `
select v.name as variant, count(*) as samples, min(m.value) as min,
  percentile_cont(0.25) within group (order by m.value) as p25,
  percentile_cont(0.5) within group (order by m.value) as median,
  percentile_cont(0.75) within group (order by m.value) as p75,
  percentile_cont(0.95) within group (order by m.value) as p95,
  max(m.value) as max
from batchtest.trials t
join batchtest.metrics m
  on m.run_uid = t.run_uid and m.variant_id = t.variant_id and m.repetition = t.repetition and m.attempt = t.accepted_attempt
join batchtest.variants v on v.run_uid = t.run_uid and v.variant_id = t.variant_id
where t.run_uid = ${RUN} and m.name = ${METRIC}
group by v.name, v.position
order by v.position`,
    ),
    sqlSeries(
      {
        title: '$metric of each trial',
        description:
          'When each accepted result was measured: a drift over the run shows here. The time range must include the run.',
        width: 12,
      },
      'Points',
      `
select ${distinctWithin('v.name', 'a.finished_at', 't.repetition')} as time, v.name as metric, m.value
from batchtest.trials t
join batchtest.attempts a
  on a.run_uid = t.run_uid and a.variant_id = t.variant_id and a.repetition = t.repetition and a.attempt = t.accepted_attempt
join batchtest.metrics m
  on m.run_uid = a.run_uid and m.variant_id = a.variant_id and m.repetition = a.repetition and m.attempt = a.attempt
join batchtest.variants v on v.run_uid = t.run_uid and v.variant_id = t.variant_id
where t.run_uid = ${RUN} and m.name = ${METRIC}
order by time`,
    ),
    sqlSeries(
      {
        title: 'Mean of $metric over the runs of $workflow',
        description: 'One series for each variant, one point for each run.',
      },
      'Lines',
      `
select r.started_at as time, v.name as metric, s.mean as value
from batchtest.runs r
cross join ${perRun(`select variant_id, mean from batchtest.metric_statistics where run_uid = r.uid and metric = ${METRIC}`)} s
join batchtest.variants v on v.run_uid = r.uid and v.variant_id = s.variant_id
where r.workflow_id = ${WORKFLOW} and $__timeFilter(r.started_at)
order by r.started_at`,
    ),
  ]);
}

function failures(dashboard: DashboardBuilder): void {
  withRow(dashboard, 'Failures', [
    sqlTable(
      {
        title: 'Failures by reason',
        description: 'Attempts of the run that did not succeed, those that were tried again included.',
        width: 8,
      },
      `
select a.outcome, a.reason, count(*) as attempts
from batchtest.attempts a
join batchtest.runs r on r.uid = a.run_uid and not r.deleting
where a.run_uid = ${RUN} and a.outcome <> 'Succeeded'
group by a.outcome, a.reason
order by attempts desc, a.outcome, a.reason`,
    ),
    sqlTable(
      {
        title: 'Failed attempts',
        description: 'The newest first. logs says where the output was kept.',
        width: 16,
      },
      `
select a.finished_at, v.name as variant, a.repetition, a.attempt, a.outcome, a.reason, a.exit_code, a.message, a.logs
from batchtest.attempts a
join batchtest.runs r on r.uid = a.run_uid and not r.deleting
join batchtest.variants v on v.run_uid = a.run_uid and v.variant_id = a.variant_id
where a.run_uid = ${RUN} and a.outcome <> 'Succeeded'
order by a.finished_at desc
limit 500`,
    ),
  ]);
}

function workflow(dashboard: DashboardBuilder): void {
  withRow(dashboard, 'Workflow', [
    sqlTable(
      { title: 'Runs of $workflow', description: 'The newest first.' },
      `
select s.started_at, s.name, s.namespace, s.engine, s.state, s.reason, s.total, s.succeeded, s.failed, b.variant as best, b.score,
  extract(epoch from s.finished_at - s.started_at) as seconds, s.uid
from (
  select uid, name, namespace, engine, state, reason, total, succeeded, failed, started_at, finished_at
  from batchtest.run_summary
  where workflow_id = ${WORKFLOW} and $__timeFilter(started_at)
  order by started_at desc
  limit 200
) s
left join ${perRun('select variant, score from batchtest.best_variant where run_uid = s.uid')} b on true
order by s.started_at desc`,
    ),
  ]);
}
