import { createConnection } from 'node:net';
import { basename, dirname, join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { joinedSignal } from '../../../joined-signal.ts';
import { findPostgresPackage, type PostgresBinaries, runnableBinaries } from './binaries.ts';
import { takeClaim } from './claim.ts';
import { type ClientPipe, isSupervised, joinClients } from './client-pipe.ts';
import { ensureCluster } from './cluster.ts';
import { EmbeddedPostgresError } from './embedded-postgres-error.ts';
import { type Layout, layoutOf } from './layout.ts';
import { removeLeftovers } from './leftovers.ts';
import {
  isServerOf,
  type PostmasterFile,
  readPostmasterFile,
  removeEmptyPostmasterFile,
} from './postmaster-file.ts';
import { prepareDataDirectory, prepareServerDirectories } from './prepare-directories.ts';
import { type ServerAccount, serverAccount } from './server-account.ts';
import { DATABASE, SERVER_PORT, SOCKET_NAME, SUPERUSER } from './server-settings.ts';
import { readLogTail, type SupervisedServer, startSupervised } from './supervisor.ts';

export interface EmbeddedPostgresOptions {
  /** Created when missing. Several processes of one user may use it at the same time, also in several containers of one machine. */
  readonly dataDir: string;
  /** The unpacked `@embedded-postgres/<platform>-<arch>` package; default: the installed one. */
  readonly packageDirectory?: string;
  /** How long to wait for a server that accepts connections, crash recovery included. Default 60,000. */
  readonly startTimeoutMs?: number;
  /** Ends the wait; `openEmbeddedPostgres` then rejects with the signal's reason. */
  readonly signal?: AbortSignal;
}

/** A Postgres server that stays up at least until `close`. */
export interface EmbeddedPostgres {
  /** Configuration of a `pg` Pool or Client: a Unix socket, no TCP port. The server takes 197 connections. */
  readonly connection: {
    readonly host: string;
    readonly port: number;
    readonly user: string;
    readonly database: string;
  };
  /** The real path of the data directory. */
  readonly dataDir: string;
  /**
   * Lets go of the server; end your pool first. The server shuts down when every process has let go, in the background
   * and also when this process ends at once. Calling it again does nothing.
   */
  close(): Promise<void>;
}

const READY_POLL_MS = 5;
const RETRY_MS = 20;
const DEFAULT_START_TIMEOUT_MS = 60_000;

/**
 * Opens the Postgres server of a data directory: joins the one that runs, or creates the database and starts one.
 *
 * @throws EmbeddedPostgresError when there is no server for a reason that a person can read and act on.
 */
export async function openEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const timeoutMs = options.startTimeoutMs ?? DEFAULT_START_TIMEOUT_MS;
  const deadline = AbortSignal.timeout(timeoutMs);
  const joined = joinedSignal([options.signal, deadline]);
  const { signal } = joined;
  signal.throwIfAborted();

  const site = await prepareSite(options, signal);
  let waitingFor = 'it is still starting';
  try {
    for (;;) {
      const outcome = await openOnce(site);
      if (outcome.kind === 'Open') return outcome.postgres;
      waitingFor = outcome.because;
      await sleep(RETRY_MS, undefined, { signal });
    }
  } catch (error) {
    if (error instanceof EmbeddedPostgresError || options.signal?.aborted || !deadline.aborted) throw error;
    const log = await readLogTail(site.layout.logFile, 0);
    throw new EmbeddedPostgresError(
      'StartTimeout',
      `the embedded Postgres in ${site.layout.dataDirectory} did not accept connections within ${timeoutMs / 1000} s: ${waitingFor}.\n${log || 'It logged nothing.'}\nIts log: ${site.layout.logFile}`,
      { cause: error },
    );
  } finally {
    joined.release();
  }
}

/** Everything about one call that does not change while it waits. */
interface Site {
  readonly layout: Layout;
  readonly binaries: PostgresBinaries;
  readonly account: ServerAccount | undefined;
  readonly signal: AbortSignal;
}

type Outcome =
  | { readonly kind: 'Open'; readonly postgres: EmbeddedPostgres }
  | { readonly kind: 'Retry'; readonly because: string };

async function prepareSite(options: EmbeddedPostgresOptions, signal: AbortSignal): Promise<Site> {
  const account = serverAccount(process.getuid?.());
  const postgresPackage = await findPostgresPackage(options.packageDirectory);
  const dataDirectory = await prepareDataDirectory(resolve(options.dataDir), account);
  const layout = layoutOf(dataDirectory, postgresPackage.majorVersion);
  await prepareServerDirectories(layout, account);
  const binaries = await runnableBinaries(postgresPackage, layout.binariesDirectory, account);
  return { layout, binaries, account, signal };
}

