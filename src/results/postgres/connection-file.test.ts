import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import {
  type PostgresServer,
  query,
  startPostgresServer,
} from '../../../test/integration/postgres-server.ts';
import { connectionFromFile } from './connection-file.ts';
import { createPool } from './connection-pool.ts';

let server: PostgresServer;
let folder: string;
beforeAll(async () => {
  server = await startPostgresServer();
  folder = await mkdtemp(join(tmpdir(), 'batchtest-connection-'));
}, 120_000);
afterAll(async () => {
  await server?.stop();
  await rm(folder, { recursive: true, force: true });
});

const SETTINGS = {
  poolSize: 2,
  applicationName: 'rotation',
  connectTimeoutMs: 10_000,
  statementTimeoutMs: 10_000,
  lockTimeoutMs: 10_000,
};

it('uses the new password of a rotated one for new connections, without a new pool', async () => {
  const admin = await server.createDatabase();
  const { host, port, database } = admin;
  const [{ hba_file: hba } = { hba_file: '' }] = await query<{ hba_file: string }>(admin, 'show hba_file');
  await writeFile(hba, `local all rotated scram-sha-256\n${await readFile(hba, 'utf8')}`);
  await query(admin, 'select pg_reload_conf()');
  await query(admin, "create role rotated login password 'one'");
  const file = join(folder, 'url');
  const write = (password: string) =>
    writeFile(
      file,
      `postgres://rotated:${password}@/${database}?host=${encodeURIComponent(host)}&port=${port}\n`,
    );

  await write('wrong');
  const pool = createPool(await connectionFromFile(file), SETTINGS);
  try {
    await expect(pool.query('select 1')).rejects.toThrow('password authentication failed');
    await write('one');
    expect((await pool.query('select current_user as name')).rows).toEqual([{ name: 'rotated' }]);
    await query(admin, "alter role rotated password 'two'");
    // What is open goes on.
    expect((await pool.query('select 1 as one')).rows).toEqual([{ one: 1 }]);
    await query(admin, "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'rotated'");
    await expect
      .poll(() => pool.query('select 1').then(() => 'connected', String), { timeout: 10_000 })
      .toContain('password authentication failed');
    await write('two');
    expect((await pool.query('select 1 as one')).rows).toEqual([{ one: 1 }]);
  } finally {
    await pool.end();
  }
});

it.each([
  ['does not exist', undefined],
  ['holds no URL', 'hunter2-canary'],
  ['holds something else in the form of a URL', 'https://hunter2-canary@host/'],
])('says what is wrong with a file that %s, and not what is in it', async (_, text) => {
  const file = join(folder, 'broken');
  await rm(file, { force: true });
  if (text !== undefined) {
    await writeFile(file, text);
    await chmod(file, 0o600);
  }
  const message = await connectionFromFile(file).then(() => 'connected', String);
  expect(message).toContain(file);
  expect(message).not.toContain('hunter2');
});
