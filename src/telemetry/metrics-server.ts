import { readFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { type CertificatePair, expiryOf, followCertificate } from '../http/followed-certificate.ts';
import { closed, type ListenAddress, listening } from '../http/listening-server.ts';
import type { Metrics } from './metrics.ts';
import { MetricsServerError } from './metrics-server-error.ts';

/** Whether somebody may read the metrics; `Unavailable` when that could not be found out, which gives nothing away either. */
export type Access = 'Allowed' | 'Unauthenticated' | 'Forbidden' | 'Unavailable';

/** Where metrics are served, and to whom. */
export interface MetricsServerOptions extends ListenAddress {
  /** HTTPS, for those who show a token that is allowed to; undefined: plain HTTP, for everybody who can connect. */
  readonly secure?: SecureAccess;
}

export interface SecureAccess {
  /** PEM files. They are read again from time to time, as a certificate is renewed in place. */
  readonly certFile: string;
  readonly keyFile: string;
  /** @param authorization the header of the request */
  readonly decide: (authorization: string | undefined) => Promise<Access>;
  /** Told of renewed files that cannot be used; the earlier certificate stays. */
  readonly onProblem: (error: unknown) => void;
  /** How often the files are read again, in milliseconds. Default: every minute. */
  readonly lookEveryMs?: number;
}

export interface MetricsServer {
  /** The port it listens on. */
  readonly port: number;
  close(): Promise<void>;
}

const LOOK_INTERVAL_MS = 60_000;
/** A request that comes in drips, or a handshake that does not come, must not hold a connection for ever. */
const REQUEST_TIMEOUT_MS = 10_000;
const PLAIN = { 'content-type': 'text/plain; charset=utf-8' } as const;

const REFUSALS: Readonly<
  Record<Exclude<Access, 'Allowed'>, { readonly status: number; readonly text: string }>
> = {
  Unauthenticated: { status: 401, text: 'a valid bearer token of the cluster is needed' },
  Forbidden: { status: 403, text: 'this token may not get /metrics' },
  Unavailable: { status: 503, text: 'whether this token may get /metrics cannot be found out now' },
};

/**
 * Serves `/metrics`.
 * @throws MetricsServerError when it cannot listen there, or a certificate cannot be used
 */
export async function startMetricsServer(
  options: MetricsServerOptions,
  metrics: Metrics,
): Promise<MetricsServer> {
  const { host, port, secure } = options;
  const answer = (request: IncomingMessage, response: ServerResponse): void => {
    respond(request, response, metrics, secure).catch(() => {
      if (!response.headersSent) response.writeHead(500, PLAIN);
      response.end();
    });
  };
  const { server, stop } =
    secure === undefined
      ? { server: createServer(answer), stop: () => {} }
      : await tlsServer(secure, answer, metrics);
  server.requestTimeout = REQUEST_TIMEOUT_MS;
  try {
    const listensOn = await listening(server, { host, port });
    return {
      port: listensOn,
      close: () => {
        stop();
        return closed(server);
      },
    };
  } catch (cause) {
    stop();
    const where = host === undefined ? `port ${port}` : `${host}:${port}`;
    throw new MetricsServerError(`metrics cannot be served on ${where}: ${messageOf(cause)}`, { cause });
  }
}

async function respond(
  request: IncomingMessage,
  response: ServerResponse,
  metrics: Metrics,
  secure: SecureAccess | undefined,
): Promise<void> {
  const access = secure === undefined ? 'Allowed' : await secure.decide(request.headers.authorization);
  if (access !== 'Allowed') {
    const { status, text } = REFUSALS[access];
    const challenge = status === 401 ? { 'www-authenticate': 'Bearer' } : {};
    response.writeHead(status, { ...PLAIN, ...challenge }).end(`${text}\n`);
    return;
  }
  if (request.url?.split('?')[0] !== '/metrics' || (request.method !== 'GET' && request.method !== 'HEAD')) {
    response.writeHead(404, PLAIN).end('not found; there is GET /metrics\n');
    return;
  }
  const text = await metrics.text();
  response.writeHead(200, { 'content-type': metrics.contentType }).end(text);
}

async function tlsServer(
  secure: SecureAccess,
  answer: (request: IncomingMessage, response: ServerResponse) => void,
  metrics: Metrics,
): Promise<{ readonly server: Server; readonly stop: () => void }> {
  const first = await readPair(secure);
  const server = createTlsServer(
    {
      ...{ cert: first.cert, key: first.key, minVersion: 'TLSv1.2' },
      handshakeTimeout: REQUEST_TIMEOUT_MS,
    },
    answer,
  );
  metrics.certificate.expires('metrics', first.expiresAt);
  const stop = followCertificate(first, {
    everyMs: secure.lookEveryMs ?? LOOK_INTERVAL_MS,
    read: () => readPair(secure),
    use: ({ cert, key, expiresAt }) => {
      server.setSecureContext({ cert, key, minVersion: 'TLSv1.2' });
      metrics.certificate.expires('metrics', expiresAt);
    },
    onProblem: secure.onProblem,
  });
  return { server, stop };
}

interface DatedPair extends CertificatePair {
  /** Milliseconds since the epoch. */
  readonly expiresAt: number;
}

/** @throws MetricsServerError that names the file */
async function readPair({ certFile, keyFile }: SecureAccess): Promise<DatedPair> {
  const [cert, key] = await Promise.all([read(certFile), read(keyFile)]);
  try {
    return { cert, key, expiresAt: expiryOf(cert) };
  } catch (cause) {
    throw new MetricsServerError(`${certFile} is no certificate in PEM form`, { cause });
  }
}

const read = (file: string): Promise<string> =>
  readFile(file, 'utf8').catch((cause: unknown) => {
    throw new MetricsServerError(`${file} cannot be read: ${messageOf(cause)}`, { cause });
  });

const messageOf = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause));
