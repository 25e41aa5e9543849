import { StringDecoder } from 'node:string_decoder';
import { setTimeout as sleep } from 'node:timers/promises';
import { createSecureContext } from 'node:tls';
import { Agent, type Dispatcher, request as httpRequest } from 'undici';
import { withDeadline } from '../../deadline.ts';
import { ApiError, parseRetryAfter, type StatusObject } from './api-error.ts';
import { backoffMs } from './backoff.ts';
import type { ClusterAccess, ClusterCredentials, TlsMaterial } from './cluster-access.ts';
import { RequestLimit } from './request-limit.ts';

export type HttpMethod = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

/** Parameters of a request's query; undefined ones are left out. */
export type Query = Readonly<Record<string, string | number | boolean | undefined>>;

export interface RequestOptions {
  readonly query?: Query;
  /** Sent as JSON. A function makes it when it is the request's turn: of many that wait, none is kept. */
  readonly body?: unknown;
  /** Default: application/json; for PATCH application/merge-patch+json. */
  readonly contentType?: string;
  readonly signal?: AbortSignal;
  /** Bound of one try, in milliseconds. Default: 30 s. */
  readonly timeoutMs?: number;
  /** How often it is tried at most. Default: 4, and 1 for POST. */
  readonly maxTries?: number;
  /** Does not wait behind other requests: a lease must be renewed in time however much else there is to do. */
  readonly urgent?: boolean;
}

