import { type ChildProcess, type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { watch } from 'node:fs';
import {
  chmod,
  chown,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  realpath,
  rm,
  stat,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { pathToFileURL } from 'node:url';
import pg from 'pg';
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import * as z from 'zod';
import { findPostgresPackage } from './binaries.ts';
import { isSupervised } from './client-pipe.ts';
import { EmbeddedPostgresError } from './embedded-postgres-error.ts';
import { type EmbeddedPostgres, openEmbeddedPostgres } from './open-embedded-postgres.ts';
import { isServerOf, readPostmasterFile } from './postmaster-file.ts';
import { serverAccount } from './server-account.ts';

const account = serverAccount(process.getuid?.());
const { majorVersion } = await findPostgresPackage(undefined);

vi.setConfig({ testTimeout: 60_000, hookTimeout: 30_000 });

let directory: string;
let dataDir: string;
const opened: EmbeddedPostgres[] = [];
const children: ChildProcess[] = [];

beforeEach(async () => {
  directory = await realpath(await mkdtemp(join(tmpdir(), 'batchtest-postgres-')));
  await chmod(directory, 0o755);
  dataDir = join(directory, 'data');
});

afterEach(async () => {
  for (const server of opened.splice(0)) await server.close();
  for (const child of children.splice(0)) await kill(child);
  await serverToStop();
  await chmod(dataDir, 0o755).catch(() => undefined);
  await rm(directory, { recursive: true, force: true, maxRetries: 3 });
});

describe('one process', () => {
  test('finds what it committed when it starts the server again', async () => {
    const first = await open();
    await query(first, 'create table kept as select 42 as answer');
    await first.close();
    await serverToStop();

    const second = await open();
    expect(await query(second, 'select answer from kept')).toEqual([{ answer: 42 }]);
  });

  test('can open again while the server it has just closed shuts down', async () => {
    for (let round = 1; round <= 5; round++) {
      const server = await open();
      await query(server, `create table round_${round} ()`);
      await server.close();
    }
    const server = await open();
    const tables = "select count(*)::int as tables from pg_tables where schemaname = 'public'";
    expect(await query(server, tables)).toEqual([{ tables: 5 }]);
  });

  test('listens on no TCP port and commits durably', async () => {
    const server = await open();
    const settings = `select current_setting('listen_addresses') as tcp, current_setting('fsync') as fsync,
      current_setting('synchronous_commit') as commit, current_setting('server_encoding') as encoding`;
    expect(await query(server, settings)).toEqual([{ tcp: '', fsync: 'on', commit: 'on', encoding: 'UTF8' }]);
  });

  test('works in a data directory whose path is longer than a socket address', async () => {
    dataDir = join(directory, 'long'.padEnd(120, '-'));
    const server = await open();
    expect(server.dataDir).toBe(dataDir);
    expect(await query(server, 'select 1 as one')).toEqual([{ one: 1 }]);
  });

  test('works in a directory of any name', async () => {
    dataDir = join(directory, `it's "a", $HOME`);
    expect(await query(await open(), 'select 1 as one')).toEqual([{ one: 1 }]);
  });

  test('starts a new log when the old one has grown large', async () => {
    await mkdir(join(dataDir, 'postgres'), { recursive: true });
    const log = join(dataDir, 'postgres', 'log');
    await writeFile(log, 'x'.repeat(6 * 1024 * 1024));
    await open();
    expect(await readFile(log, 'utf8')).toMatch(/^\d{4}-.* starting PostgreSQL/);
  });

  test('stops waiting when its signal is aborted', async () => {
    const controller = new AbortController();
    const opening = open({ signal: controller.signal });
    controller.abort(new Error('enough'));
    await expect(opening).rejects.toThrow('enough');
  });
});

test('a server that takes too long is reported with its log', async () => {
  const opening = openEmbeddedPostgres({ dataDir, startTimeoutMs: 50 });
  await expect(opening).rejects.toMatchObject({ reason: 'StartTimeout' });
  await expect(opening).rejects.toThrow(join(dataDir, 'postgres', 'log'));
});

describe('several processes', () => {
  test('share one server, which outlives the one that started it', async () => {
    const first = await openInChild();
    const second = await openInChild();
    expect(second.host).toBe(first.host);

    await kill(first.child);
    const third = await open();
    expect(third.connection.host).toBe(second.host);
    expect(await query(third, 'select 1 as one')).toEqual([{ one: 1 }]);
  });

  test('that open a new data directory at once create one database and start one server', async () => {
    const postgresDirectory = join(dataDir, 'postgres');
    await mkdir(postgresDirectory, { recursive: true });
    const built = new Set<string>();
    const watcher = watch(postgresDirectory, (_, name) => {
      if (name?.includes('.initdb-')) built.add(name);
    });

    const clients = await Promise.all([1, 2, 3, 4].map(() => openInChild()));
    watcher.close();

    expect(built.size).toBe(1);
    expect(new Set(clients.map(({ host }) => host)).size).toBe(1);
  });

  test('may come and go at any moment', async () => {
    await (await open()).close();
    const clients = await Promise.all([1, 2, 3].map(() => runInChild(COME_AND_GO)));
    await Promise.all(
      clients.map(({ child }) => (child.exitCode === null ? once(child, 'exit') : undefined)),
    );
    expect(clients.map(({ child }) => child.exitCode)).toEqual([0, 0, 0]);

    const rows = await query(await open(), 'select count(*)::int as visits from visits');
    expect(rows).toEqual([{ visits: 3 * VISITS }]);
  });
});

/** As a container has: process ids and shared memory of its own. Making them takes root. */
const CONTAINER = ['unshare', '--pid', '--ipc', '--mount', '--fork', '--kill-child', '--mount-proc'];

describe.runIf(process.platform === 'linux' && account)('several containers', () => {
  test('share one server, and when that of the first has ended with it the next one finds the committed rows', async () => {
    const first = await runInChild(STAY, CONTAINER);
    const here = await open();
    expect(here.connection.host).toBe(first.host);
    await query(here, 'create table committed as select 7 as seven');
    const second = await runInChild(STAY, CONTAINER);
    expect(second.host).toBe(first.host);

    await kill(second.child);
    await kill(first.child);
    await vi.waitFor(() => expect(isSupervised(first.host)).toBe(false), { timeout: 15_000 });
    const next = await open();
    expect(next.connection.host).not.toBe(first.host);
    expect(await query(next, 'select seven from committed')).toEqual([{ seven: 7 }]);
  });

  test('that open a new data directory at once start one server', async () => {
    const clients = await Promise.all([1, 2, 3].map(() => runInChild(STAY, CONTAINER)));
    expect(new Set(clients.map(({ host }) => host)).size).toBe(1);
  });
});

describe('after a crash', () => {
  test('of its only client the server stops, and the next one finds the committed rows', async () => {
    const client = await openInChild();
    const probe = await open();
    await query(probe, 'create table committed as select 7 as seven');
    await probe.close();
    const pid = await serverPid();

    await kill(client.child);
    await serverToEnd(pid);
    // A test program that outlives its runner must not keep the server.
    expect(isRunning(client.grandchild)).toBe(true);
    process.kill(client.grandchild, 'SIGKILL');

    expect(await query(await open(), 'select seven from committed')).toEqual([{ seven: 7 }]);
  });

  test('of a process that builds the database, the next one builds it anew', async () => {
    await mkdir(join(dataDir, 'postgres'), { recursive: true });
    const client = spawnProgram(STAY);
    await new Promise<void>((resolve) => {
      const watcher = watch(join(dataDir, 'postgres'), (_, name) => {
        if (!name?.includes('.initdb-')) return;
        watcher.close();
        resolve();
      });
    });
    await kill(client);

    expect(await query(await open(), 'select 1 as one')).toEqual([{ one: 1 }]);
  });

  test('of the server a client can open it again', async () => {
    const server = await open();
    await query(server, 'create table committed as select 7 as seven');
    const pid = await serverPid();
    process.kill(pid, 'SIGKILL');
    // A process that is being killed still takes connections for a moment, and so does one that it has just forked.
    await serverToEnd(pid);
    await vi.waitFor(() => expect(query(server, 'select 1')).rejects.toThrow(/ECONNREFUSED|ENOENT/), {
      timeout: 15_000,
    });

    expect(await query(await open(), 'select seven from committed')).toEqual([{ seven: 7 }]);
  });

  test('another program with the process id of the dead server does not keep it from starting', async () => {
    const server = await open();
    await query(server, 'create table committed as select 7 as seven');
    const pid = await serverPid();
    const path = join(clusterDirectory(), 'postmaster.pid');
    const other = spawn('sleep', ['60'], { ...account, stdio: 'ignore' });
    children.push(other);

    process.kill(pid, 'SIGKILL');
    await serverToEnd(pid);
    await writeFile(path, (await readFile(path, 'utf8')).replace(String(pid), String(other.pid)));

    expect(await query(await open(), 'select seven from committed')).toEqual([{ seven: 7 }]);
    expect(other.exitCode).toBe(null);
  });

  test('of the machine an empty lock file does not keep the next server from starting', async () => {
    await (await open()).close();
    await serverToStop();
    const path = join(clusterDirectory(), 'postmaster.pid');
    const aMinuteAgo = Date.now() / 1000 - 60;
    await writeFile(path, '');
    await utimes(path, aMinuteAgo, aMinuteAgo);

    expect(await query(await open(), 'select 1 as one')).toEqual([{ one: 1 }]);
  });

  test.runIf(process.platform === 'linux')(
    'of its supervisor the server is replaced by the next client',
    async () => {
      const server = await open();
      await query(server, 'create table committed as select 7 as seven');
      const pid = await serverPid();
      const supervisor = await parentOf(pid);
      // Nobody else would end it, should the next client not replace it.
      onTestFinished(async () => {
        if (await isServerOf(clusterDirectory(), pid)) process.kill(pid, 'SIGQUIT');
      });
      const shells = [...(await childrenOf(supervisor)).filter((child) => child !== pid), supervisor];
      for (const shell of shells) process.kill(shell, 'SIGKILL');
      // A supervisor that is being killed can still be taken for one that works.
      for (const shell of shells)
        await vi.waitFor(async () => expect(await isAlive(shell)).toBe(false), { timeout: 15_000 });

      const next = await open();
      expect(next.connection.host).not.toBe(server.connection.host);
      expect(await query(next, 'select seven from committed')).toEqual([{ seven: 7 }]);
      expect(await isServerOf(clusterDirectory(), pid)).toBe(false);
    },
  );
});

describe('a data directory that cannot be used', () => {
  test('because a file is in its place is named in the error', async () => {
    await writeFile(dataDir, '');
    await expectFailure('DataDirectoryUnusable', dataDir);
  });

  test.skipIf(account)('because it is read-only is named in the error', async () => {
    await mkdir(dataDir, { mode: 0o555 });
    await expectFailure('DataDirectoryUnusable', dataDir);
  });

  test.skipIf(!account)(
    'because the account of the server cannot enter it is named in the error',
    async () => {
      await mkdir(join(directory, 'private'), { mode: 0o700 });
      dataDir = join(directory, 'private', 'data');
      await expectFailure('DataDirectoryUnusable', join(directory, 'private'));
    },
  );

  describe.runIf(account)('by root', () => {
    const OTHER_USER = 33;
    const ownedPaths = () => [
      join(dataDir, 'postgres'),
      join(dataDir, 'postgres-binaries'),
      join(dataDir, 'postgres', 'run'),
      clusterDirectory(),
    ];

    test('because its database is that of another user stays as it is', async () => {
      for (const path of ownedPaths()) {
        await mkdir(path, { recursive: true });
        await chown(path, OTHER_USER, OTHER_USER);
        const { mode } = await stat(path);
        await expectFailure(
          'DataDirectoryUnusable',
          `${path} belongs to user ${OTHER_USER}: run batchtest as`,
        );
        expect(await stat(path)).toMatchObject({ uid: OTHER_USER, mode });
        await chown(path, 0, 0);
      }
      expect(await readdir(join(dataDir, 'postgres'))).toEqual([majorVersion, 'run']);
    });

    test('because a link is in it leaves alone what that leads to', async () => {
      const elsewhere = join(directory, 'elsewhere');
      await mkdir(elsewhere);
      const { mode } = await stat(elsewhere);
      for (const path of ownedPaths()) {
        await mkdir(join(path, '..'), { recursive: true });
        await symlink(elsewhere, path);
        await expectFailure('DataDirectoryUnusable', `${path} is not a directory`);
        await rm(path);
      }
      expect(await stat(elsewhere)).toMatchObject({ uid: 0, mode });
      expect(await readdir(elsewhere)).toEqual([]);
    });
  });

  test('because something else is where the database belongs is named in the error', async () => {
    await mkdir(clusterDirectory(), { recursive: true });
    await writeFile(join(clusterDirectory(), 'notes.txt'), '');
    await expectFailure('DataDirectoryUnusable', clusterDirectory());
  });

  test('because its database is damaged fails with the end of the log', async () => {
    const server = await open();
    const damaged = join(clusterDirectory(), 'global', 'pg_control');
    await server.close();
    await serverToStop();
    await rm(damaged);
    await expectFailure('ServerFailed', 'pg_control');
  });
});

type Reason = EmbeddedPostgresError['reason'];

async function open(options: { readonly signal?: AbortSignal } = {}): Promise<EmbeddedPostgres> {
  const server = await openEmbeddedPostgres({ dataDir, ...options });
  opened.push(server);
  return server;
}

async function expectFailure(reason: Reason, mentions: string): Promise<void> {
  const error: unknown = await open().catch((failure: unknown) => failure);
  expect(error).toBeInstanceOf(EmbeddedPostgresError);
  expect(error).toMatchObject({ reason });
  expect(String(error)).toContain(mentions);
}

async function query(server: EmbeddedPostgres, sql: string): Promise<unknown[]> {
  const client = new pg.Client(server.connection);
  client.on('error', () => undefined);
  await client.connect();
  try {
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
  }
}

function clusterDirectory(): string {
  return join(dataDir, 'postgres', majorVersion);
}

async function serverPid(): Promise<number> {
  const file = await readPostmasterFile(clusterDirectory());
  if (!file) throw new Error(`no server in ${dataDir}`);
  return file.pid;
}

async function serverToStop(): Promise<void> {
  const pid = await serverPid().catch(() => undefined);
  if (pid !== undefined) await serverToEnd(pid);
}

/** Not by the process id alone: a process that nobody has collected yet still has one. */
async function serverToEnd(pid: number): Promise<void> {
  const runs = () => isServerOf(clusterDirectory(), pid);
  await vi.waitFor(async () => expect(await runs()).toBe(false), { timeout: 15_000 });
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** False for a process that has ended, whether or not anybody has collected it. */
async function isAlive(pid: number): Promise<boolean> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => 'State:\tX');
  return !/^State:\t[ZX]/m.test(status);
}

async function parentOf(pid: number): Promise<number> {
  return Number(/^PPid:\t(\d+)$/m.exec(await readFile(`/proc/${pid}/status`, 'utf8'))?.[1]);
}

async function childrenOf(pid: number): Promise<readonly number[]> {
  return (await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')).trim().split(' ').map(Number);
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGKILL');
  await once(child, 'exit');
}

const MODULE = pathToFileURL(join(import.meta.dirname, 'open-embedded-postgres.ts')).href;

/** Opens the server, starts a program of its own that outlives it, and stays. */
const STAY = `
  const { spawn } = await import('node:child_process');
  const { openEmbeddedPostgres } = await import('${MODULE}');
  const server = await openEmbeddedPostgres({ dataDir: process.env.DATA_DIR });
  const { pid } = spawn('sleep', ['20'], { detached: true, stdio: 'ignore' });
  console.log(JSON.stringify({ host: server.connection.host, grandchild: pid }));
  setInterval(() => {}, 1000);
`;

const VISITS = 8;
/** Opens, commits a row and closes, again and again with pauses that differ between processes. */
const COME_AND_GO = `
  const { setTimeout: sleep } = await import('node:timers/promises');
  const { openEmbeddedPostgres } = await import('${MODULE}');
  const { default: pg } = await import('pg');
  console.log(JSON.stringify({ host: '', grandchild: 0 }));
  for (let visit = 0; visit < ${VISITS}; visit++) {
    const server = await openEmbeddedPostgres({ dataDir: process.env.DATA_DIR });
    const client = new pg.Client(server.connection);
    await client.connect();
    await client.query('select pg_advisory_lock(1)');
    await client.query('create table if not exists visits (at timestamptz)');
    await client.query('insert into visits values (now())');
    await client.end();
    await server.close();
    await sleep((process.pid * (visit + 7)) % 40);
  }
`;

const ready = z.object({ host: z.string(), grandchild: z.number() });

interface ClientProcess extends z.infer<typeof ready> {
  readonly child: ChildProcess;
}

function openInChild(): Promise<ClientProcess> {
  return runInChild(STAY);
}

async function runInChild(program: string, wrapper: readonly string[] = []): Promise<ClientProcess> {
  const child = spawnProgram(program, wrapper);
  for await (const line of createInterface({ input: child.stdout })) {
    return { ...ready.parse(JSON.parse(line)), child };
  }
  throw new Error('the client ended before it opened the server');
}

/** @param wrapper a command that runs the one that follows it */
function spawnProgram(
  program: string,
  wrapper: readonly string[] = [],
): ChildProcessByStdio<null, Readable, null> {
  const tsx = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href;
  const node = [process.execPath, '--import', tsx, '--input-type=module', '-e', program];
  const [command = process.execPath, ...args] = [...wrapper, ...node];
  const child = spawn(command, args, {
    cwd: import.meta.dirname,
    env: { PATH: process.env.PATH, DATA_DIR: dataDir },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.push(child);
  return child;
}
