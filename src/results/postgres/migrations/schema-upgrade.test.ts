/** A database that another version of batchtest has migrated: an earlier one, or a later one. */
import { randomUUID } from 'node:crypto';
import { type Migration, sql } from 'kysely';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { aRun } from '../../../../test/builders/run.ts';
import { aDatabaseOfRoles } from '../../../../test/integration/database-roles.ts';
import {
  type Connection,
  type PostgresServer,
  query,
  startPostgresServer,
} from '../../../../test/integration/postgres-server.ts';
import { aRecord } from '../../result-store.testsuite.ts';
import { SchemaTooNewError } from '../../result-store.ts';
import { withMigrationPool } from '../migrate-database.ts';
import { openPostgresResultStore } from '../open-postgres-result-store.ts';
import { migrate } from './migrate.ts';
import { migrations } from './migrations.ts';

let server: PostgresServer;
beforeAll(async () => {
  server = await startPostgresServer();
});
afterAll(() => server?.stop());

const NAMES = Object.keys(migrations);

/** As a version did whose last migration was this one. */
const migrateTo = (connection: Connection, last: string): Promise<unknown> =>
  withMigrationPool(connection, (pool) =>
    migrate(pool, Object.fromEntries(Object.entries(migrations).filter(([name]) => name <= last))),
  );

/** A run of two variants, one of which has succeeded, stored as rows: its functions are those of its version. */
async function aRunUnderWay(connection: Connection): Promise<ReturnType<typeof aRun>> {
  const run = aRun({ uid: randomUUID(), variants: 2 });
  const [first] = run.trials;
  const id = first?.variant.id;
  await query(
    connection,
    `insert into batchtest.runs (uid, name, namespace, workflow_id, engine, manifest, seed) values ($1, $2, $3, $4, 'kubernetes', $5, 1)`,
    [run.uid, run.name, run.namespace, run.workflowId, JSON.stringify(run.manifest)],
  );
  await query(
    connection,
    `insert into batchtest.objective_metrics (run_uid, position, name, goal, weight) values ($1, 0, 'p95_ms', 'minimize', 1)`,
    [run.uid],
  );
  for (const [position, { variant, repetition }] of run.trials.entries()) {
    await query(connection, 'insert into batchtest.variants values ($1, $2, $3, $4, $5)', [
      ...[run.uid, variant.id, position, variant.name, JSON.stringify(variant.parameters)],
    ]);
    await query(
      connection,
      'insert into batchtest.trials (run_uid, variant_id, repetition, position) values ($1, $2, $3, $4)',
      [run.uid, variant.id, repetition, position],
    );
  }
  await query(
    connection,
    `insert into batchtest.attempts (run_uid, variant_id, repetition, attempt, name, outcome, reason, message, finished_at)
     values ($1, $2, 0, 1, 'job-1', 'Succeeded', 'Completed', 'done', now())`,
    [run.uid, id],
  );
  await query(connection, `insert into batchtest.metrics values ($1, $2, 0, 1, 'p95_ms', 41.2)`, [
    run.uid,
    id,
  ]);
  await query(
    connection,
    `update batchtest.trials set phase = 'Succeeded', recorded_attempts = 1, last_outcome = 'Succeeded', accepted_attempt = 1
     where run_uid = $1 and variant_id = $2`,
    [run.uid, id],
  );
  return run;
}

describe('a database of an earlier version', () => {
  it.each(NAMES.slice(0, -1))(
    'that ended with %s is brought up to date, and its run goes on',
    async (last) => {
      const connection = await server.createDatabase();
      await migrateTo(connection, last);
      const run = await aRunUnderWay(connection);

      const store = await openPostgresResultStore({ connection });
      try {
        const { fence, trials } = await store.openRun(run);
        expect(trials).toMatchObject([
          { phase: 'Succeeded', metrics: new Map([['p95_ms', 41.2]]) },
          { phase: 'Pending', recordedAttempts: 0 },
        ]);
        expect(await store.recordAttempt(aRecord(run, fence, { trial: 1 }))).toEqual({ kind: 'Recorded' });
        expect(await store.loadRun(run.uid)).toMatchObject({ trials: { succeeded: 2, pending: 0 } });
      } finally {
        await store.close();
      }
      const applied = await query<{ name: string }>(
        connection,
        'select name from batchtest.kysely_migration order by name',
      );
      expect(applied.map(({ name }) => name)).toEqual(NAMES);
    },
  );

  it('is left as it is by a role that may not change it, which says what is missing and what to run', async () => {
    const { migrator, writer } = await aDatabaseOfRoles(server);
    await migrateTo(migrator, NAMES.at(-2) ?? '');
    await query(migrator, `grant usage on schema batchtest to "${writer.user}"`);
    await query(migrator, `grant select on batchtest.kysely_migration to "${writer.user}"`);
    await expect(openPostgresResultStore({ connection: writer })).rejects.toMatchObject({
      reason: 'SchemaOlder',
      message: expect.stringMatching(new RegExp(`lacks ${NAMES.at(-1)}, .* Run "batchtest migrate"`)),
    });
  });
});

