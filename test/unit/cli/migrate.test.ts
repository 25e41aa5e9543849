import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openStoreProxy } from '../../faults/store-proxy.ts';
import { aDatabaseOfRoles } from '../../integration/database-roles.ts';
import {
  databaseUrlOf,
  type PostgresServer,
  query,
  startPostgresServer,
} from '../../integration/postgres-server.ts';
import { runCommand } from './command-line.ts';

let server: PostgresServer;
beforeAll(async () => {
  server = await startPostgresServer();
});
afterAll(() => server?.stop());

const migrate = (databaseUrl: string, ...options: readonly string[]) =>
  runCommand(['migrate', ...options], { environment: { DATABASE_URL: databaseUrl } });

it('ends with the reason where connections are accepted and nothing is answered', async () => {
  const { host, port, user, database } = await server.createDatabase();
  const proxy = await openStoreProxy({ path: join(host, `.s.PGSQL.${port}`) });
  proxy.onStatement(() => ({ kind: 'Hold', until: new Promise(() => undefined) }));
  const url = `postgres://${user}@127.0.0.1:${proxy.port}/${database}`;
  const ended = await Promise.all([
    migrate(url),
    runCommand(['list'], { environment: { DATABASE_URL: url } }),
  ]);
  await proxy.close();
  for (const { exitCode, stderr } of ended) {
    expect(exitCode).toBe(3);
    expect(stderr).toBe(
      `result store: open the result store: the database did not answer in time (Timeout; server 127.0.0.1:${proxy.port})\n`,
    );
  }
}, 60_000);

it('migrates and grants as one role, so that another can read and a third write', async () => {
  const { migrator, writer, reader } = await aDatabaseOfRoles(server);
  const grants = ['--grant-write', writer.user, '--grant-read', reader.user];
  const first = await migrate(databaseUrlOf(migrator), ...grants);
  expect(first, first.stderr).toMatchObject({ exitCode: 0, stderr: '' });
  expect(first.stdout).toMatch(/^(applied [0-9]{4}-\S+\n)+/);
  expect(first.stdout).toContain(`${writer.user} may read and write\n${reader.user} may read\n`);
  await query(writer, 'delete from batchtest.runs');

  const list = await runCommand(['list'], { environment: { DATABASE_URL: databaseUrlOf(reader) } });
  expect(list, list.stderr).toMatchObject({ exitCode: 0 });
  const prune = await runCommand(['prune', '--older-than', '1d'], {
    environment: { DATABASE_URL: databaseUrlOf(reader) },
  });
  expect(prune).toMatchObject({ exitCode: 3, stdout: '' });
  expect(prune.stderr).toContain('(PermissionDenied)');

  const again = await migrate(databaseUrlOf(migrator));
  expect(again).toMatchObject({ exitCode: 0, stdout: 'the schema is up to date\n', stderr: '' });
}, 120_000);

it('says what it needs', async () => {
  const { writer, migrator } = await aDatabaseOfRoles(server);
  const without = await migrate('');
  expect(without).toMatchObject({ exitCode: 2, stdout: '' });
  expect(without.stderr).toContain('must hold the URL of the database');
  const twice = await migrate(databaseUrlOf(migrator), '--grant-write', 'a', '--grant-read', 'a');
  expect(twice).toMatchObject({ exitCode: 2, stdout: '' });
  const denied = await migrate(databaseUrlOf(writer));
  expect(denied).toMatchObject({ exitCode: 3, stdout: '' });
  expect(denied.stderr).toContain('its user may not create it');
  const unknown = await migrate(databaseUrlOf(migrator), '--grant-read', 'nobody-of-that-name');
  expect(unknown).toMatchObject({ exitCode: 3, stdout: '' });
  expect(unknown.stderr).toBe(
    'result store: role "nobody-of-that-name" does not exist in the database server: create it first, as by create role … login (RoleMissing)\n',
  );
}, 120_000);

it('and every other command refuses a schema of a later version in one line', async () => {
  const { migrator } = await aDatabaseOfRoles(server);
  await migrate(databaseUrlOf(migrator));
  await query(
    migrator,
    `insert into batchtest.kysely_migration (name, timestamp) values ('0999-later', 'now')`,
  );
  for (const command of [['migrate'], ['list']]) {
    const refused = await runCommand(command, { environment: { DATABASE_URL: databaseUrlOf(migrator) } });
    expect(refused).toMatchObject({ exitCode: 3, stdout: '' });
    expect(refused.stderr).toMatch(/^the schema of the database is newer .* 0999-later: .*\n$/);
  }
}, 120_000);
