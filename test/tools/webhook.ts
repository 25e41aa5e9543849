import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface ReceivedRequest {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  /** The JSON that came. */
  readonly body: unknown;
}

/** A receiver of notifications on this machine. */
export interface Webhook {
  readonly origin: string;
  readonly received: readonly ReceivedRequest[];
  /** What is answered from now on; `Silence`: nothing. */
  answer(status: number | 'Silence', headers?: Readonly<Record<string, string>>): void;
  close(): Promise<void>;
}

/** Starts a receiver that answers 204. */
export async function startWebhook(): Promise<Webhook> {
  const received: ReceivedRequest[] = [];
  let status: number | 'Silence' = 204;
  let answerHeaders: Readonly<Record<string, string>> = {};
  const server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      const body = Buffer.concat(parts).toString();
      received.push({
        path: request.url ?? '',
        headers: request.headers,
        body: body === '' ? undefined : JSON.parse(body),
      });
      if (status !== 'Silence') response.writeHead(status, answerHeaders).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    origin: `http://127.0.0.1:${port}`,
    received,
    answer: (next, headers = {}) => {
      status = next;
      answerHeaders = headers;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
