import { stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { EmbeddedPostgresError } from './embedded-postgres-error.ts';

/** The user and group that run Postgres when they are not our own. */
export interface ServerAccount {
  readonly uid: number;
  readonly gid: number;
}

/** `nobody` on Debian, Alpine and current Red Hat systems. */
const NOBODY: ServerAccount = { uid: 65534, gid: 65534 };

/**
 * The account that must run Postgres, or undefined when it is ours. Postgres refuses to run as root, so root runs it
 * as `nobody`; every other user runs it as themselves.
 *
 * @throws EmbeddedPostgresError for root on macOS, whose `nobody` (uid -2) cannot own files through Node's `chown`.
 */
export function serverAccount(
  uid: number | undefined,
  platform: NodeJS.Platform = process.platform,
): ServerAccount | undefined {
  if (uid !== 0) return undefined;
  if (platform === 'darwin') {
    throw new EmbeddedPostgresError(
      'UnsupportedPlatform',
      'the embedded Postgres cannot run for root on macOS: run batchtest as a normal user, or set DATABASE_URL to use your own Postgres.',
    );
  }
  return NOBODY;
}

/**
 * The first directory on the way to `path` that the account cannot enter, or `path` itself when the account cannot
 * read it; undefined when all is well. `path` must exist and be free of symbolic links.
 */
export async function firstInaccessible(path: string, account: ServerAccount): Promise<string | undefined> {
  for (const ancestor of ancestorsFromRoot(path)) {
    const needed = ancestor === path ? 0o5 : 0o1;
    if (((await permissionsOf(ancestor, account)) & needed) !== needed) return ancestor;
  }
  return undefined;
}

function ancestorsFromRoot(path: string): readonly string[] {
  const parent = dirname(path);
  return parent === path ? [path] : [...ancestorsFromRoot(parent), path];
}

/** The read (4), write (2) and execute (1) bits that apply to the account. */
async function permissionsOf(path: string, account: ServerAccount): Promise<number> {
  const { mode, uid, gid } = await stat(path);
  if (uid === account.uid) return (mode >> 6) & 0o7;
  if (gid === account.gid) return (mode >> 3) & 0o7;
  return mode & 0o7;
}
