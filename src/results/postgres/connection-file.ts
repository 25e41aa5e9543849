import { readFile } from 'node:fs/promises';
import { parseIntoClientConfig } from 'pg-connection-string';
import { ResultStoreUnavailableError } from '../result-store.ts';
import { type PostgresConnection, withLibpqMeaning } from './connection-pool.ts';

/**
 * The connection of a file that holds a URL, as a mounted Secret does. The password is read anew for each connection that is made, so that it may be
 * rotated while the process runs; host, user and database are those of now.
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

async function configOf(path: string) {
  let text: string;
  try {
    text = (await readFile(path, 'utf8')).trim();
  } catch (cause) {
    throw unusable(`the file of the database's URL cannot be read: ${path}`, cause);
  }
  // The parser takes anything for a path, and its errors repeat what it was given.
  if (!/^postgres(ql)?:\/\//.test(text))
    throw unusable(`${path} does not hold a URL such as postgres://USER:PASSWORD@HOST/DATABASE`);
  try {
    return parseIntoClientConfig(withLibpqMeaning(text));
  } catch {
    throw unusable(`${path} does not hold a URL such as postgres://USER:PASSWORD@HOST/DATABASE`);
  }
}

const unusable = (message: string, cause?: unknown): ResultStoreUnavailableError =>
  new ResultStoreUnavailableError('InvalidConfiguration', message, { cause });