/** One line of a watch. The object of a BOOKMARK has no more than its kind and resourceVersion. */
export type WatchEvent<Raw> =
  | { readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK'; readonly object: Raw }
  | { readonly type: 'ERROR'; readonly object: StatusObject };

export interface WatchOptions {
  readonly query: Query;
  readonly signal: AbortSignal;
  /** The watch is given up when nothing at all arrives for this long: a half-open connection never says so itself. */
  readonly inactivityMs: number;
  /** Told when the server has answered and begins to tell: the first event may be a minute away. */
  readonly onOpen?: () => void;
}

/** Told of what becomes of requests, watches included; must not throw. Nothing of a request's path is told: it names objects. */
export interface RequestObserver {
  /** One try, once its answer's headers are here. `status` is undefined when no answer came. */
  answered(method: HttpMethod, status: number | undefined, seconds: number): void;
  /** A request had to wait until others were done. */
  waited(method: HttpMethod, seconds: number): void;
  /** A request is tried again, because of this status or because no answer came. */
  retried(method: HttpMethod, status: number | undefined): void;
}

export interface KubeClientOptions {
  readonly access: ClusterAccess;
  /** Version of this program, for the user agent. */
  readonly version: string;
  /**
   * Asked right before each try of a request that changes something, unless it is urgent: false lets none through. For what only a leader may
   * write, also after a pause of the whole process in which another one took over.
   */
  readonly mayWrite?: () => boolean;
  /** Told of the Date header of each answer. */
  readonly onDate?: (header: string) => void;
  readonly observer?: RequestObserver;
  /** In [0, 1). */
  readonly random?: () => number;
  readonly now?: () => number;
}

/**
 * Requests under way at once; watches and urgent requests come on top. Few are faster than many: a run that begins does not wait for twenty handshakes
 * before its first pod is asked for.
 */
const CONCURRENT_REQUESTS = { usual: 8, most: 32, patienceMs: 500 };
/** For those that do not wait behind others. More of them at once wait for each other. */
export const CONNECTIONS_FOR_URGENT_REQUESTS = 10;
const REQUEST_TIMEOUT_MS = 30_000;
const CONNECT_TIMEOUT_MS = 10_000;
const MAX_TRIES = 4;
const RETRY_BACKOFF = { firstMs: 200, maxMs: 5_000 };
/** A server that asks for a longer wait than this gets it from the caller, not from a request that hangs. */
const MAX_RETRY_AFTER_MS = 10_000;
/** How long credentials are used before they are read anew, like client-go's. */
const CREDENTIALS_AGE_MS = 60_000;
/** Go's HTTP server, as the API server sets it up, closes an idle connection after 90 s; ours go first. */
const KEEP_ALIVE_MS = 45_000;
/** From then on the kernel asks ten times, once a second (so libuv sets it), whether the other side of a silent connection is there: that it is gone is known after 25 s instead of 72. */
const PROBE_AFTER_MS = 15_000;

/**
 * A small client of the API server: pooled connections, plain JSON, no typed models, which are slow and drop fields that they do not
 * know. Every try has a deadline.
 *
 * GET, PUT, PATCH and DELETE are tried again after 429, 503, 502, 504 and failed connections; each of them, done twice, leaves what
 * doing it once leaves. The wait is what Retry-After says, or a back-off with jitter. POST is tried once: its caller knows what a
 * second one would do. After 401 the credentials are read anew and any request is sent once more.
 */
export class KubeClient {
  readonly server: string;
  readonly #access: ClusterAccess;
  readonly #mayWrite: () => boolean;
  readonly #onDate: (header: string) => void;
  readonly #observer: RequestObserver | undefined;
  readonly #userAgent: string;
  readonly #random: () => number;
  readonly #now: () => number;
  readonly #limit = new RequestLimit(CONCURRENT_REQUESTS);
  #connection: Connection | undefined;
  #refreshing: Promise<Connection> | undefined;
  #closed = false;

  constructor({
    access,
    version,
    mayWrite = () => true,
    onDate = () => {},
    observer,
    random = Math.random,
    now = Date.now,
  }: KubeClientOptions) {
    this.server = access.server;
    this.#access = access;
    this.#mayWrite = mayWrite;
    this.#onDate = onDate;
    this.#observer = observer;
    this.#userAgent = `batchtest/${version}`;
    this.#random = random;
    this.#now = now;
  }

  /**
   * Sends a request and gives the answer's JSON. The caller names its type; it is not checked.
   * @throws ApiError when the server answers with an error; NotLeadingError; what undici throws when no answer came
   */
  async request<Answer>(method: HttpMethod, path: string, options: RequestOptions = {}): Promise<Answer> {
    const send = () => this.#tries<Answer>(method, path, options);
    if (options.urgent) return send();
    const askedAt = performance.now();
    return this.#limit.run(() => {
      this.#observer?.waited(method, secondsSince(askedAt));
      return send();
    });
  }

  /**
   * Watches a collection. Gives the events as they arrive, those of one network read together; ends when the server ends the watch.
   * @throws ApiError when the server refuses; an Error when the connection fails or was silent for `inactivityMs`
   */
  async *watch<Raw>(path: string, options: WatchOptions): AsyncGenerator<readonly WatchEvent<Raw>[], void> {
    const controller = new AbortController();
    const stop = () => controller.abort(options.signal.reason);
    options.signal.addEventListener('abort', stop);
    if (options.signal.aborted) stop();
    const watchdog = setTimeout(
      () => controller.abort(new Error(`watch ${path}: nothing arrived for ${options.inactivityMs} ms`)),
      options.inactivityMs,
    );
    try {
      const response = await this.#send('GET', path, {
        query: { ...options.query, watch: true },
        signal: controller.signal,
      });
      options.onOpen?.();
      const decoder = new StringDecoder('utf8');
      let rest = '';
      for await (const chunk of response.body) {
        watchdog.refresh();
        const lines = (rest + decoder.write(chunk)).split('\n');
        rest = lines.pop() ?? '';
        const events = lines.filter((line) => line !== '').map((line): WatchEvent<Raw> => JSON.parse(line));
        if (events.length > 0) yield events;
      }
    } catch (error) {
      throw controller.signal.aborted ? controller.signal.reason : error;
    } finally {
      clearTimeout(watchdog);
      options.signal.removeEventListener('abort', stop);
      controller.abort();
    }
  }

  /** Closes all connections; what is under way fails. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([this.#connection?.requests.destroy(), this.#connection?.watches.destroy()]);
  }

  async #tries<Answer>(method: HttpMethod, path: string, options: RequestOptions): Promise<Answer> {
    const maxTries = options.maxTries ?? (method === 'POST' ? 1 : MAX_TRIES);
    for (let tries = 1; ; tries += 1) {
      try {
        return await this.#once<Answer>(method, path, options);
      } catch (error) {
        if (tries >= maxTries || options.signal?.aborted || !isWorthRetrying(error)) throw error;
        const asked = error instanceof ApiError ? error.retryAfterMs : undefined;
        if (asked !== undefined && asked > MAX_RETRY_AFTER_MS) throw error;
        this.#observer?.retried(method, error instanceof ApiError ? error.status : undefined);
        const wait = Math.max(asked ?? 0, backoffMs(tries, RETRY_BACKOFF, this.#random));
        await sleep(wait, undefined, options.signal === undefined ? {} : { signal: options.signal });
      }
    }
  }

  async #once<Answer>(method: HttpMethod, path: string, options: RequestOptions): Promise<Answer> {
    const timeoutMs = options.timeoutMs ?? REQUEST_TIMEOUT_MS;
    const timedOut = () => {
      const awaited = this.#refreshing === undefined ? '' : ', while credentials were waited for';
      return new RequestTimeoutError(`${method} ${path}: no answer within ${timeoutMs} ms${awaited}`);
    };
    return withDeadline(options.signal, timeoutMs, timedOut, async (signal) => {
      const response = await this.#send(method, path, { ...options, signal });
      const text = await response.body.text();
      return JSON.parse(text === '' ? 'null' : text);
    });
  }

  /** The response of a success; its body has not been read yet. */
  async #send(
    method: HttpMethod,
    path: string,
    options: RequestOptions & { readonly signal: AbortSignal },
  ): Promise<Dispatcher.ResponseData> {
    const response = await this.#dispatch(method, path, options);
    if (response.statusCode !== 401) return successOf(response, `${method} ${path}`, this.#now());
    await response.body.dump();
    // A token may have been rotated, or revoked, before its time.
    await this.#refresh(options.signal);
    return successOf(await this.#dispatch(method, path, options), `${method} ${path}`, this.#now());
  }

  async #dispatch(
    method: HttpMethod,
    path: string,
    options: RequestOptions & { readonly signal: AbortSignal },
  ): Promise<Dispatcher.ResponseData> {
    const { requests, watches, credentials } = await this.#connected(options.signal);
    if (method !== 'GET' && options.urgent !== true && !this.#mayWrite())
      throw new NotLeadingError(`${method} ${path}: another process may lead by now`);
    const contentType =
      options.contentType ?? (method === 'PATCH' ? 'application/merge-patch+json' : 'application/json');
    const askedAt = performance.now();
    const sent = httpRequest(`${this.server}${path}${queryString(options.query)}`, {
      method,
      dispatcher: options.query?.watch === true ? watches : requests,
      signal: options.signal,
      // Unless told so, undici closes the connection after a DELETE that has a body.
      reset: false,
      headers: {
        accept: 'application/json',
        'user-agent': this.#userAgent,
        ...(options.body === undefined ? {} : { 'content-type': contentType }),
        ...credentials.headers,
      },
      body: jsonOf(options.body),
    });
    const response = await sent.catch((error: unknown) => {
      this.#observer?.answered(method, undefined, secondsSince(askedAt));
      throw error;
    });
    this.#observer?.answered(method, response.statusCode, secondsSince(askedAt));
    const { date } = response.headers;
    if (typeof date === 'string') this.#onDate(date);
    return response;
  }

  async #connected(signal: AbortSignal): Promise<Connection> {
    this.#refuseOnceClosed();
    const current = this.#connection;
    return current !== undefined && this.#now() - current.readAt < CREDENTIALS_AGE_MS
      ? current
      : this.#refresh(signal);
  }

  /**
   * Reads the credentials anew. One reading serves all who ask meanwhile, however long it takes: nothing can end a credential plugin that hangs, and another one would be
   * started beside it. Nobody waits for it past the deadline of the own request.
   */
  #refresh(signal: AbortSignal): Promise<Connection> {
    this.#refreshing ??= this.#readCredentials().finally(() => {
      this.#refreshing = undefined;
    });
    return Promise.race([this.#refreshing, rejectedBy(signal)]);
  }

  /** The agents, and with them the open connections, are kept while the TLS material stays the same. */
  async #readCredentials(): Promise<Connection> {
    const credentials = await this.#access.credentials();
    this.#refuseOnceClosed();
    const previous = this.#connection;
    const isSame = previous !== undefined && sameTls(previous.credentials.tls, credentials.tls);
    // Requests under way on the old agents go on to their end.
    if (!isSame) for (const agent of [previous?.requests, previous?.watches]) void agent?.close();
    const agents = isSame ? previous : newAgents(credentials.tls);
    this.#connection = {
      requests: agents.requests,
      watches: agents.watches,
      credentials,
      readAt: this.#now(),
    };
    return this.#connection;
  }

  #refuseOnceClosed(): void {
    if (this.#closed) throw new Error(`the client of ${this.server} is closed`);
  }
}

