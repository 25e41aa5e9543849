/** A local run whose connection to the database breaks, and whoever else wants the run then. */
import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { defineRun } from '../../../src/core/run.ts';
import { openPostgresResultStore } from '../../../src/results/postgres/open-postgres-result-store.ts';
import type { ResultStore } from '../../../src/results/result-store.ts';
import {
  type Connection,
  databaseUrlOf,
  type PostgresServer,
  query,
  startPostgresServer,
} from '../../integration/postgres-server.ts';
import { type RunningCommand, startCommand } from './command-line.ts';
import { aBench, type Bench } from './recorded-program.ts';
import { runningOf } from './stubborn-program.ts';

vi.setConfig({ testTimeout: 120_000 });
const PATIENCE = { timeout: 60_000 };

let server: PostgresServer;
beforeAll(async () => {
  server = await startPostgresServer();
});
afterAll(() => server?.stop());

/** A run of which `quick` is stored and `waits` runs. */
async function aRunUnderWay(): Promise<{
  readonly bench: Bench;
  readonly connection: Connection;
  readonly store: ResultStore;
  readonly command: RunningCommand;
  readonly uid: string;
}> {
  const bench = aBench();
  const connection = await server.createDatabase();
  const store = await openPostgresResultStore({ connection });
  onTestFinished(() => store.close());
  const command = startCommand(['run', '-', '-o', 'json', '--data-dir', bench.folder], {
    input: bench.manifest({ quick: 'good', waits: 'waits' }, {}, 'held'),
    environment: { DATABASE_URL: databaseUrlOf(connection) },
  });
  onTestFinished(() => command.kill('SIGKILL'));
  await command.untilStderr('best so far quick');
  await bench.untilStarted('waits');
  const uid = (await store.findRun('held'))?.uid ?? '';
  return { bench, connection, store, command, uid };
}

/** Sessions of the database that have the lock of the run, as an operator of the database sees them. */
const holders = (connection: Connection) =>
  query<{ pid: number; name: string }>(
    connection,
    `select a.pid, a.application_name as name from pg_locks l join pg_stat_activity a using (pid)
     where l.locktype = 'advisory' and l.mode = 'ExclusiveLock' and l.granted and a.datname = $1`,
    [connection.database],
  );

async function breakHold(connection: Connection): Promise<number> {
  const [holder] = await holders(connection);
  expect(holder?.name).toMatch(/^batchtest, process \d+, hold \w+ on /);
  await query(connection, 'select pg_terminate_backend($1)', [holder?.pid]);
  return holder?.pid ?? 0;
}

/** From now on the database can be read only, in all sessions but that which has the lock of the run. */
async function makeReadOnly(connection: Connection): Promise<void> {
  const { database } = connection;
  await query(connection, `alter database ${database} set default_transaction_read_only = on`);
  await query(
    connection,
    `select pg_terminate_backend(pid) from pg_stat_activity
     where datname = $1 and pid <> pg_backend_pid() and application_name not like 'batchtest, process %'`,
    [database],
  );
}

/** Has the run as soon as it is free. */
async function untilTaken(connection: Connection, uid: string): Promise<pg.Client> {
  const rival = new pg.Client({ ...connection, application_name: 'batchtest, process 7 on elsewhere' });
  rival.on('error', () => undefined);
  await rival.connect();
  onTestFinished(() => rival.end());
  // Waits in the queue of the lock, so that nobody is there before it.
  const taking = rival.query('select pg_advisory_lock(batchtest.hold_lock($1))', [uid]);
  await expect
    .poll(
      () => query(connection, `select from pg_locks where locktype = 'advisory' and not granted`),
      PATIENCE,
    )
    .toHaveLength(1);
  await breakHold(connection);
  await taking;
  return rival;
}

