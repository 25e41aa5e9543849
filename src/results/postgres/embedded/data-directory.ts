import { join } from 'node:path';
import { EmbeddedPostgresError } from './embedded-postgres-error.ts';

/**
 * The per-user directory in which results are kept when the user names none.
 *
 * Linux follows the XDG Base Directory Specification (a relative `XDG_DATA_HOME` is invalid there, so it is ignored).
 * Root gets `/var/lib/batchtest`: Postgres refuses to run as root, and the unprivileged account that runs it
 * cannot enter root's home.
 *
 * @throws EmbeddedPostgresError when a normal user has neither `HOME` nor `XDG_DATA_HOME`.
 */
export function defaultDataDirectory(
  env: Readonly<Record<string, string | undefined>>,
  platform: NodeJS.Platform,
  uid: number | undefined,
): string {
  if (uid === 0 && platform !== 'darwin') return '/var/lib/batchtest';

  const xdgDataHome = env.XDG_DATA_HOME;
  if (platform !== 'darwin' && xdgDataHome?.startsWith('/')) return join(xdgDataHome, 'batchtest');

  const home = env.HOME;
  if (!home?.startsWith('/')) {
    throw new EmbeddedPostgresError(
      'DataDirectoryUnusable',
      'cannot tell where to keep results and the output of trials: HOME is not set to an absolute path. Set HOME or XDG_DATA_HOME, or name a data directory.',
    );
  }
  return platform === 'darwin'
    ? join(home, 'Library', 'Application Support', 'batchtest')
    : join(home, '.local', 'share', 'batchtest');
}
