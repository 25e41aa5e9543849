/** Each query of the dashboards, asked of a real Prometheus and a real Postgres after real runs. */
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { afterAll, beforeAll, expect, inject, it, onTestFinished } from 'vitest';
import { migrateDatabase } from '../../src/results/postgres/migrate-database.ts';
import { openPostgresResultStore } from '../../src/results/postgres/open-postgres-result-store.ts';
import { aRecord } from '../../src/results/result-store.testsuite.ts';
import { aRun } from '../builders/run.ts';
import { type PrometheusServer, startPrometheus } from '../tools/prometheus-server.ts';
import { withPlay } from './kubernetes-world.ts';
import {
  aBatchTest,
  ENDS_SOON,
  measured,
  type OperatorSite,
  type OperatorWorld,
  openOperatorSite,
} from './operator-world.ts';
import { type Connection, query, startPostgresServer } from './postgres-server.ts';

let site: OperatorSite;
beforeAll(async () => {
  site = await openOperatorSite(inject('controlPlane'));
});
afterAll(() => site?.close());

const file = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));

interface Panel {
  readonly title?: string;
  readonly type: string;
  readonly datasource?: { readonly type: string; readonly uid: string };
  readonly targets?: readonly {
    readonly expr?: string;
    readonly rawSql?: string;
    readonly format?: string;
  }[];
}

interface Variable {
  readonly name: string;
  readonly type: string;
  readonly query: string;
  /** What Grafana puts in the place of all values. */
  readonly allValue?: string;
}

interface Dashboard {
  readonly panels: readonly Panel[];
  readonly templating: {
    readonly list: readonly Variable[];
  };
  readonly annotations: { readonly list: readonly { readonly expr: string }[] };
}

const dashboard = (name: string): Dashboard =>
  JSON.parse(readFileSync(file(`dashboards/${name}.json`), 'utf8'));

/** Runs of every kind that the panels tell of, of which one is still waiting for a node at the end. */
async function playRuns(world: OperatorWorld): Promise<{ readonly uid: string; readonly workflow: string }> {
  const workflow = "it's the nightly one";
  const spec = { workflowId: workflow };
  const container = { name: 'test', image: 'test:1' };
  const nowhere = withPlay(
    { spec: { containers: [container], nodeSelector: { place: 'nowhere' } } },
    ENDS_SOON,
  );
  await world.create(
    aBatchTest({ name: 'waiting', variants: 2, parallelism: 1, pod: ENDS_SOON, spec: { template: nowhere } }),
  );
  const failing = await world.create(
    aBatchTest({
      name: 'failing',
      variants: 2,
      parallelism: 1,
      pod: { ...ENDS_SOON, exitCode: 3 },
      spec: {
        ...spec,
        retryPolicy: { limit: 1, outcomes: ['TestFailed'], backoffSeconds: 0, maxBackoffSeconds: 1 },
      },
    }),
  );
  const cancelled = await world.create(
    aBatchTest({ name: 'cancelled', variants: 2, parallelism: 1, pod: { runMs: 600_000 } }),
  );
  const good = await world.create(
    aBatchTest({
      name: 'good',
      variants: ['lru', "o'hara"],
      repetitions: 6,
      parallelism: 2,
      pod: { runMs: 1_000, message: measured(2) },
      spec,
    }),
  );
  await world.cluster.request('PATCH', world.path('cancelled'), { spec: { cancel: true } });
  await Promise.all([
    world.untilCondition(failing, 'Failed'),
    world.untilCondition(cancelled, 'Cancelled'),
    world.untilCondition(good, 'Complete'),
  ]);
  return { uid: good, workflow };
}