describe('a local run whose connection to the database breaks', () => {
  it('is its own again at once, so that nobody else can resume it, and goes on to its end', async () => {
    const { bench, connection, store, command, uid } = await aRunUnderWay();
    const former = await breakHold(connection);
    await expect
      .poll(
        async () => (await holders(connection)).map(({ pid }) => pid).filter((pid) => pid !== former),
        PATIENCE,
      )
      .toHaveLength(1);
    expect(await store.holdRun(uid)).toBeUndefined();
    bench.openGate();
    const { exitCode, stdout, stderr } = await command.finished;
    expect(exitCode, stderr).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ run: { uid, state: 'Complete' } });
    expect(bench.startCounts()).toEqual({ quick: 1, waits: 1 });
    const hold = await store.holdRun(uid);
    expect(hold).toBeDefined();
    await hold?.release();
  });

  it('ends its programs and says who has the run, when somebody else was there first', async () => {
    const { bench, connection, store, command, uid } = await aRunUnderWay();
    await untilTaken(connection, uid);
    const { exitCode, stdout, stderr } = await command.finished;
    expect(exitCode, stderr).toBe(3);
    expect(stdout).toBe('');
    expect(stderr).toContain(
      `run ${uid} is no longer this process' own: batchtest, process 7 on elsewhere has taken it over`,
    );
    expect(stderr).not.toMatch(/^\s+at /m);
    expect(bench.terminated()).toEqual(['waits']);
    expect(runningOf(bench.starts().map(({ pid }) => pid))).toEqual([]);
    expect(await store.findRun(uid)).toMatchObject({
      state: 'Running',
      trials: { total: 2, succeeded: 1, pending: 1 },
    });
  });

  it('ends at once when that comes while its results cannot be stored', async () => {
    const { bench, connection, command, uid } = await aRunUnderWay();
    await makeReadOnly(connection);
    bench.openGate();
    await command.untilStderr('results cannot be stored');
    await untilTaken(connection, uid);
    const takenAt = Date.now();
    const { exitCode, stderr } = await command.finished;
    expect(exitCode, stderr).toBe(3);
    expect(stderr).toContain(`run ${uid} is no longer this process' own: batchtest, process 7 on elsewhere`);
    // For its store it would have had patience for a minute.
    expect(Date.now() - takenAt).toBeLessThan(30_000);
  });

  it('does not take back a run that somebody else has opened', async () => {
    const { bench, connection, store, command, uid } = await aRunUnderWay();
    const stored = await store.loadRun(uid);
    if (stored === undefined) throw new Error('the run is not stored');
    const { fence } = await store.openRun(
      defineRun(stored.manifest, { uid, engine: 'local', directory: stored.directory }),
    );
    bench.openGate();
    const { exitCode, stdout, stderr } = await command.finished;
    expect(exitCode, stderr).toBe(3);
    expect(stdout).toBe('');
    expect(stderr).toContain(`run ${uid} is no longer this process' own: another process has taken it over`);
    expect(stderr).not.toContain('reconcile');
    const rows = await query<{ fence: number }>(
      connection,
      'select fence::int from batchtest.runs where uid = $1',
      [uid],
    );
    expect(rows).toEqual([{ fence }]);
    expect(bench.startCounts()).toEqual({ quick: 1, waits: 1 });
    expect(await store.findRun(uid)).toMatchObject({ trials: { succeeded: 1, pending: 1 } });
  });

  it('is reported as it was ended, when it was cancelled from elsewhere meanwhile', async () => {
    const { bench, store, command, uid } = await aRunUnderWay();
    const stored = await store.loadRun(uid);
    if (stored === undefined) throw new Error('the run is not stored');
    const { fence } = await store.openRun(
      defineRun(stored.manifest, { uid, engine: 'local', directory: stored.directory }),
    );
    const message = `cancelled by ${randomUUID()}`;
    await store.finishRun(uid, fence, { state: 'Cancelled', reason: 'CancelRequested', message });
    bench.openGate();
    const { exitCode, stdout, stderr } = await command.finished;
    expect(exitCode, stderr).toBe(4);
    expect(JSON.parse(stdout)).toMatchObject({ run: { uid, state: 'Cancelled', message } });
  });
});
