/** What each role of a database may do once `batchtest migrate` has been run, and what everybody is told who may not. */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { aRun } from '../../../test/builders/run.ts';
import { aDatabaseOfRoles, type DatabaseOfRoles } from '../../../test/integration/database-roles.ts';
import {
  type Connection,
  type PostgresServer,
  query,
  startPostgresServer,
} from '../../../test/integration/postgres-server.ts';
import { describePushedResults } from '../pushed-results.testsuite.ts';
import { aRecord, describeResultStore } from '../result-store.testsuite.ts';
import { migrateDatabase } from './migrate-database.ts';
import { openPostgresResultStore } from './open-postgres-result-store.ts';

let server: PostgresServer;
beforeAll(async () => {
  server = await startPostgresServer();
});
afterAll(() => server?.stop());

/** A database whose roles have been granted their rights. */
async function aGrantedDatabase(): Promise<DatabaseOfRoles> {
  const roles = await aDatabaseOfRoles(server);
  await migrateDatabase(roles.migrator, { write: [roles.writer.user], read: [roles.reader.user] });
  return roles;
}

const asWriter = async () => {
  const { writer } = await aGrantedDatabase();
  return { open: () => openPostgresResultStore({ connection: writer }), dispose: () => Promise.resolve() };
};
// Whatever a store promises, it does with the rights of a role that writes.
describeResultStore('PostgresResultStore of a role that writes', asWriter);
describePushedResults('PostgresResultStore of a role that writes', asWriter);

const refusals = async (
  connection: Connection,
  statements: readonly string[],
): Promise<readonly string[]> => {
  const answers: string[] = [];
  for (const statement of statements)
    answers.push(await query(connection, statement).then(() => `${statement}: done`, String));
  return answers.filter((answer) => !/permission denied|must be owner|cannot delete from view/.test(answer));
};

const relationsOf = async (connection: Connection): Promise<readonly string[]> => {
  const rows = await query<{ name: string }>(
    connection,
    `select relname as name from pg_class where relnamespace = 'batchtest'::regnamespace and relkind in ('r', 'v') order by 1`,
  );
  return rows.map(({ name }) => name);
};

const CHANGES_OF_THE_SCHEMA = [
  'create table batchtest.mine (id integer)',
  'alter table batchtest.runs add column mine integer',
  'create index on batchtest.runs (name)',
  'drop view batchtest.run_summary',
  'truncate batchtest.metrics',
  'create or replace function batchtest.run_lock(run_uid text) returns bigint language sql as $$ select 1 $$',
  `insert into batchtest.kysely_migration (name, timestamp) values ('0999-mine', 'now')`,
  'delete from batchtest.kysely_migration',
  `update batchtest.kysely_migration_lock set is_locked = 1`,
];

describe('a role that writes', () => {
  it('can change no table, view or function, and no record of the migrations', async () => {
    const { writer } = await aGrantedDatabase();
    expect(await refusals(writer, CHANGES_OF_THE_SCHEMA)).toEqual([]);
  });

  it('becomes one that reads when it is granted that instead', async () => {
    const { migrator, writer } = await aGrantedDatabase();
    await query(writer, 'delete from batchtest.runs');
    await migrateDatabase(migrator, { write: [], read: [writer.user] });
    await query(writer, 'select from batchtest.runs');
    expect(
      await refusals(writer, ['delete from batchtest.runs', 'select payload from batchtest.outbox']),
    ).toEqual([]);
  });
});

describe('a role that reads', () => {
  it('sees every table and view but what is on its way, and changes nothing', async () => {
    const { writer, reader } = await aGrantedDatabase();
    const run = aRun({ uid: randomUUID(), variants: 1 });
    const store = await openPostgresResultStore({ connection: writer });
    const { fence } = await store.openRun(run);
    await store.recordAttempt(aRecord(run, fence, {}));
    await store.close();

    const relations = await relationsOf(reader);
    const hidden: string[] = [];
    for (const name of relations)
      await query(reader, `select * from batchtest.${name}`).catch(() => hidden.push(name));
    expect(hidden).toEqual(['outbox', 'pushed_results']);
    expect(
      await refusals(reader, [
        ...CHANGES_OF_THE_SCHEMA,
        ...relations.map((name) => `delete from batchtest.${name}`),
        'select payload from batchtest.outbox',
        'select last_error from batchtest.outbox',
        `select batchtest.request_cancel('${run.uid}')`,
        `select batchtest.prune_runs('infinity', null, 0, false)`,
        `select batchtest.delete_runs('{}')`,
        `select batchtest.delete_run_part('x', 1)`,
      ]),
    ).toEqual([]);
  });

  it('can list and report runs with the command line’s own store', async () => {
    const { writer, reader } = await aGrantedDatabase();
    const run = aRun({ uid: randomUUID(), variants: 1 });
    const written = await openPostgresResultStore({ connection: writer });
    const { fence } = await written.openRun(run);
    await written.recordAttempt(aRecord(run, fence, {}));
    await written.close();

    const store = await openPostgresResultStore({ connection: reader });
    try {
      expect(await store.listRuns({ limit: 5 })).toMatchObject([{ uid: run.uid }]);
      expect(await store.loadRun(run.uid)).toMatchObject({ trials: { succeeded: 1 } });
      await expect(store.recordAttempt(aRecord(run, fence, {}))).rejects.toMatchObject({
        reason: 'PermissionDenied',
      });
    } finally {
      await store.close();
    }
  });
});

it('both keep their rights in what a later migration makes', async () => {
  const { migrator, writer, reader } = await aGrantedDatabase();
  await query(migrator, 'create table batchtest.later (id bigint generated always as identity, x integer)');
  await query(migrator, 'create view batchtest.later_view as select x from batchtest.later');
  await query(writer, 'insert into batchtest.later (x) values (1)');
  expect(await query(reader, 'select x from batchtest.later_view')).toEqual([{ x: 1 }]);
  expect(await refusals(reader, ['insert into batchtest.later (x) values (2)'])).toEqual([]);
});

describe('a store is not opened', () => {
  const failureOf = (connection: Connection): Promise<unknown> =>
    openPostgresResultStore({ connection }).then(
      (store) => store.close(),
      (error: unknown) => error,
    );

  it('by a role that may not create the missing schema, and says what to run', async () => {
    const { migrator, writer } = await aDatabaseOfRoles(server);
    expect(await failureOf(writer)).toMatchObject({
      reason: 'SchemaMissing',
      message: expect.stringContaining('Run "batchtest migrate"'),
    });
    await migrateDatabase(migrator, { write: [writer.user], read: [] });
    expect(await failureOf(writer)).toBeUndefined();
  });

  it('by a role that may not use the schema, and says what to run', async () => {
    const { writer, migrator } = await aDatabaseOfRoles(server);
    await migrateDatabase(migrator, { write: [], read: [] });
    expect(await failureOf(writer)).toMatchObject({
      reason: 'PermissionDenied',
      message: expect.stringContaining('"batchtest migrate --grant-write USER"'),
    });
  });
});

it('a role that the server does not have is named', async () => {
  const { migrator } = await aDatabaseOfRoles(server);
  await expect(migrateDatabase(migrator, { write: ['nobody; drop'], read: [] })).rejects.toMatchObject({
    reason: 'RoleMissing',
    message: expect.stringContaining('role "nobody; drop" does not exist'),
  });
});
