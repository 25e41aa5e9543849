import { readFile } from 'node:fs/promises';

/** The message names no path. */
export class TokenUnreadableError extends Error {
  override readonly name = 'TokenUnreadableError';
}

/**
 * The token in a file, as it is now: a mounted secret is replaced while its readers run.
 * @throws TokenUnreadableError
 */
export async function bearerToken(file: string): Promise<string> {
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    const code = cause instanceof Error && 'code' in cause ? cause.code : 'unknown error';
    throw new TokenUnreadableError(`the file of the token cannot be read (${code})`, { cause });
  });
  const token = text.trim();
  if (!/^[\x21-\x7e]+$/.test(token))
    throw new TokenUnreadableError('the file of the token must hold one line of printable characters');
  return token;
}
