import { execFile, spawn } from 'node:child_process';
import { closeSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { PostgresBinaries } from './binaries.ts';
import { CHILD_ENVIRONMENT } from './child-environment.ts';
import { type ClientPipe, openNewPipe } from './client-pipe.ts';
import { EmbeddedPostgresError } from './embedded-postgres-error.ts';
import type { Layout } from './layout.ts';
import type { ServerAccount } from './server-account.ts';
import { SOCKET_NAME, serverArguments } from './server-settings.ts';

/** `sockaddr_un` holds 103 bytes on macOS and 107 on Linux. */
const LONGEST_SOCKET_PATH = 103;
const LARGEST_LOG_BYTES = 5 * 1024 * 1024;

/**
 * Runs `$3…` (the server) until the pipe on standard input ends, however its writers ended.
 *
 * Two shells watch one thing each, because a shell cannot wait for a process and a pipe at once: the first waits for
 * the server, the second reads the pipe. Each holds nothing of the other's, so when either is killed the remaining one
 * still does its part and the loss shows: a pipe without a reader means that nobody will stop the server.
 *
 * A server is signalled only while its process id cannot belong to another program: its parent has not collected it
 * yet, or its own file still names it.
 */
const SUPERVISOR = `
directory=$1 cluster=$2
shift 2
exec 3<&0 </dev/null

"$@" 3<&- &
server=$!

(
  signal_server() {
    if kill -0 "$$" || [ "$(head -n 1 "$cluster/postmaster.pid")" = "$server" ]; then kill -"$1" "$server"; fi
  } 2>/dev/null

  while :; do
    while read -r line; do :; done
    mv "$directory/clients" "$directory/closing"
    read -r line || break
    mv "$directory/closing" "$directory/clients"
  done <&3

  signal_server INT
  waited=0
  while [ "$waited" -lt 15 ] && signal_server 0; do
    sleep 1
    waited=$((waited + 1))
  done
  signal_server QUIT
) &
watcher=$!
exec 3<&-

wait "$server"
kill "$watcher" 2>/dev/null
rm -rf "$directory"
`;

/** A server that this process has started. It may still fail to come up. */
export interface SupervisedServer {
  /** Private directory with the server's socket and its pipe. */
  readonly directory: string;
  readonly pipe: ClientPipe;
  /** Resolves when the server has ended and its directory is gone; with an error when no shell could be run. */
  readonly ended: Promise<Error | undefined>;
  /** What was logged since the start, at most its last 2,000 bytes. */
  logTail(): Promise<string>;
}

/**
 * Starts a server under a supervisor that outlives this process and stops the server when its last client has gone.
 *
 * @param strayPid the process id in a crashed server's file, when another program has it now. Postgres would take that
 *   program for the server; it makes an exception for the process named in PG_GRANDPARENT_PID (see `CreateLockFile`
 *   in Postgres' `miscinit.c`), and unlike deleting the file this cannot remove that of a server just started.
 */
export async function startSupervised(
  layout: Layout,
  binaries: PostgresBinaries,
  account: ServerAccount | undefined,
  strayPid: number | undefined,
): Promise<SupervisedServer> {
  const log = await openLog(layout.logFile);
  try {
    const logStart = (await log.stat()).size;
    const directory = await createServerDirectory(layout.runDirectory, account);
    const { pipe, readingEnd } = openNewPipe(directory);
    const server = [binaries.postgres, ...serverArguments(layout.clusterDirectory, directory)];
    const shell = ['-c', SUPERVISOR, 'batchtest-postgres', directory, layout.clusterDirectory, ...server];
    const supervisor = spawn('/bin/sh', shell, {
      ...account,
      cwd: '/',
      // A session of its own: Ctrl-C at the terminal is for the clients.
      detached: true,
      env: strayPid ? { ...CHILD_ENVIRONMENT, PG_GRANDPARENT_PID: String(strayPid) } : CHILD_ENVIRONMENT,
      stdio: [readingEnd, log.fd, log.fd],
    });
    closeSync(readingEnd);
    supervisor.unref();
    const ended = new Promise<Error | undefined>((resolve) => {
      supervisor.once('exit', () => resolve(undefined));
      supervisor.once('error', resolve);
    });
    return { directory, pipe, ended, logTail: () => readLogTail(layout.logFile, logStart) };
  } finally {
    await log.close();
  }
}

/** The server's account makes it, so that root need not change the owner of something in a foreign directory. */
async function createServerDirectory(
  runDirectory: string,
  account: ServerAccount | undefined,
): Promise<string> {
  const socketPath = join(runDirectory, 'XXXXXX', SOCKET_NAME);
  const template =
    Buffer.byteLength(socketPath) <= LONGEST_SOCKET_PATH
      ? join(runDirectory, 'XXXXXX')
      : '/tmp/batchtest-XXXXXX';
  const script = 'd=$(mktemp -d "$1") && mkfifo -m 600 "$d/clients" && printf %s "$d"';
  const options = { ...account, cwd: '/', env: CHILD_ENVIRONMENT };
  try {
    const { stdout } = await promisify(execFile)(
      '/bin/sh',
      ['-c', script, 'batchtest-postgres', template],
      options,
    );
    return stdout;
  } catch (error) {
    const detail = error instanceof Error && 'stderr' in error ? String(error.stderr).trim() : String(error);
    throw new EmbeddedPostgresError(
      'DataDirectoryUnusable',
      `cannot make the directory of the server's socket, ${template}: ${detail}`,
      { cause: error },
    );
  }
}

async function openLog(path: string): Promise<FileHandle> {
  const log = await open(path, 'a', 0o600);
  if ((await log.stat()).size > LARGEST_LOG_BYTES) await log.truncate(0);
  return log;
}

/** What the server's log holds from the byte `start` on, at most its last 2,000 bytes; empty when there is no log. */
export async function readLogTail(path: string, start: number): Promise<string> {
  const log = await open(path, 'r').catch(() => undefined);
  if (!log) return '';
  try {
    const { size } = await log.stat();
    const from = Math.max(start, size - 2_000);
    const length = Math.max(0, size - from);
    const { buffer, bytesRead } = await log.read(Buffer.alloc(length), 0, length, from);
    return buffer.toString('utf8', 0, bytesRead).trim();
  } finally {
    await log.close();
  }
}
