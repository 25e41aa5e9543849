import { access, chmod, chown, constants, mkdir, realpath } from 'node:fs/promises';
import { dirname } from 'node:path';
import { EmbeddedPostgresError } from './embedded-postgres-error.ts';
import type { Layout } from './layout.ts';
import { firstInaccessible, type ServerAccount } from './server-account.ts';

const ADVICE = 'Choose another data directory, or set DATABASE_URL to use your own Postgres.';

/**
 * Creates the data directory and returns its real path.
 *
 * @throws EmbeddedPostgresError when it cannot be created or written, or when the server's account cannot enter it.
 */
export async function prepareDataDirectory(
  dataDirectory: string,
  account: ServerAccount | undefined,
): Promise<string> {
  try {
    await createDirectory(dataDirectory, account);
    const real = await realpath(dataDirectory);
    const obstacle = account && (await firstInaccessible(real, account));
    if (!obstacle) return real;
    throw new EmbeddedPostgresError(
      'DataDirectoryUnusable',
      `data directory ${dataDirectory}: root runs Postgres as the unprivileged user ${account.uid}, which may not enter ${obstacle}. Use a directory every user can enter, such as /var/lib/batchtest, or set DATABASE_URL to use your own Postgres.`,
    );
  } catch (error) {
    throw unusable(dataDirectory, error);
  }
}

/**
 * Creates the directories a server needs and checks that they can be written.
 *
 * @throws EmbeddedPostgresError when they cannot.
 */
export async function prepareServerDirectories(
  layout: Layout,
  account: ServerAccount | undefined,
): Promise<void> {
  try {
    await createDirectory(layout.postgresDirectory, account);
    await access(layout.postgresDirectory, constants.W_OK | constants.X_OK);
    await createDirectory(layout.runDirectory, account);
    if (account) await chown(layout.runDirectory, account.uid, account.gid);
    await chmod(layout.runDirectory, 0o700);
  } catch (error) {
    throw unusable(layout.dataDirectory, error);
  }
}

async function createDirectory(path: string, account: ServerAccount | undefined): Promise<void> {
  for (const missing of await missingDirectories(path)) {
    try {
      await mkdir(missing);
    } catch (error) {
      // Another process was faster.
      if (!isErrorCode(error, 'EEXIST')) throw error;
      continue;
    }
    // Root's umask may be 077; the server's account has to pass through what root has just created.
    if (account) await chmod(missing, 0o755);
  }
}

/** Outermost first. Not left to `mkdir({recursive: true})`, which never returns where the file system refuses with ENOENT, as /proc does. */
async function missingDirectories(path: string): Promise<readonly string[]> {
  const missing: string[] = [];
  for (let candidate = path; candidate !== dirname(candidate); candidate = dirname(candidate)) {
    try {
      await access(candidate);
      break;
    } catch (error) {
      if (!isErrorCode(error, 'ENOENT')) throw error;
      missing.unshift(candidate);
    }
  }
  return missing;
}

const isErrorCode = (error: unknown, code: string): boolean =>
  error instanceof Error && 'code' in error && error.code === code;

function unusable(dataDirectory: string, error: unknown): EmbeddedPostgresError {
  if (error instanceof EmbeddedPostgresError) return error;
  const detail = error instanceof Error ? error.message : String(error);
  return new EmbeddedPostgresError(
    'DataDirectoryUnusable',
    `data directory ${dataDirectory} cannot be used: ${detail}. ${ADVICE}`,
    { cause: error },
  );
}