/** What Grafana puts in the place of each variable of which all values are chosen. */
async function allValues(
  prometheus: PrometheusServer,
  variables: readonly Variable[],
): Promise<ReadonlyMap<string, string>> {
  const texts = new Map<string, string>();
  for (const { name, type, query: text, allValue } of variables) {
    if (type !== 'query') continue;
    const [, metric = '', label = ''] = /^label_values\((\w+), (\w+)\)$/.exec(text) ?? [];
    const values = await prometheus.labelValues(label, metric);
    expect(values, text).not.toEqual([]);
    const escaped = values.map((value) => value.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\\$&`));
    texts.set(name, allValue ?? `(${escaped.join('|')})`);
  }
  return texts;
}

const asPrometheusSeesIt = (expr: string, variables: ReadonlyMap<string, string>): string =>
  expr
    .replaceAll('$__rate_interval', '30s')
    .replaceAll(/\$(\w+)/g, (variable, name: string) => variables.get(name) ?? variable);

const asPostgresSeesIt = (sql: string, variables: Readonly<Record<string, string>>): string =>
  sql
    .replaceAll(
      /\$\{(\w+):sqlstring\}/g,
      (_, name: string) => `'${(variables[name] ?? '').replaceAll("'", "''")}'`,
    )
    .replaceAll(
      /\$__timeFilter\(([^)]*)\)/g,
      "$1 between now() - interval '1 day' and now() + interval '1 day'",
    );

async function hasData(prometheus: PrometheusServer, expr: string): Promise<boolean> {
  const series = await prometheus.range(expr);
  return series.some(({ values }) => values.some(([, value]) => Number.isFinite(Number(value))));
}

it('have data in every panel after runs that went well, failed, waited and were cancelled', async () => {
  const world = await site.aWorld('dashboards');
  const operator = await world.startOperator({ elects: true, options: ['--metrics-port', '0'] });
  const { metricsPort } = await operator.untilLogged(
    'it has started',
    ({ msg }) => msg === 'operator started',
  );
  const prometheus = await startPrometheus(`127.0.0.1:${metricsPort}`, file('alerts/batchtest.rules.yaml'));
  onTestFinished(() => prometheus.stop());
  const { uid, workflow } = await playRuns(world);

  const { panels, templating, annotations } = dashboard('batchtest-operator');
  const variables = await allValues(prometheus, templating.list);
  const expressions = panels.flatMap(({ title, targets = [] }) =>
    targets.map(({ expr = '' }) => ({ title, expr: asPrometheusSeesIt(expr, variables) })),
  );
  expect(expressions.length).toBeGreaterThan(40);
  const withoutData = async () => {
    const answers = await Promise.all(
      expressions.map(async (one) => ((await hasData(prometheus, one.expr)) ? [] : [one])),
    );
    return answers.flat();
  };
  await expect.poll(withoutData, { timeout: 60_000, interval: 2_000 }).toEqual([]);
  const notes = annotations.list.map(({ expr }) => asPrometheusSeesIt(expr, variables));
  for (const expr of notes) await prometheus.range(expr);
  await checkOperatorsAlone(prometheus, [...expressions.map(({ expr }) => expr), ...notes]);
  expect(await prometheus.labelValues('namespace', 'batchtest_attempts_total')).toEqual([world.namespace]);
  // Pending at the most: nothing of this lasts for ten minutes.
  const alerts = await prometheus.alerts();
  expect(
    alerts.filter((name) => name !== 'BatchTestPodsNotStarting' && name !== 'BatchTestSlotsIdle'),
  ).toEqual([]);

  await checkResults(world, { run: uid, workflow, metric: 'x' });
}, 180_000);

/** Of what Prometheus scrapes besides, which has metrics of some of these names, nothing is counted. */
async function checkOperatorsAlone(
  prometheus: PrometheusServer,
  expressions: readonly string[],
): Promise<void> {
  const jobsOf = async (selector: string) =>
    (await prometheus.range(`group by (job) (${selector})`)).map(({ metric }) => metric.job).sort();
  expect(await jobsOf('process_cpu_seconds_total')).toEqual(['batchtest', 'prometheus']);
  const selectors = new Set(expressions.flatMap((expr) => expr.match(/\w+\{[^}]*\}/g) ?? []));
  expect(selectors.size).toBeGreaterThan(30);
  for (const selector of selectors) expect(await jobsOf(selector), selector).toEqual(['batchtest']);
}

/** A user with the rights that `batchtest migrate --grant-read` gives, and no others. */
async function aReader({ connection }: OperatorWorld): Promise<Connection> {
  await query(connection, 'create role grafana login');
  await migrateDatabase(connection, { write: [], read: ['grafana'] });
  return { ...connection, user: 'grafana' };
}

async function checkResults(
  world: OperatorWorld,
  variables: Readonly<Record<string, string>>,
): Promise<void> {
  const { panels, templating } = dashboard('batchtest-results');
  const connection = await aReader(world);
  const [failed] = await query<{ readonly uid: string }>(
    world.connection,
    `select uid from batchtest.runs where name = 'failing'`,
  );
  const statements = panels.flatMap(({ title = '', targets = [] }) =>
    targets.map(({ rawSql = '', format }) => ({ title, rawSql, format })),
  );
  expect(statements.length).toBeGreaterThan(7);
  for (const { title, rawSql, format } of statements) {
    // A run that went well has no failures to tell of.
    const chosen = title.startsWith('Fail') ? { ...variables, run: failed?.uid ?? '' } : variables;
    const rows = await query<Record<string, unknown>>(connection, asPostgresSeesIt(rawSql, chosen));
    expect(rows, title).not.toEqual([]);
    if (format !== 'time_series') continue;
    expect(rows[0]?.time, title).toBeInstanceOf(Date);
    expect(typeof rows[0]?.metric, title).toBe('string');
    expect(typeof rows[0]?.value, title).toBe('number');
  }
  for (const { name, type, query: text } of templating.list) {
    if (type !== 'query') continue;
    const rows = await query<Record<string, unknown>>(connection, asPostgresSeesIt(text, variables));
    expect(rows.flatMap(Object.values), name).toContain(variables[name]);
  }
}

