import { execFile } from 'node:child_process';
import { access, chown, mkdtemp, open, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { errorCode } from '../../../error-code.ts';
import type { PostgresBinaries } from './binaries.ts';
import { CHILD_ENVIRONMENT } from './child-environment.ts';
import { EmbeddedPostgresError } from './embedded-postgres-error.ts';
import type { ServerAccount } from './server-account.ts';
import { SUPERUSER } from './server-settings.ts';

/**
 * Creates the database cluster if it does not exist. It is built beside its final place, synchronised to disk and
 * renamed, so it is whole or absent after any crash.
 *
 * @throws EmbeddedPostgresError when `initdb` fails.
 */
export async function ensureCluster(
  clusterDirectory: string,
  binaries: PostgresBinaries,
  account: ServerAccount | undefined,
  signal: AbortSignal,
): Promise<void> {
  if (!(await isCluster(clusterDirectory))) {
    await buildCluster(clusterDirectory, binaries, account, signal);
  }
}

/** The prefix of directories in which clusters are built; those of a crashed process stay behind. */
export function buildDirectoryPrefix(clusterDirectory: string): string {
  return `${clusterDirectory}.initdb-`;
}

async function isCluster(directory: string): Promise<boolean> {
  try {
    await access(join(directory, 'PG_VERSION'));
    return true;
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return false;
    throw new EmbeddedPostgresError(
      'DataDirectoryUnusable',
      `cannot read the database in ${directory}: ${error}`,
      {
        cause: error,
      },
    );
  }
}

async function buildCluster(
  clusterDirectory: string,
  binaries: PostgresBinaries,
  account: ServerAccount | undefined,
  signal: AbortSignal,
): Promise<void> {
  const building = await mkdtemp(buildDirectoryPrefix(clusterDirectory));
  try {
    if (account) await chown(building, account.uid, account.gid);
    await runInitdb(building, binaries.initdb, account, signal);
    await rename(building, clusterDirectory);
    await syncDirectory(dirname(clusterDirectory));
  } catch (error) {
    await rm(building, { recursive: true, force: true, maxRetries: 5 });
    if (!isTaken(error)) throw error;
    if (await isCluster(clusterDirectory)) return;
    throw new EmbeddedPostgresError(
      'DataDirectoryUnusable',
      `${clusterDirectory} is not empty and is not a database: move it away, or choose another data directory.`,
      { cause: error },
    );
  }
}

function isTaken(error: unknown): boolean {
  const code = errorCode(error);
  return code === 'ENOTEMPTY' || code === 'EEXIST' || code === 'ENOTDIR';
}

async function runInitdb(
  directory: string,
  initdb: string,
  account: ServerAccount | undefined,
  signal: AbortSignal,
): Promise<void> {
  const settings = ['--set', 'max_connections=40', '--set', 'shared_buffers=32MB'];
  const locale = ['--encoding', 'UTF8', '--locale', 'C'];
  // One syncfs call instead of a thousand fsyncs; macOS has none.
  const sync = process.platform === 'linux' ? ['--sync-method', 'syncfs'] : [];
  const access = ['--username', SUPERUSER, '--auth', 'trust', '--no-instructions'];
  try {
    await promisify(execFile)(initdb, ['--pgdata', directory, ...access, ...locale, ...settings, ...sync], {
      ...account,
      cwd: '/',
      env: CHILD_ENVIRONMENT,
      signal,
    });
  } catch (error) {
    signal.throwIfAborted();
    throw initializationError(initdb, directory, error);
  }
}

function initializationError(initdb: string, directory: string, error: unknown): EmbeddedPostgresError {
  const code = errorCode(error);
  // The file is there, so what cannot be found is the dynamic loader it names.
  if (code === 'ENOENT' || code === 'ENOEXEC') {
    return new EmbeddedPostgresError(
      'UnsupportedPlatform',
      `${initdb} cannot run on this system (it needs the GNU C library). Set DATABASE_URL to use your own Postgres.`,
      { cause: error },
    );
  }
  const stderr = error instanceof Error && 'stderr' in error ? String(error.stderr).trim() : '';
  return new EmbeddedPostgresError(
    'InitializationFailed',
    `initdb could not create a database in ${dirname(directory)}: ${stderr || String(error)}\nTo use your own Postgres instead, set DATABASE_URL.`,
    { cause: error },
  );
}

async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
