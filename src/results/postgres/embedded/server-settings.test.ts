import { chmod, mkdtemp, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type EmbeddedPostgres, openEmbeddedPostgres } from './open-embedded-postgres.ts';

let directory: string;
let server: EmbeddedPostgres;
let client: pg.Client;

beforeAll(async () => {
  directory = await realpath(await mkdtemp(join(tmpdir(), 'batchtest-settings-')));
  await chmod(directory, 0o755);
  server = await openEmbeddedPostgres({ dataDir: directory });
  client = new pg.Client(server.connection);
  client.on('error', () => undefined);
  await client.connect();
});

afterAll(async () => {
  await client?.end();
  await server?.close();
  await rm(directory, { recursive: true, force: true, maxRetries: 20, retryDelay: 250 });
});

/** Settings of the running server, as it understood them. */
async function settings(...names: readonly string[]): Promise<Readonly<Record<string, string>>> {
  const { rows } = await client.query<{ name: string; value: string }>(
    'select name, current_setting(name) as value from pg_settings where name = any($1)',
    [names],
  );
  return Object.fromEntries(rows.map(({ name, value }) => [name, value]));
}

describe('the embedded server', () => {
  it('bounds its memory: shared, per connection, and for maintenance', async () => {
    const bounds = {
      shared_buffers: '32MB',
      wal_buffers: '1MB',
      work_mem: '4MB',
      hash_mem_multiplier: '1',
      temp_buffers: '1MB',
      maintenance_work_mem: '32MB',
      autovacuum_work_mem: '32MB',
      max_connections: '200',
    };
    expect(await settings(...Object.keys(bounds))).toEqual(bounds);
  });

  it('bounds its log on disk', async () => {
    const bounds = { wal_level: 'minimal', min_wal_size: '32MB', max_wal_size: '256MB', wal_keep_size: '0' };
    expect(await settings(...Object.keys(bounds))).toEqual(bounds);
  });

  it('uses one processor for a query, and has no process beyond those that it needs', async () => {
    const bounds = {
      max_worker_processes: '0',
      max_parallel_workers: '0',
      max_parallel_workers_per_gather: '0',
      max_parallel_maintenance_workers: '0',
      max_logical_replication_workers: '0',
      max_wal_senders: '0',
      autovacuum_max_workers: '1',
      io_method: 'sync',
      jit: 'off',
    };
    expect(await settings(...Object.keys(bounds))).toEqual(bounds);
    const { rows } = await client.query<{ kind: string }>(
      "select backend_type as kind from pg_stat_activity where backend_type not in ('client backend', 'autovacuum worker') order by kind",
    );
    expect(rows.map(({ kind }) => kind)).toEqual([
      'autovacuum launcher',
      'background writer',
      'checkpointer',
      'walwriter',
    ]);
  });

  it('plans a scan of a large table without parallel workers, whatever its statistics say', async () => {
    await client.query('create table large as select n from generate_series(1, 200000) n');
    await client.query('analyze large');
    await client.query('set parallel_setup_cost = 0; set parallel_tuple_cost = 0');
    const { rows } = await client.query('explain (costs off) select count(*) from large');
    expect(JSON.stringify(rows)).not.toContain('Gather');
  });
});