/** Looks at the data directory once and takes the step that follows. The caller repeats it until a server is open. */
async function openOnce(site: Site): Promise<Outcome> {
  const { layout } = site;
  const { clusterDirectory } = layout;
  const file = await readPostmasterFile(clusterDirectory);
  if (!file || !(await runs(layout, file))) return startServer(site);
  const directory = serverDirectoryOf(layout, file);
  if (!directory) return retry('another process is starting it');

  const outcome = joinClients(directory);
  switch (outcome.kind) {
    case 'Joined':
      return waitUntilReady(site, directory, outcome.pipe, undefined);
    case 'Closing':
      return retry(`the server that runs (process ${file.pid}) is shutting down`);
    case 'Unsupervised':
      await stopUnsupervised(clusterDirectory, file.pid);
      return retry(`the server that runs (process ${file.pid}) has lost its supervisor and is shutting down`);
  }
}

/** A server in another container has no process here, and is told by its supervisor. */
async function runs(layout: Layout, file: PostmasterFile): Promise<boolean> {
  if (await isServerOf(layout.clusterDirectory, file.pid)) return true;
  const directory = serverDirectoryOf(layout, file);
  return directory !== undefined && isSupervised(directory);
}

/** The directory of the server's socket, which another container may have under another path. */
function serverDirectoryOf(
  { runDirectory }: Layout,
  { socketDirectory }: PostmasterFile,
): string | undefined {
  if (socketDirectory === undefined) return undefined;
  const isBelowData = basename(dirname(socketDirectory)) === basename(runDirectory);
  return isBelowData ? join(runDirectory, basename(socketDirectory)) : socketDirectory;
}

async function startServer(site: Site): Promise<Outcome> {
  const { layout, binaries, account, signal } = site;
  const claim = await takeClaim(layout.startClaim);
  if (!claim) return retry('another process is starting it');
  try {
    const file = await readPostmasterFile(layout.clusterDirectory);
    if (file && (await runs(layout, file))) {
      return retry('another process has just started it');
    }
    await ensureCluster(layout.clusterDirectory, binaries, account, signal);
    removeEmptyPostmasterFile(layout.clusterDirectory);
    await removeLeftovers(layout);
    const server = await startSupervised(layout, binaries, account, file?.pid);
    return await waitUntilReady(site, server.directory, server.pipe, server);
  } finally {
    await claim.release();
  }
}

/** @param own the server, when this process has started it: only then its end can be told from a slow start. */
async function waitUntilReady(
  site: Site,
  socketDirectory: string,
  pipe: ClientPipe,
  own: SupervisedServer | undefined,
): Promise<Outcome> {
  const { layout, signal } = site;
  let ended: { readonly error: Error | undefined } | undefined;
  void own?.ended.then((error) => {
    ended = { error };
  });
  try {
    for (;;) {
      if (own && ended) return await explainEnd(own, ended.error, layout.logFile);
      const file = await readPostmasterFile(layout.clusterDirectory);
      const isOurs = file !== undefined && serverDirectoryOf(layout, file) === socketDirectory;
      if (isOurs && file.acceptsConnections && (await listens(socketDirectory))) {
        return { kind: 'Open', postgres: openServer(site, socketDirectory, pipe) };
      }
      if (!own && (!isOurs || !(await runs(layout, file)))) {
        pipe.release();
        return retry('the server that ran has ended');
      }
      await sleep(READY_POLL_MS, undefined, { signal });
    }
  } catch (error) {
    pipe.release();
    throw error;
  }
}

/** What a server logs when another one has the database, or is just about to take or leave it. */
const KEPT_OUT =
  /lock file "postmaster\.pid" (already exists|is empty)|could not remove old lock file|pre-existing shared memory block/;

/** A server that another one kept from starting is no failure; every other end is. */
async function explainEnd(
  server: SupervisedServer,
  error: Error | undefined,
  logFile: string,
): Promise<Outcome> {
  server.pipe.release();
  const log = await server.logTail();
  if (!error && KEPT_OUT.test(log)) {
    return retry('another server was using the database');
  }
  throw new EmbeddedPostgresError(
    'ServerFailed',
    `the embedded Postgres ended while it started: ${error?.message ?? (log || 'it logged nothing')}\nIts log: ${logFile}`,
    error && { cause: error },
  );
}

function openServer(site: Site, host: string, pipe: ClientPipe): EmbeddedPostgres {
  return {
    connection: { host, port: SERVER_PORT, user: SUPERUSER, database: DATABASE },
    dataDir: site.layout.dataDirectory,
    close: async () => pipe.release(),
  };
}

/** Whether somebody listens on the socket: the file of a server that was just killed still says "ready". */
function listens(socketDirectory: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection(join(socketDirectory, SOCKET_NAME));
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

/** Nobody would stop this server, nor any that is started while it runs. Its clients see it end, and open a new one. */
async function stopUnsupervised(clusterDirectory: string, pid: number): Promise<void> {
  if (!(await isServerOf(clusterDirectory, pid))) return;
  try {
    process.kill(pid, 'SIGINT');
  } catch {
    // It has ended by itself, or it is not ours to end: the deadline reports the latter.
  }
}

function retry(because: string): Outcome {
  return { kind: 'Retry', because };
}