it('name a data source that is chosen in the dashboard, in every panel', () => {
  for (const [name, type] of [
    ['batchtest-operator', 'prometheus'],
    ['batchtest-results', 'grafana-postgresql-datasource'],
  ] as const) {
    const { panels } = dashboard(name);
    for (const panel of panels.filter(({ type: kind }) => kind !== 'row'))
      expect(panel.datasource, panel.title).toEqual({ type, uid: `\${datasource}` });
  }
});

/** Runs of a workflow; of each, what its variants a and b measured. */
async function storeRuns(
  connection: Connection,
  workflowId: string,
  runs: readonly (readonly number[])[],
): Promise<void> {
  const store = await openPostgresResultStore({ connection });
  for (const values of runs) {
    const run = aRun({ uid: randomUUID(), variants: 2, spec: { workflowId } });
    const { fence } = await store.openRun(run);
    for (const [trial, value] of values.entries()) {
      const result = { metrics: new Map([['p95_ms', value]]), artifacts: [], outputs: undefined };
      await store.recordAttempt(aRecord(run, fence, { trial, result }));
    }
  }
  await store.close();
}

/** What a statement answers, and how many means it takes for that: a view computes one for each variant and metric of a run. */
async function withMeans(
  connection: Connection,
  statement: string,
): Promise<{ readonly rows: readonly Record<string, unknown>[]; readonly means: number }> {
  const client = new pg.Client(connection);
  await client.connect();
  try {
    await client.query(`set track_functions = 'pl'`);
    await client.query('begin');
    const { rows } = await client.query<Record<string, unknown>>(statement);
    const counted = await client.query<{ calls: number }>(
      `select coalesce(sum(calls), 0)::int as calls from pg_stat_xact_user_functions where funcname = 'mean'`,
    );
    return { rows, means: counted.rows[0]?.calls ?? 0 };
  } finally {
    await client.end();
  }
}

it('compute nothing of runs of other workflows, however many there are', async () => {
  const postgres = await startPostgresServer();
  onTestFinished(() => postgres.stop());
  const connection = await postgres.createDatabase();
  const others = 50;
  await storeRuns(connection, 'chosen', [[1, 2], [], [4, 3]]);
  await storeRuns(
    connection,
    'other',
    Array.from({ length: others }, () => [1, 2]),
  );
  const { panels } = dashboard('batchtest-results');
  const answered = (title: string) => {
    const rawSql = panels.find((panel) => panel.title === title)?.targets?.[0]?.rawSql ?? '';
    return withMeans(connection, asPostgresSeesIt(rawSql, { workflow: 'chosen', metric: 'p95_ms' }));
  };

  const runs = await answered('Runs of $workflow');
  expect(runs.rows.map(({ best, score }) => [best, score])).toEqual([
    ['b', 1],
    [null, null],
    ['a', 1],
  ]);
  const series = await answered('Mean of $metric over the runs of $workflow');
  expect(series.rows.map(({ metric, value }) => `${metric} ${value}`).sort()).toEqual([
    'a 1',
    'a 4',
    'b 2',
    'b 3',
  ]);
  for (const { means } of [runs, series]) {
    expect(means).toBeGreaterThan(0);
    expect(means).toBeLessThan(others);
  }
});