it.each(['run_summary', 'variant_scores', 'comparison_matrix', 'best_variant'])(
  'a migration waits for who reads, and is not in a circle with who reads %s meanwhile',
  async (view) => {
    const connection = await server.createDatabase();
    await migrateTo(connection, '0009-precise-ranks');
    const reader = new pg.Client(connection);
    await reader.connect();
    const waiting = async () => {
      const [row] = await query<{ sessions: number }>(
        connection,
        `select count(*)::int as sessions from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
      );
      return row?.sessions;
    };
    try {
      await reader.query('begin');
      await reader.query('select from batchtest.runs');
      const migrating = withMigrationPool(connection, (pool) => migrate(pool));
      await expect.poll(waiting, { timeout: 10_000 }).toBe(1);
      const reading = query(connection, `select from batchtest.${view}`);
      await expect.poll(waiting, { timeout: 10_000 }).toBe(2);
      await reader.query('commit');
      expect(await Promise.allSettled([migrating, reading])).toMatchObject([
        { status: 'fulfilled' },
        { status: 'fulfilled' },
      ]);
    } finally {
      await reader.end();
    }
  },
);

it('a process of the version before goes on, which gives less to functions that take more now', async () => {
  const connection = await server.createDatabase();
  const store = await openPostgresResultStore({ connection });
  const run = aRun({ uid: randomUUID(), namespace: 'here' });
  const { fence } = await store.openRun(run);
  await store.recordAttempt(aRecord(run, fence, {}));
  await store.finishRun(run.uid, fence, { state: 'Cancelled', reason: 'CancelRequested', message: '' });
  await store.close();
  const claim = `select kind from batchtest.claim_messages('kubernetes', null, '{ResultStored}', 10, interval '1 minute')`;
  expect(await query(connection, claim)).toEqual([{ kind: 'ResultStored' }]);
  const prune = `select uid from batchtest.prune_runs('infinity', null, 0, false)`;
  expect(await query(connection, prune)).toEqual([{ uid: run.uid }]);
  expect(await query(connection, 'select uid from batchtest.runs')).toEqual([]);
});

it('a database of a later version is refused, with the name of what is not known, and left as it is', async () => {
  const connection = await server.createDatabase();
  await (await openPostgresResultStore({ connection })).close();
  await query(
    connection,
    `insert into batchtest.kysely_migration (name, timestamp) values ('0999-later', 'now')`,
  );
  const refusal = openPostgresResultStore({ connection });
  await expect(refusal).rejects.toThrow(SchemaTooNewError);
  await expect(refusal).rejects.toThrow('0999-later');
});

it('migrations are applied all or none', async () => {
  const connection = await server.createDatabase();
  const broken: Migration = {
    up: async (db) => {
      await sql`select 1 / 0`.execute(db);
    },
  };
  const refused = withMigrationPool(connection, (pool) =>
    migrate(pool, { ...migrations, '0999-broken': broken }),
  );
  await expect(refused).rejects.toThrow('division by zero');
  expect(await query(connection, 'select from batchtest.kysely_migration')).toEqual([]);
  await (await openPostgresResultStore({ connection })).close();
});

it('a migration is cut off by no timeout of a statement or a transaction, whatever the database or its user have', async () => {
  const connection = await server.createDatabase();
  await query(connection, `alter database ${connection.database} set statement_timeout = 50`);
  await query(connection, `alter database ${connection.database} set transaction_timeout = 500`);
  const slow: Migration = {
    up: async (db) => {
      await sql`select pg_sleep(1)`.execute(db);
    },
  };
  const applied = await withMigrationPool(connection, (pool) => migrate(pool, { '0001-slow': slow }));
  expect(applied).toEqual(['0001-slow']);
});