/** No answer came in time. Whether the request was carried out is not known. */
export class RequestTimeoutError extends Error {
  override readonly name = 'RequestTimeoutError';
}

/** Nothing was sent: this process may not write any more. */
export class NotLeadingError extends Error {
  override readonly name = 'NotLeadingError';
}

/** Rejects when the signal is aborted, with its reason. */
const rejectedBy = (signal: AbortSignal): Promise<never> =>
  new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    else signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });

const secondsSince = (start: number): number => (performance.now() - start) / 1_000;

interface Agents {
  readonly requests: Agent;
  readonly watches: Agent;
}

interface Connection extends Agents {
  readonly credentials: ClusterCredentials;
  readonly readAt: number;
}

/**
 * Connections of requests are bounded: undici opens another one for each request that comes in the tick in which earlier ones are answered, and a handshake
 * costs both sides more than the request. Watches keep theirs to themselves for as long as they last.
 */
function newAgents(tls: TlsMaterial): Agents {
  const options: Agent.Options = {
    // Made once: reading the authorities' certificates takes longer than the rest of a handshake.
    connect: {
      ...tls,
      secureContext: createSecureContext(tls),
      timeout: CONNECT_TIMEOUT_MS,
      keepAliveInitialDelay: PROBE_AFTER_MS,
    },
    keepAliveTimeout: KEEP_ALIVE_MS,
    // Deadlines are those of `withDeadline` and of a watch's watchdog.
    headersTimeout: 0,
    bodyTimeout: 0,
  };
  const connections = CONCURRENT_REQUESTS.most + CONNECTIONS_FOR_URGENT_REQUESTS;
  return { requests: new Agent({ ...options, connections }), watches: new Agent(options) };
}

