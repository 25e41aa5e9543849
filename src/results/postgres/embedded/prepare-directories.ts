import { access, chmod, constants, lstat, mkdir, open, realpath } from 'node:fs/promises';
import { dirname } from 'node:path';
import { errorCode } from '../../../error-code.ts';
import { EmbeddedPostgresError } from './embedded-postgres-error.ts';
import type { Layout } from './layout.ts';
import { firstInaccessible, type ServerAccount } from './server-account.ts';

const ROOT = 0;
const ADVICE = 'Choose another data directory, or set DATABASE_URL to use your own Postgres';

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
 * @throws EmbeddedPostgresError when they cannot, and for root in the data directory of another user.
 */
export async function prepareServerDirectories(
  layout: Layout,
  account: ServerAccount | undefined,
): Promise<void> {
  try {
    if (account) await refuseForeignDirectories(layout, account);
    await createDirectory(layout.postgresDirectory, account);
    await access(layout.postgresDirectory, constants.W_OK | constants.X_OK);
    await createDirectory(layout.runDirectory, account);
    await makePrivate(layout.runDirectory, account);
  } catch (error) {
    throw unusable(layout.dataDirectory, error);
  }
}

/**
 * Root may change whatever it meets. In the data directory of another user that would take their database from them, and a link
 * that they made would have it change what is elsewhere. So it touches nothing before all is found to be its own.
 */
async function refuseForeignDirectories(layout: Layout, account: ServerAccount): Promise<void> {
  for (const { path, owners } of [
    { path: layout.postgresDirectory, owners: [ROOT] },
    { path: layout.binariesDirectory, owners: [ROOT] },
    { path: layout.runDirectory, owners: [ROOT, account.uid] },
    { path: layout.clusterDirectory, owners: [ROOT, account.uid] },
  ]) {
    const found = await lstat(path).catch((error: unknown) => {
      if (errorCode(error) === 'ENOENT') return undefined;
      throw error;
    });
    if (found === undefined) continue;
    if (!owners.includes(found.uid))
      throw new Error(`${path} belongs to user ${found.uid}: run batchtest as that user`);
    if (!found.isDirectory()) throw new Error(`${path} is not a directory`);
  }
}

async function makePrivate(path: string, account: ServerAccount | undefined): Promise<void> {
  // What is changed is the directory itself, never what a link leads to.
  const directory = await open(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
  try {
    if (account) await directory.chown(account.uid, account.gid);
    await directory.chmod(0o700);
  } finally {
    await directory.close();
  }
}

/**
 * Creates a directory, with those that it is in. What is there already stays as it is.
 * @param account must be able to enter what is created; undefined: whoever the umask lets
 */
export async function createDirectory(path: string, account: ServerAccount | undefined): Promise<void> {
  for (const missing of await missingDirectories(path)) {
    try {
      await mkdir(missing);
    } catch (error) {
      // Another process was faster.
      if (errorCode(error) !== 'EEXIST') throw error;
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
      if (errorCode(error) !== 'ENOENT') throw error;
      missing.unshift(candidate);
    }
  }
  return missing;
}

/**
 * What a data directory could not be made usable with, in words for a person.
 * @param advice what to do about it
 */
export function unusable(dataDirectory: string, error: unknown, advice = ADVICE): EmbeddedPostgresError {
  if (error instanceof EmbeddedPostgresError) return error;
  const detail = error instanceof Error ? error.message : String(error);
  return new EmbeddedPostgresError(
    'DataDirectoryUnusable',
    `data directory ${dataDirectory} cannot be used: ${detail}. ${advice}.`,
    { cause: error },
  );
}
