import { createServer } from 'node:http';
import { closed, type ListenAddress, listening } from '../http/listening-server.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { HealthServerError } from './health-server-error.ts';

/** A check that answers undefined when all is well, or a sentence that says what is not. */
export type HealthCheck = () => string | undefined;

export interface HealthChecks {
  readonly live: HealthCheck;
  readonly ready: HealthCheck;
  /** What is not as it should be though it can be counted on: told after the `ok`. */
  readonly butFor: HealthCheck;
}

export interface HealthServer {
  /** The port it listens on; the one that was asked for unless that was 0. */
  readonly port: number;
  close(): Promise<void>;
}

/**
 * Serves `/healthz` (restart me when this fails) and `/readyz` (do not count on me while this fails): 200 and `ok`, or 503 and the
 * reason; and `/metrics` for Prometheus, unless that is served elsewhere. An outage of Postgres fails neither once the store was opened: it is waited out, and a restart would not end it.
 * @throws HealthServerError when the address cannot be listened on
 */
export async function startHealthServer(
  address: ListenAddress,
  checks: HealthChecks,
  metrics: Pick<Metrics, 'text' | 'contentType'> | undefined,
): Promise<HealthServer> {
  const server = createServer((request, response) => {
    if (metrics !== undefined && request.url === '/metrics') {
      metrics.text().then(
        (text) => response.writeHead(200, { 'content-type': metrics.contentType }).end(text),
        () => response.writeHead(500, PLAIN).end('the metrics could not be read\n'),
      );
      return;
    }
    const check =
      request.url === '/healthz' ? checks.live : request.url === '/readyz' ? checks.ready : undefined;
    if (check === undefined) {
      response
        .writeHead(404, PLAIN)
        .end(`not found; there are ${metrics === undefined ? '' : '/metrics, '}/healthz and /readyz\n`);
      return;
    }
    const problem = check();
    const exception = check === checks.ready ? checks.butFor() : undefined;
    const fine = exception === undefined ? 'ok' : `ok, but for ${exception}`;
    response.writeHead(problem === undefined ? 200 : 503, PLAIN).end(`${problem ?? fine}\n`);
  });
  const port = await listening(server, address).catch((cause: Error) => {
    const where = `${address.host ?? 'every address'}:${address.port}`;
    throw new HealthServerError(`the health cannot be served on ${where}: ${cause.message}`, { cause });
  });
  return { port, close: () => closed(server) };
}

const PLAIN = { 'content-type': 'text/plain; charset=utf-8' } as const;
