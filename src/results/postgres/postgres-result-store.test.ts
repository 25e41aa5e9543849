import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { aRun } from '../../../test/builders/run.ts';
import {
  type PostgresServer,
  query,
  startPostgresServer,
} from '../../../test/integration/postgres-server.ts';
import { describePushedResults } from '../pushed-results.testsuite.ts';
import { aRecord, describeResultStore } from '../result-store.testsuite.ts';
import { openPostgresResultStore } from './open-postgres-result-store.ts';

let server: PostgresServer;
beforeAll(async () => {
  server = await startPostgresServer();
});
afterAll(() => server?.stop());

describeResultStore('PostgresResultStore', async () => {
  const connection = await server.createDatabase();
  return { open: () => openPostgresResultStore({ connection }), dispose: () => Promise.resolve() };
});

describePushedResults('PostgresResultStore', async () => {
  const connection = await server.createDatabase();
  return { open: () => openPostgresResultStore({ connection }), dispose: () => Promise.resolve() };
});

describeResultStore('PostgresResultStore in a database with other defaults', async () => {
  const connection = await server.createDatabase();
  for (const setting of [
    `default_transaction_isolation = 'serializable'`,
    `datestyle = 'SQL, DMY'`,
    `timezone = 'Asia/Kathmandu'`,
    'extra_float_digits = 0',
    'synchronous_commit = off',
    'search_path = pg_catalog',
  ])
    await query(connection, `alter database ${connection.database} set ${setting}`);
  return {
    open: () => openPostgresResultStore({ connection, poolSize: 3 }),
    dispose: () => Promise.resolve(),
  };
});

describe('the tables of PostgresResultStore', () => {
  it('are in one schema, and each of them and each view says what it is', async () => {
    const connection = await server.createDatabase();
    await (await openPostgresResultStore({ connection })).close();
    const relations = await query<{ schema: string; name: string; comment: string | null }>(
      connection,
      `select n.nspname as schema, c.relname as name, obj_description(c.oid) as comment
       from pg_class c join pg_namespace n on n.oid = c.relnamespace
       where c.relkind in ('r', 'v') and n.nspname not in ('pg_catalog', 'information_schema')`,
    );
    expect(new Set(relations.map(({ schema }) => schema))).toEqual(new Set(['batchtest']));
    const undescribed = relations.filter(({ comment }) => comment === null).map(({ name }) => name);
    expect(undescribed.sort()).toEqual(['kysely_migration', 'kysely_migration_lock']);
  });

  it('hold the artifacts of a result, and announce it in its own transaction', async () => {
    const connection = await server.createDatabase();
    const store = await openPostgresResultStore({ connection });
    const run = aRun({ uid: randomUUID(), variants: 1 });
    const { fence } = await store.openRun(run);
    const artifacts = [
      { name: 'trace', uri: 's3://traces/1', sha256: 'ab'.repeat(32), size: 2 ** 40 },
      { name: "O'Brien\0", uri: 'file:///x' },
    ];
    await store.recordAttempt(
      aRecord(run, fence, { result: { metrics: new Map([['p95_ms', 1]]), artifacts, outputs: undefined } }),
    );
    await store.finishRun(run.uid, fence, {
      state: 'Complete',
      reason: 'AllTrialsSucceeded',
      message: 'done',
    });
    await store.close();

    expect(
      await query(
        connection,
        'select name, uri, sha256, size_bytes from batchtest.artifacts where run_uid = $1 order by position',
        [run.uid],
      ),
    ).toEqual([
      { name: 'trace', uri: 's3://traces/1', sha256: 'ab'.repeat(32), size_bytes: String(2 ** 40) },
      { name: "O'Brien\ufffd", uri: 'file:///x', sha256: null, size_bytes: null },
    ]);
    const first = { variantId: run.variants[0]?.id, repetition: 0, attempt: 1 };
    expect(
      await query(connection, 'select run_uid, kind, payload from batchtest.outbox order by id'),
    ).toEqual([
      { run_uid: run.uid, kind: 'FileTracked', payload: { ...first, position: 0 } },
      { run_uid: run.uid, kind: 'FileTracked', payload: { ...first, position: 1 } },
      {
        run_uid: run.uid,
        kind: 'ResultStored',
        payload: {
          variantId: run.variants[0]?.id,
          repetition: 0,
          attempt: 1,
          outcome: 'Succeeded',
          trialPhase: 'Succeeded',
        },
      },
      { run_uid: run.uid, kind: 'RunFinished', payload: { state: 'Complete', reason: 'AllTrialsSucceeded' } },
    ]);
  });

  it('lose a run with everything of it by deleting one row', async () => {
    const connection = await server.createDatabase();
    const store = await openPostgresResultStore({ connection });
    const [kept, deleted] = [aRun({ uid: randomUUID() }), aRun({ uid: randomUUID() })];
    for (const run of [kept, deleted]) {
      const { fence } = await store.openRun(run);
      await store.recordAttempt(aRecord(run, fence, {}));
    }
    await query(connection, 'delete from batchtest.runs where uid = $1', [deleted.uid]);
    expect(await store.loadRun(deleted.uid)).toBeUndefined();
    expect((await store.loadRun(kept.uid))?.trials.succeeded).toBe(1);
    await store.close();
    for (const table of ['objective_metrics', 'variants', 'trials', 'attempts', 'metrics'])
      expect(await query(connection, `select distinct run_uid from batchtest.${table}`), table).toEqual([
        { run_uid: kept.uid },
      ]);
  });
});
