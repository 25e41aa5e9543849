/** Local runs whose results are in a database of others too: of other machines, and of the operator of a cluster. */
import { spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { realpathSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { firstInaccessible } from '../../../src/results/postgres/embedded/server-account.ts';
import { openPostgresResultStore } from '../../../src/results/postgres/open-postgres-result-store.ts';
import type { ResultStore } from '../../../src/results/result-store.ts';
import { aRun } from '../../builders/run.ts';
import {
  type Connection,
  databaseUrlOf,
  type PostgresServer,
  query,
  startPostgresServer,
} from '../../integration/postgres-server.ts';
import { BATCHTEST_PROGRAM } from '../../tools/batchtest-program.ts';
import { startCommand } from './command-line.ts';
import { aBench, killedRun } from './recorded-program.ts';

vi.setConfig({ testTimeout: 120_000 });

let server: PostgresServer;
beforeAll(async () => {
  server = await startPostgresServer();
});
afterAll(() => server?.stop());

/** A new database, and what tells commands of it. */
async function aDatabase(): Promise<{
  readonly connection: Connection;
  readonly store: ResultStore;
  readonly environment: Readonly<Record<string, string>>;
}> {
  const connection = await server.createDatabase();
  const store = await openPostgresResultStore({ connection });
  onTestFinished(() => store.close());
  return { connection, store, environment: { DATABASE_URL: databaseUrlOf(connection) } };
}

describe('batchtest cancel --engine local', () => {
  it('ends the local run of a name, though a newer run of a cluster has it, and no run of a cluster', async () => {
    const { store, environment } = await aDatabase();
    const bench = aBench(environment);
    const running = bench.start(['run', '-', '-o', 'json'], bench.manifest({ waits: 'waits' }, {}, 'busy'));
    await bench.untilStarted('waits');
    const uid = randomUUID();
    await store.openRun(aRun({ uid, name: 'busy', namespace: 'team-a' }));

    const cancel = await bench.run(['cancel', 'busy', '--engine', 'local']);
    expect(cancel.exitCode, cancel.stderr).toBe(0);
    expect(cancel.stdout).toMatch(
      /^run [0-9a-f-]{36} \(busy\) is being ended by the process that runs it\n$/,
    );
    const { exitCode, stdout, stderr } = await running.finished;
    expect(exitCode, stderr).toBe(4);
    expect(JSON.parse(stdout)).toMatchObject({ run: { engine: 'local', state: 'Cancelled' } });

    const refused = await bench.run(['cancel', uid, '--engine', 'local']);
    expect(refused).toEqual({
      exitCode: 2,
      stdout: '',
      stderr: `no stored local run has the UID or name "${uid}"; batchtest list shows what is there\n`,
    });
    expect(await store.findRun(uid)).toMatchObject({ engine: 'kubernetes', state: 'Running' });
  });
});

describe('batchtest run --resume', () => {
  it('goes on with what began in its data directory, and with what another machine has only by its UID', async () => {
    const { store, environment } = await aDatabase();
    const [here, there] = [aBench(environment), aBench(environment)];
    await killedRun(here, 'here');
    await killedRun(there, 'there');
    here.openGate();
    const resumed = await here.run(['run', '--resume', '-o', 'json']);
    expect(resumed.exitCode, resumed.stderr).toBe(0);
    expect(JSON.parse(resumed.stdout)).toMatchObject({ run: { name: 'here', state: 'Complete' } });

    const uid = (await store.findRun('there'))?.uid ?? '';
    const file = there.manifestFile({ quick: 'good', waits: 'waits' }, {}, 'there');
    for (const args of [['run'], ['run', file]])
      expect(await here.run([...args, '--resume'])).toEqual({
        exitCode: 2,
        stdout: '',
        stderr: `run ${uid} (there) was interrupted, but is not of the data directory ${here.folder}: resume it where it began, with its --data-dir; or here by its UID: --resume ${uid}\n`,
      });
    expect(await store.findRun(uid)).toMatchObject({
      state: 'Running',
      isInterrupted: true,
      trials: { succeeded: 1, pending: 1 },
    });
    expect(there.startCounts()).toEqual({ quick: 1, waits: 1 });

    expect(await here.run(['run', '--resume', 'there'])).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining(`--resume ${uid}\n`),
    });
    there.openGate();
    const named = await here.run(['run', '--resume', uid, '-o', 'json']);
    expect(named.exitCode, named.stderr).toBe(0);
    expect(JSON.parse(named.stdout)).toMatchObject({ run: { uid, state: 'Complete' } });
    expect(there.startCounts()).toEqual({ quick: 1, waits: 2 });
  });

  it('takes a name for that of a run of its data directory, though another machine has a newer one, and there are many newer ones of a cluster', async () => {
    const { connection, store, environment } = await aDatabase();
    const [here, there] = [aBench(environment), aBench(environment)];
    await killedRun(here, 'same');
    const uid = (await store.findRun('same'))?.uid;
    await killedRun(there, 'same');
    await store.openRun(aRun({ uid: randomUUID(), name: 'cluster' }));
    await query(
      connection,
      `insert into batchtest.runs (uid, engine, workflow_id, name, manifest, seed, fence)
       select gen_random_uuid()::text, engine, workflow_id, name, manifest, seed, fence
       from batchtest.runs, generate_series(1, 1100) where name = 'cluster'`,
    );
    here.openGate();
    const resumed = await here.run(['run', '--resume', 'same', '-o', 'json']);
    expect(resumed.exitCode, resumed.stderr).toBe(0);
    expect(JSON.parse(resumed.stdout)).toMatchObject({ run: { uid, state: 'Complete' } });
    expect(there.startCounts()).toEqual({ quick: 1, waits: 1 });
  });
});