it('have one value for each series and time, of which Grafana keeps no more', async () => {
  const postgres = await startPostgresServer();
  onTestFinished(() => postgres.stop());
  const connection = await postgres.createDatabase();
  const store = await openPostgresResultStore({ connection });
  const run = aRun({ uid: randomUUID(), variants: 2, repetitions: 5, spec: { workflowId: 'only' } });
  const { fence } = await store.openRun(run);
  for (const trial of run.trials.keys()) {
    const result = { metrics: new Map([['p95_ms', trial]]), artifacts: [], outputs: undefined };
    const ends = aRecord(run, fence, { trial, result });
    // The last ones within the next millisecond, as on one machine; the others in the same one.
    const finishedAt = new Date(ends.finishedAt.getTime() + (trial < 6 ? 0 : 1));
    await store.recordAttempt({ ...ends, finishedAt });
  }
  await store.close();
  const { panels } = dashboard('batchtest-results');
  const series = panels.flatMap(({ title, targets = [] }) =>
    targets.flatMap(({ rawSql = '', format }) => (format === 'time_series' ? [{ title, rawSql }] : [])),
  );
  const points = new Map<string | undefined, readonly number[]>();
  for (const { title, rawSql } of series) {
    const statement = asPostgresSeesIt(rawSql, { workflow: 'only', run: run.uid, metric: 'p95_ms' });
    const rows = await query<{ time: string; metric: string; value: number }>(
      connection,
      `select s.time::text, s.metric, s.value from (${statement}) s`,
    );
    expect(new Set(rows.map(({ time, metric }) => `${metric} ${time}`)).size, title).toBe(rows.length);
    expect(
      rows.map(({ time }) => time),
      title,
    ).toEqual(rows.map(({ time }) => time).sort());
    points.set(
      title,
      rows.map(({ value }) => value),
    );
  }
  expect(points.get('$metric of each trial')?.toSorted((one, other) => one - other)).toEqual([
    ...run.trials.keys(),
  ]);
}, 60_000);

it('have the best variant first in the matrix, also where a tie-break makes it that', async () => {
  const postgres = await startPostgresServer();
  onTestFinished(() => postgres.stop());
  const connection = await postgres.createDatabase();
  const store = await openPostgresResultStore({ connection });
  // Each is best on one of two metrics.
  const run = aRun({
    uid: randomUUID(),
    variants: 2,
    metrics: [
      { name: 'x', goal: 'minimize', weight: '1' },
      { name: 'y', goal: 'maximize', weight: '1' },
    ],
    spec: { comparison: { tieBreak: ['y'] } },
  });
  const { fence } = await store.openRun(run);
  const { panels } = dashboard('batchtest-results');
  const variants = async (title: string) => {
    const rawSql = panels.find((panel) => panel.title === title)?.targets?.[0]?.rawSql ?? '';
    const rows = await query<{ variant: string }>(connection, asPostgresSeesIt(rawSql, { run: run.uid }));
    return rows.map(({ variant }) => variant);
  };
  // Without a best one they are in the order of the manifest.
  expect(await variants('Best variant')).toEqual([]);
  expect(await variants('Comparison matrix')).toEqual(['a', 'b']);
  for (const [trial, value] of [1, 2].entries()) {
    const metrics = new Map([
      ['x', value],
      ['y', value],
    ]);
    const result = { metrics, artifacts: [], outputs: undefined };
    await store.recordAttempt(aRecord(run, fence, { trial, result }));
  }
  await store.close();
  expect(await variants('Best variant')).toEqual(['b']);
  expect(await variants('Comparison matrix')).toEqual(['b', 'b', 'a', 'a']);
}, 60_000);

it('offer and show nothing of a run whose deletion has begun', async () => {
  const postgres = await startPostgresServer();
  onTestFinished(() => postgres.stop());
  const connection = await postgres.createDatabase();
  const store = await openPostgresResultStore({ connection });
  const run = aRun({ uid: randomUUID(), variants: 2, spec: { workflowId: 'only' } });
  const { fence } = await store.openRun(run);
  await store.recordAttempt(aRecord(run, fence, {}));
  await store.recordAttempt(aRecord(run, fence, { trial: 1, outcome: 'TestFailed', trialPhase: 'Failed' }));
  await store.close();
  const { panels, templating } = dashboard('batchtest-results');
  const variables = { workflow: 'only', run: run.uid, metric: 'p95_ms' };
  const statements = [
    ...panels.flatMap(({ targets = [] }) => targets.map(({ rawSql = '' }) => rawSql)),
    ...templating.list.flatMap(({ name, query: text }) => (['workflow', 'run'].includes(name) ? [text] : [])),
  ].map((text) => asPostgresSeesIt(text, variables));
  const withRows = async () => {
    const answers = await Promise.all(
      statements.map(async (one) => ((await query(connection, one)).length > 0 ? [one] : [])),
    );
    return answers.flat();
  };
  expect(await withRows()).toEqual(statements);
  expect(await query(connection, 'select verdict from batchtest.delete_run_part($1, 1)', [run.uid])).toEqual([
    { verdict: 'Partly' },
  ]);
  expect(await withRows()).toEqual([]);
});
