import { randomBytes, randomUUID } from 'node:crypto';
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

it('takes a run for registered just now whose time is ahead of the clock of the database', async () => {
  const connection = await server.createDatabase();
  const store = await openPostgresResultStore({ connection });
  try {
    const run = aRun({ uid: randomUUID() });
    await store.openRun(run);
    await query(connection, `update batchtest.runs set started_at = now() + interval '1 hour'`);
    expect((await store.openRun(run)).registeredMsAgo).toBe(0);
  } finally {
    await store.close();
  }
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

  it('hold the artifacts of a result that is taken over as those of the one that was measured', async () => {
    const connection = await server.createDatabase();
    const store = await openPostgresResultStore({ connection });
    const measured = aRun({ uid: randomUUID(), variants: 1 });
    const { fence } = await store.openRun(measured);
    const artifacts = [
      { name: 'trace', uri: 's3://traces/1', sha256: 'ab'.repeat(32), size: 3, mediaType: 'text/html' },
      { name: 'profile', uri: 's3://traces/2' },
    ];
    await store.recordAttempt(
      aRecord(measured, fence, {
        result: { metrics: new Map([['p95_ms', 1]]), artifacts, outputs: undefined },
      }),
    );
    const reusing = aRun({ uid: randomUUID(), variants: 1, spec: { reusePolicy: 'Succeeded' } });
    expect((await store.openRun(reusing)).trials).toMatchObject([{ reusedFrom: measured.uid }]);
    await store.close();

    const artifactsOf = ({ uid }: typeof measured) =>
      query(
        connection,
        'select position, name, uri, sha256, size_bytes, media_type from batchtest.artifacts where run_uid = $1 order by position',
        [uid],
      );
    const [trace] = await artifactsOf(measured);
    expect(trace).toMatchObject({ sha256: 'ab'.repeat(32), size_bytes: '3', media_type: 'text/html' });
    expect(await artifactsOf(reusing)).toEqual(await artifactsOf(measured));
  });

  it('are asked for the runs that are due as often for many as for few', async () => {
    const connection = await server.createDatabase();
    await query(connection, `alter database ${connection.database} set track_functions = 'pl'`);
    const pruneEnded = async (count: number): Promise<number> => {
      const store = await openPostgresResultStore({ connection });
      for (let number = 0; number < count; number += 1) {
        const run = aRun({ uid: randomUUID() });
        const { fence } = await store.openRun(run);
        await store.finishRun(run.uid, fence, {
          state: 'Cancelled',
          reason: 'CancelRequested',
          message: 'cancelled',
        });
      }
      const pruned = await store.pruneRuns({
        endedBefore: new Date(Date.now() + 60_000),
        workflowId: undefined,
        keep: 0,
        dryRun: false,
      });
      // A session tells of its calls when it ends.
      await store.close();
      return pruned.length;
    };
    const timesAsked = async (): Promise<number> => {
      const [row] = await query<{ calls: string }>(
        connection,
        `select calls from pg_stat_user_functions where funcname = 'prune_runs'`,
      );
      return Number(row?.calls ?? 0);
    };

    expect(await pruneEnded(1)).toBe(1);
    await expect.poll(timesAsked).toBeGreaterThan(0);
    const asked = await timesAsked();
    expect(await pruneEnded(5)).toBe(5);
    await expect.poll(timesAsked).toBe(2 * asked);
  });

  it('keep large outputs of what is taken over with the run that measured it alone', async () => {
    const connection = await server.createDatabase();
    const store = await openPostgresResultStore({ connection });
    const spec = { workflowId: randomUUID(), reusePolicy: 'Succeeded' } as const;
    const [before, after] = [
      aRun({ uid: randomUUID(), variants: 2, spec }),
      aRun({ uid: randomUUID(), variants: 2, spec }),
    ];
    const { fence } = await store.openRun(before);
    const large = { noise: randomBytes(2 ** 20).toString('base64') };
    for (const [trial, outputs] of [{ seen: true }, large].entries())
      await store.recordAttempt(
        aRecord(before, fence, {
          trial,
          result: { metrics: new Map([['p95_ms', 1]]), artifacts: [], outputs },
        }),
      );
    await store.openRun(after);
    const loaded = await store.loadRun(after.uid);
    expect(loaded?.trials).toMatchObject({ succeeded: 2, reused: 2 });
    expect(loaded?.trialDetails.map(({ outputs }) => outputs)).toEqual([{ seen: true }, undefined]);
    await store.close();
    const kept = await query(
      connection,
      `select t.run_uid, a.outputs is not null as kept from batchtest.attempts a join batchtest.trials t using (run_uid, variant_id, repetition)
       where t.position = 1 order by a.outputs is null`,
    );
    expect(kept).toEqual([
      { run_uid: before.uid, kept: true },
      { run_uid: after.uid, kept: false },
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
