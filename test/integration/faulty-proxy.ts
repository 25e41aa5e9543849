import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { Agent, createServer as createTlsServer, request as httpsRequest } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { dirname, join } from 'node:path';
import { StringDecoder } from 'node:string_decoder';
import type { ClusterAccess } from '../../src/engine/kubernetes/cluster-access.ts';
import type { ClusterCredentials } from '../tools/kubeconfig.ts';

/** What the proxy does with one request. */
export type Fault =
  | { readonly kind: 'Forward' }
  /** Answers itself; the server never hears of it. */
  | {
      readonly kind: 'Answer';
      readonly status: number;
      readonly headers?: Readonly<Record<string, string>>;
      readonly body?: string;
    }
  /** The server does it, and the connection breaks before the answer is through. */
  | { readonly kind: 'LoseAnswer' }
  /** Takes the request and never says anything. */
  | { readonly kind: 'Hang' }
  /** The server hears of it once this has resolved. */
  | { readonly kind: 'Hold'; readonly until: Promise<unknown> }
  /** The server does it; what becomes of its answer is asked then. */
  | { readonly kind: 'Intercept'; readonly answered: (status: number) => Promise<'Deliver' | 'Lose'> }
  /** The server does it, and the proxy answers in its place that it took too long. */
  | { readonly kind: 'TimeOut' };

/** One line of a watch, as far as faults look at it. */
export interface WatchLine {
  readonly type: string;
  readonly object: {
    readonly kind: string;
    readonly metadata: { readonly name: string; readonly uid: string; readonly resourceVersion: string };
  };
}

/** What becomes of the lines of one watch: each may be delivered never, later, more than once, or changed. */
export type WatchShaper = (line: WatchLine, deliver: (line: WatchLine) => void) => void;

export interface ProxiedRequest {
  readonly method: string;
  /** With its query. */
  readonly url: string;
  readonly isWatch: boolean;
  /** `performance.now()` of its arrival. */
  readonly at: number;
}

export const FORWARD: Fault = { kind: 'Forward' };

/** A proxy in front of the real API server, that breaks things as told. */
export interface FaultyProxy {
  readonly access: ClusterAccess;
  /** Every request so far. */
  readonly requests: readonly ProxiedRequest[];
  /** Decides what becomes of each request from now on. */
  onRequest(decide: (request: ProxiedRequest) => Fault): void;
  /** Has the lines of watches that are opened from now on delivered by a shaper of their own; as they come where that is undefined. */
  onWatch(shaperOf: (request: ProxiedRequest) => WatchShaper | undefined): void;
  /** How many watches the server has answered and nothing has ended yet. */
  openWatches(): number;
  /** Ends the watches that are open, and none that is yet to be answered: in good order, or by a reset. */
  cutWatches(how: 'End' | 'Reset'): void;
  /** From now on watches stay open and carry nothing, those that are yet to be opened as well: half-open connections. */
  freezeWatches(): void;
  /** Breaks the frozen watches; new ones carry events again. */
  thawWatches(): void;
  close(): Promise<void>;
}

/** The API server's own: who trusts the server trusts the proxy before it. */
export async function serverCertificate(
  kubeconfigPath: string,
): Promise<{ readonly key: string; readonly cert: string }> {
  const read = (name: string) => readFile(join(dirname(kubeconfigPath), 'certificates', name), 'utf8');
  const [key, cert] = await Promise.all([read('apiserver.key'), read('apiserver.crt')]);
  return { key, cert };
}

