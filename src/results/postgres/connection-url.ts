import type pg from 'pg';
import { parseIntoClientConfig } from 'pg-connection-string';
import { ResultStoreUnavailableError } from '../result-store.ts';

/**
 * What a connection URL says, with the files of certificates read that it names.
 * @param source what holds the URL, for messages: its content is in none
 * @throws ResultStoreUnavailableError when it is no URL, or a file that it names cannot be read
 */
export function connectionOfUrl(url: string, source: string): pg.PoolConfig {
  // The parser takes anything for a path, and its errors repeat what it was given.
  if (!/^postgres(ql)?:\/\//.test(url)) throw noUrl(source);
  try {
    return parseIntoClientConfig(withLibpqMeaning(url));
  } catch (error) {
    const { code, path } = error as NodeJS.ErrnoException;
    if (path !== undefined)
      throw unusable(
        `sslrootcert, sslcert or sslkey in ${source} names a file that cannot be read: ${path} (${code})`,
      );
    if (/[?&]sslmode=verify-ca\b/.test(url) && !url.includes('sslrootcert='))
      throw unusable(
        `sslmode=verify-ca in ${source} needs sslrootcert, the file of the authority that signed the server's certificate`,
      );
    throw noUrl(source);
  }
}

/**
 * pg takes `prefer`, `require` and `verify-ca` for `verify-full` unless told to read them as every other Postgres client does; the
 * owner of a URL wrote it for those.
 */
const withLibpqMeaning = (url: string): string =>
  /[?&]sslmode=(prefer|require|verify-ca)\b/.test(url) && !url.includes('uselibpqcompat=')
    ? `${url}&uselibpqcompat=true`
    : url;

const noUrl = (source: string): Error =>
  unusable(`${source} does not hold a URL such as postgres://USER:PASSWORD@HOST/DATABASE`);

const unusable = (message: string): Error => new ResultStoreUnavailableError('InvalidConfiguration', message);
