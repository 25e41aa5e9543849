import { createHash } from 'node:crypto';

/** Where notifications go, as the administrator configured it. */
export interface NotificationTarget {
  readonly url: URL;
  /** Tells it from the others without telling its URL, which may hold secrets. */
  readonly id: string;
  /** For people: scheme, host and port alone. */
  readonly origin: string;
}

/** A URL of the administrator's that cannot be used. The message does not repeat it: it may hold secrets. */
export class InvalidTargetError extends Error {
  override readonly name = 'InvalidTargetError';
}

const LOOPBACK: readonly string[] = ['localhost', '127.0.0.1', '[::1]'];

/**
 * @param withToken a token goes along, which nobody on the way may read
 * @throws InvalidTargetError
 */
export function notificationTarget(text: string, withToken: boolean): NotificationTarget {
  if (!URL.canParse(text))
    throw new InvalidTargetError('it is not a URL, such as https://hooks.example.com/batchtest');
  const url = new URL(text);
  if (url.protocol !== 'https:' && url.protocol !== 'http:')
    throw new InvalidTargetError(`it must begin with https:// or http://, not ${url.protocol}`);
  if (withToken && url.protocol === 'http:' && !LOOPBACK.includes(url.hostname))
    throw new InvalidTargetError(`a token goes over https: only, and ${url.origin} is not`);
  if (withToken && url.username !== '')
    throw new InvalidTargetError(`a token and a user in the URL (${url.origin}) exclude each other`);
  if (!isDecodable(url.username) || !isDecodable(url.password))
    throw new InvalidTargetError(`in the user and password of its URL (${url.origin}) % is written as %25`);
  return {
    url,
    id: createHash('sha256').update(url.href).digest('hex').slice(0, 16),
    origin: url.origin,
  };
}

function isDecodable(text: string): boolean {
  try {
    decodeURIComponent(text);
    return true;
  } catch {
    return false;
  }
}