/** @param tls to serve https with, as a kubeconfig demands it; plain http without */
export async function openFaultyProxy(
  upstream: ClusterCredentials,
  tls?: { readonly key: string; readonly cert: string },
): Promise<FaultyProxy> {
  const requests: ProxiedRequest[] = [];
  const watches = new Set<ServerResponse>();
  /** By the port of their client, beneath TLS where there is any. */
  const sockets = new Map<number | undefined, Socket>();
  const agent = new Agent({ keepAlive: true, ca: upstream.certificateAuthority });
  let isFrozen = false;
  let decide: (request: ProxiedRequest) => Fault = () => FORWARD;
  let shaperOf: (request: ProxiedRequest) => WatchShaper | undefined = () => undefined;

  const reset = ({ socket }: ServerResponse) => sockets.get(socket?.remotePort)?.resetAndDestroy();

  const forward = (
    request: IncomingMessage,
    response: ServerResponse,
    onAnswer: (answer: IncomingMessage, response: ServerResponse) => void,
  ) => {
    const onward = httpsRequest(
      `${upstream.url}${request.url}`,
      {
        method: request.method ?? 'GET',
        agent,
        headers: {
          authorization: `Bearer ${upstream.token}`,
          ...request.headers,
          host: new URL(upstream.url).host,
        },
      },
      (answer) => onAnswer(answer, response),
    );
    onward.once('error', () => response.socket?.destroy());
    request.pipe(onward);
  };

  const deliver = (answer: IncomingMessage, response: ServerResponse): void => {
    response.writeHead(answer.statusCode ?? 502, answer.headers);
    answer.pipe(response);
  };

  const deliverWatch = (
    answer: IncomingMessage,
    response: ServerResponse,
    shape: WatchShaper = (line, pass) => pass(line),
  ): void => {
    response.writeHead(answer.statusCode ?? 502, answer.headers);
    response.flushHeaders();
    const decoder = new StringDecoder('utf8');
    let rest = '';
    answer.on('data', (chunk: Buffer) => {
      // What is frozen never arrives: a thaw breaks the connection.
      if (isFrozen) return;
      const lines = (rest + decoder.write(chunk)).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines)
        shape(JSON.parse(line), (shaped) => {
          if (!isFrozen && !response.writableEnded) response.write(`${JSON.stringify(shaped)}\n`);
        });
    });
    answer.once('end', () => isFrozen || response.end());
    answer.on('error', () => response.socket?.destroy());
    watches.add(response);
    response.once('close', () => {
      watches.delete(response);
      answer.destroy();
    });
  };

  const intercept = async (
    answer: IncomingMessage,
    response: ServerResponse,
    answered: (status: number) => Promise<'Deliver' | 'Lose'>,
  ): Promise<void> => {
    const chunks: Buffer[] = [];
    for await (const chunk of answer) chunks.push(chunk);
    const status = answer.statusCode ?? 502;
    if ((await answered(status)) === 'Lose') {
      reset(response);
      return;
    }
    response.writeHead(status, answer.headers);
    response.end(Buffer.concat(chunks));
  };

  const serve = (request: IncomingMessage, response: ServerResponse): void => {
    const { method = 'GET', url = '/' } = request;
    const isWatch = new URL(url, 'http://proxy').searchParams.get('watch') === 'true';
    const seen = { method, url, isWatch, at: performance.now() };
    requests.push(seen);
    const fault = decide(seen);
    const pass = () => {
      const shaper = isWatch ? shaperOf(seen) : undefined;
      forward(request, response, isWatch ? (answer) => deliverWatch(answer, response, shaper) : deliver);
    };
    switch (fault.kind) {
      case 'Forward':
        pass();
        return;
      case 'Hold':
        fault.until.then(pass, () => response.socket?.destroy());
        return;
      case 'LoseAnswer':
        forward(request, response, (answer) => {
          answer.resume().once('end', () => reset(response));
        });
        return;
      case 'TimeOut':
        forward(request, response, (answer) => {
          answer.resume().once('end', () => {
            response.writeHead(504);
            response.end('upstream request timeout');
          });
        });
        return;
      case 'Intercept':
        forward(request, response, (answer) => {
          intercept(answer, response, fault.answered).catch(() => response.socket?.destroy());
        });
        return;
      case 'Answer':
        request.resume();
        response.writeHead(fault.status, { 'content-type': 'application/json', ...fault.headers });
        response.end(fault.body ?? '{}');
        return;
      case 'Hang':
        request.resume();
        return;
    }
  };
  const server = tls === undefined ? createServer(serve) : createTlsServer(tls, serve);
  server.on('connection', (socket: Socket) => {
    const { remotePort } = socket;
    sockets.set(remotePort, socket);
    socket.once('close', () => sockets.delete(remotePort));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;

  const cutWatches = (how: 'End' | 'Reset'): void => {
    for (const response of watches) {
      if (how === 'End') response.end();
      else reset(response);
    }
  };

  return {
    access: {
      server: `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}`,
      namespace: undefined,
      credentials: async () => ({ headers: {}, tls: {} }),
    },
    requests,
    onRequest(next) {
      decide = next;
    },
    onWatch(next) {
      shaperOf = next;
    },
    openWatches: () => watches.size,
    cutWatches,
    freezeWatches() {
      isFrozen = true;
    },
    thawWatches() {
      isFrozen = false;
      cutWatches('Reset');
    },
    async close() {
      for (const socket of sockets.values()) socket.destroy();
      agent.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
