import { ResultStoreUnavailableError } from '../result-store.ts';

interface Unavailability {
  readonly reason: string;
  readonly message: string;
}

/** The reason when the database has no schema of results. Whoever may create it does so by opening the store. */
export const SCHEMA_MISSING = 'SchemaMissing';

const because = (reason: string, message: string): Unavailability => ({ reason, message });

const TOO_MANY_CONNECTIONS = because('TooManyConnections', 'the database server takes no more connections');
const CONNECTION_REFUSED = because('ConnectionRefused', 'nothing accepts connections there');
const CONNECTION_LOST = because('ConnectionLost', 'the connection was lost');
const UNREACHABLE = because('Unreachable', 'the database server cannot be reached');
const TIMEOUT = because('Timeout', 'the database did not answer in time');
const LOCK_TIMEOUT = because('LockTimeout', 'another process held a lock for too long');
const CONTENTION = because('Contention', 'other writers kept this one from committing');
const ACCESS_DENIED = because('AccessDenied', 'the database refuses this user or its password');
const DATABASE_MISSING = because('DatabaseMissing', 'there is no such database');
const SCHEMA_GONE = because(
  SCHEMA_MISSING,
  'the schema of results is missing in the database, or not that of this version',
);
const tlsFailed = (what: string): Unavailability => because('TlsFailed', what);
const TLS_FAILED = tlsFailed('no TLS connection that satisfies the sslmode of the database URL');
const TLS_UNTRUSTED = tlsFailed(
  "the certificate of the database server is signed by none of the authorities that are trusted, which are those of the URL's sslrootcert, or without it those of Node",
);
const TLS_NOT_OFFERED = tlsFailed(
  'the database server takes no TLS connection, which the sslmode of the URL expects',
);

/** By the code that Node gives to what it did not accept of a certificate. */
const BY_TLS_CODE: Readonly<Record<string, Unavailability>> = {
  ERR_TLS_CERT_ALTNAME_INVALID: tlsFailed(
    "the certificate of the database server is not for the host of the URL, as sslmode=verify-full expects; connect by one of the certificate's names",
  ),
  CERT_HAS_EXPIRED: tlsFailed('the certificate of the database server has expired'),
  DEPTH_ZERO_SELF_SIGNED_CERT: TLS_UNTRUSTED,
  SELF_SIGNED_CERT_IN_CHAIN: TLS_UNTRUSTED,
  UNABLE_TO_GET_ISSUER_CERT: TLS_UNTRUSTED,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: TLS_UNTRUSTED,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: TLS_UNTRUSTED,
};

/** By SQLSTATE (https://www.postgresql.org/docs/current/errcodes-appendix.html), or by class where the code is not listed. */
const BY_SQLSTATE: Readonly<Record<string, Unavailability>> = {
  '08': CONNECTION_LOST,
  '25006': because('ReadOnly', 'the database is read-only'),
  '25P03': TIMEOUT,
  '25P04': TIMEOUT,
  '28': ACCESS_DENIED,
  '3D000': DATABASE_MISSING,
  // As in a database that was made anew under its users.
  '3F000': SCHEMA_GONE,
  '42P01': SCHEMA_GONE,
  '42883': SCHEMA_GONE,
  '40001': CONTENTION,
  '40P01': CONTENTION,
  '42501': because('PermissionDenied', 'the database user lacks a privilege'),
  '53': because('OutOfResources', 'the database server is out of resources'),
  '53100': because('DiskFull', 'the disk of the database server is full'),
  '53300': TOO_MANY_CONNECTIONS,
  '55P03': LOCK_TIMEOUT,
  '57014': TIMEOUT,
  '57P01': because('ServerStopped', 'the database server closed the connection'),
  '57P02': because('ServerStopped', 'the database server crashed and recovers'),
  '57P03': because('ServerStarting', 'the database server is starting or stopping'),
  '57P04': DATABASE_MISSING,
  '57P05': CONNECTION_LOST,
  '58030': because('StorageFailed', 'the database server cannot read or write its files'),
};