const sameTls = (a: TlsMaterial, b: TlsMaterial): boolean =>
  a.ca === b.ca &&
  a.cert === b.cert &&
  a.key === b.key &&
  a.servername === b.servername &&
  a.rejectUnauthorized === b.rejectUnauthorized;

const jsonOf = (body: unknown): string | null =>
  body === undefined ? null : JSON.stringify(typeof body === 'function' ? body() : body);

function queryString(query: Query | undefined): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query ?? {}))
    if (value !== undefined) parameters.set(name, String(value));
  const text = parameters.toString();
  return text === '' ? '' : `?${text}`;
}

async function successOf(
  response: Dispatcher.ResponseData,
  request: string,
  now: number,
): Promise<Dispatcher.ResponseData> {
  if (response.statusCode < 400) return response;
  const header = response.headers['retry-after'];
  const retryAfterMs = parseRetryAfter(typeof header === 'string' ? header : undefined, now);
  throw new ApiError(request, response.statusCode, statusOf(await response.body.text()), retryAfterMs);
}

function statusOf(text: string): StatusObject | string {
  try {
    const answer: unknown = JSON.parse(text);
    return typeof answer === 'object' && answer !== null ? answer : text;
  } catch {
    return text;
  }
}

const RETRIED_STATUSES: readonly number[] = [429, 502, 503, 504];

/** True for an overloaded server and for a connection that failed; false for every answer that would be the same again. */
const isWorthRetrying = (error: unknown): boolean =>
  error instanceof ApiError
    ? RETRIED_STATUSES.includes(error.status)
    : error instanceof RequestTimeoutError ||
      (error instanceof Error && 'code' in error && error.code !== 'UND_ERR_INVALID_ARG');
