import { readFile } from 'node:fs/promises';
import type pg from 'pg';
import { ResultStoreUnavailableError } from '../result-store.ts';
import type { PostgresConnection } from './connection-pool.ts';
import { connectionOfUrl } from './connection-url.ts';

/**
 * The connection of a file that holds a URL, as a mounted Secret does. The password is read anew for each connection that is made, so that it may be
 * rotated while the process runs; host, user, database and certificates are those of now.
 * @throws ResultStoreUnavailableError when there is no such file, or no URL in it; its content is in no message
 */
export async function connectionFromFile(path: string): Promise<PostgresConnection> {
  const { host, port, user, database, ssl } = await configOf(path);
  return {
    ...(host === undefined ? {} : { host }),
    ...(port === undefined ? {} : { port }),
    ...(user === undefined ? {} : { user }),
    ...(database === undefined ? {} : { database }),
    ...(ssl === undefined ? {} : { ssl }),
    password: async () => {
      const { password } = await configOf(path);
      return typeof password === 'string' ? password : '';
    },
  };
}

async function configOf(path: string): Promise<pg.PoolConfig> {
  let text: string;
  try {
    text = (await readFile(path, 'utf8')).trim();
  } catch (cause) {
    throw new ResultStoreUnavailableError(
      'InvalidConfiguration',
      `the file of the database's URL cannot be read: ${path}`,
      { cause },
    );
  }
  return connectionOfUrl(text, path);
}