const BY_SYSTEM_ERROR: Readonly<Record<string, Unavailability>> = {
  ECONNREFUSED: CONNECTION_REFUSED,
  // The socket file of a server that does not run.
  ENOENT: CONNECTION_REFUSED,
  // The socket's queue is full.
  EAGAIN: TOO_MANY_CONNECTIONS,
  ECONNRESET: CONNECTION_LOST,
  ECONNABORTED: CONNECTION_LOST,
  EPIPE: CONNECTION_LOST,
  ETIMEDOUT: UNREACHABLE,
  EHOSTUNREACH: UNREACHABLE,
  ENETUNREACH: UNREACHABLE,
  EHOSTDOWN: UNREACHABLE,
  ENETDOWN: UNREACHABLE,
  EADDRNOTAVAIL: UNREACHABLE,
  ENOTFOUND: because('HostNotFound', 'the name of the database server cannot be resolved'),
  EAI_AGAIN: because('HostNotFound', 'the name of the database server cannot be resolved now'),
  EAI_FAIL: because('HostNotFound', 'the name of the database server cannot be resolved now'),
  ENFILE: because('OutOfResources', 'this machine has too many open files'),
  EMFILE: because('OutOfResources', 'this process has too many open files'),
};

/** The errors that pg throws without a code, by how their message begins. */
const BY_CLIENT_MESSAGE: readonly (readonly [string, Unavailability])[] = [
  ['Connection terminated due to connection timeout', UNREACHABLE],
  ['Connection terminated', CONNECTION_LOST],
  ['Client has encountered a connection error', CONNECTION_LOST],
  ['Client was closed', CONNECTION_LOST],
  ['timeout expired', UNREACHABLE],
  ['timeout exceeded when trying to connect', because('PoolExhausted', 'no connection became free in time')],
  // Without a password, or with one that is empty, where the server wants one.
  ['SASL: ', ACCESS_DENIED],
  ['Query read timeout', TIMEOUT],
  ['The server does not support SSL connections', TLS_NOT_OFFERED],
  ['There was an error establishing an SSL connection', TLS_FAILED],
];

const TLS_ERROR = /^(ERR_TLS_|ERR_SSL_|CERT_|UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|HOSTNAME_MISMATCH|EPROTO)/;

/**
 * The one place that tells "not now" from a defect. An error of the first kind becomes a ResultStoreUnavailableError, whose message
 * carries the code but not the text of the original, nor the original as its cause: those name hosts and users. Every other error
 * is wrapped with what was being done.
 * @param doing what failed, such as `open run 1234`
 * @param server that was to be reached
 */
export function storeError(error: unknown, doing: string, server?: string): Error {
  if (error instanceof ResultStoreUnavailableError) return error;
  const unavailability = unavailabilityOf(error);
  if (unavailability === undefined) return new Error(`${doing}: ${messageOf(error)}`, { cause: error });
  const code = codeOf(error);
  return new ResultStoreUnavailableError(
    unavailability.reason,
    `${doing}: ${unavailability.message}${code === undefined ? '' : ` (${code})`}`,
    { server },
  );
}

/** True for an error that the same statement may not meet again: a serialization failure or a deadlock; nothing was written. */
export function isContention(error: unknown): boolean {
  return unavailabilityOf(error) === CONTENTION;
}

function unavailabilityOf(error: unknown): Unavailability | undefined {
  const code = codeOf(error);
  if (code !== undefined && /^[0-9A-Z]{5}$/.test(code) && BY_SYSTEM_ERROR[code] === undefined)
    return BY_SQLSTATE[code] ?? BY_SQLSTATE[code.slice(0, 2)];
  if (code !== undefined && TLS_ERROR.test(code)) return BY_TLS_CODE[code] ?? TLS_FAILED;
  if (code !== undefined) return BY_SYSTEM_ERROR[code];
  const message = messageOf(error);
  return BY_CLIENT_MESSAGE.find(([beginning]) => message.startsWith(beginning))?.[1];
}

/** The code of an error: an SQLSTATE, or that of a system error; undefined when it has none. */
export const codeOf = (error: unknown): string | undefined =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