describe('a data directory', () => {
  it.each([
    ['a file is in its place', (file: string) => file],
    ['nothing can be created there', () => '/proc/batchtest'],
  ])('that cannot be used, because %s, is named before anything is stored', async (_, pathOf) => {
    const { store, environment } = await aDatabase();
    const bench = aBench();
    const file = bench.manifestFile({ quick: 'good' });
    const path = pathOf(file);
    const command = startCommand(['run', file, '--quiet', '--data-dir', path], { environment });
    onTestFinished(() => command.kill('SIGKILL'));
    const { exitCode, stdout, stderr } = await command.finished;
    expect({ exitCode, stdout }).toEqual({ exitCode: 3, stdout: '' });
    expect(stderr).toContain(`data directory ${path} cannot be used: E`);
    expect(stderr).toContain(
      'Choose another: what the programs of local runs write is kept there, whichever database has the results.\n',
    );
    expect(stderr).not.toMatch(/^\s+at /m);
    expect(await store.listRuns({ limit: 1 })).toEqual([]);
  });

  it('is not asked for where none is needed: a user of a container may have none', async ({ skip }) => {
    const { environment } = await aDatabase();
    const bench = aBench();
    const file = bench.manifestFile({ quick: 'good' });
    // Root has one without HOME, so it becomes the user of its Postgres, who must be able to read the program.
    const user = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : undefined;
    const obstacle = user && (await firstInaccessible(realpathSync(BATCHTEST_PROGRAM), user));
    if (obstacle !== undefined) skip(`run by root, and no other user may read ${obstacle}`);
    const calledWithoutHome = (...args: readonly string[]) => {
      const { status, stdout, stderr } = spawnSync(process.execPath, [BATCHTEST_PROGRAM, ...args], {
        ...user,
        cwd: '/',
        env: { PATH: process.env.PATH, ...environment },
        encoding: 'utf8',
      });
      return { exitCode: status, stdout, stderr };
    };
    const run = ['run', file, '--engine', 'kubernetes', '--kubeconfig', '/nowhere/kubeconfig'];
    expect(calledWithoutHome(...run)).toEqual({
      exitCode: 3,
      stdout: '',
      stderr: expect.stringMatching(/^cluster: kubeconfig \/nowhere\/kubeconfig cannot be used: ENOENT/),
    });
  });
});
