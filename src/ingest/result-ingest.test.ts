/** The protocol of pushed results, with a real server, a real Postgres and a run of which one program may push. */
import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect as connectTls } from 'node:tls';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { aRun } from '../../test/builders/run.ts';
import { type PostgresServer, query, startPostgresServer } from '../../test/integration/postgres-server.ts';
import { createAuthority } from '../../test/tools/certificates.ts';
import { createTcpGate } from '../../test/tools/tcp-gate.ts';
import type { ProgramStart } from '../core/pushed-result.ts';
import type { RunDefinition } from '../core/run.ts';
import type { CertificatePair } from '../http/followed-certificate.ts';
import { openPostgresResultStore } from '../results/postgres/open-postgres-result-store.ts';
import type { ResultStore } from '../results/result-store.ts';
import { createLogger } from '../telemetry/logger.ts';
import { type IngestServer, startIngestServer } from './ingest-server.ts';
import type { PushAuthentication } from './push-authentication.ts';
import { ResultIngest } from './result-ingest.ts';

const LIMIT_BYTES = 2_000_000;

let postgres: PostgresServer;
let connection: Awaited<ReturnType<PostgresServer['createDatabase']>>;
let store: ResultStore;
beforeAll(async () => {
  postgres = await startPostgresServer();
  connection = await postgres.createDatabase();
  store = await openPostgresResultStore({ connection });
});
afterAll(async () => {
  await store?.close();
  await postgres?.stop();
});

let run: RunDefinition;
let start: ProgramStart;
let server: IngestServer;
/** What is said of the token `ours`. */
let authentication: PushAuthentication;
/** Whether a token that nobody knows is one about which no answer comes. */
let strangersHang: boolean;
/** How long it takes to be told whose a token is. */
let askingMs: number;
/** The tokens that are known without asking. */
let known: Set<string>;
/** The tokens that were asked about. */
let asked: string[];
let now: number;

const serve = (target: Pick<ResultStore, 'pushResult'>, tls?: CertificatePair): Promise<IngestServer> => {
  const authenticate = async (token: string): Promise<PushAuthentication> => {
    asked.push(token);
    if (askingMs > 0) await sleep(askingMs);
    if (token === 'ours') return authentication;
    const [, other] = /^other-(.+)$/.exec(token) ?? [];
    if (other === undefined && strangersHang) return new Promise(() => {});
    return other === undefined || authentication.kind !== 'Identified'
      ? { kind: 'Unauthenticated', message: 'nobody knows it' }
      : {
          kind: 'Identified',
          identity: { ...authentication.identity, start: { ...start, startId: other } },
        };
  };
  const logger = createLogger('silent');
  const ingest = new ResultIngest({
    authenticator: { isKnown: (token) => known.has(token), authenticate },
    store: target,
    limitBytes: LIMIT_BYTES,
    logger,
    monotonicNow: () => now,
  });
  return startIngestServer({ host: '127.0.0.1', port: 0, tls, sharedByAddress: true }, ingest);
};

beforeEach(async () => {
  now = 0;
  asked = [];
  askingMs = 0;
  known = new Set();
  strangersHang = false;
  run = aRun({ uid: randomUUID(), variants: 1, spec: { results: { push: true } } });
  await store.openRun(run);
  const [trial] = run.trials;
  start = { variantId: trial?.variant.id ?? '', repetition: 0, attempt: 1, startId: randomUUID() };
  authentication = {
    kind: 'Identified',
    identity: { runUid: run.uid, namespace: undefined, start, hasEnded: false },
  };
  server = await serve(store);
});
afterEach(() => server.close());

const urlOf = ({ port }: IngestServer): string => `http://127.0.0.1:${port}/v1/result`;

interface Answered {
  readonly status: number;
  readonly reason: string;
  readonly message: string;
  readonly headers: Headers;
}

async function send(init: RequestInit & { readonly url?: string } = {}): Promise<Answered> {
  const { url = urlOf(server), headers = { authorization: 'Bearer ours' }, ...rest } = init;
  const response = await fetch(url, { method: 'POST', body: '{"metrics":{"x":1}}', headers, ...rest });
  const { reason, message } = (await response.json()) as Answered;
  return { status: response.status, reason, message, headers: response.headers };
}

/** What a push from another address of this machine is answered. */
async function statusElsewhere(): Promise<number> {
  const elsewhere = request(urlOf(server), {
    method: 'POST',
    localAddress: '127.0.0.2',
    headers: { authorization: 'Bearer ours' },
  });
  elsewhere.end('{"metrics":{"x":1}}');
  const [response] = await once(elsewhere, 'response');
  response.resume();
  return response.statusCode;
}

const pushed = async () =>
  (
    await query<{ metrics: unknown }>(
      connection,
      'select metrics from batchtest.pushed_results where run_uid = $1',
      [run.uid],
    )
  ).map(({ metrics }) => metrics);

describe('a push', () => {
  it('is committed when it is acknowledged, and may be repeated', async () => {
    expect(await send()).toMatchObject({ status: 200, reason: 'Stored' });
    expect(await pushed()).toEqual([{ x: 1 }]);
    expect(await send()).toMatchObject({ status: 200, reason: 'Stored' });
    expect(await send({ body: '{"metrics":{"x":2}}' })).toMatchObject({
      status: 409,
      reason: 'OtherResultStored',
      message: 'another result of this attempt is stored, which stands',
    });
    expect(await pushed()).toEqual([{ x: 1 }]);
  });

  it('of many at once, of the same program, is stored once', async () => {
    const answers = await Promise.all(Array.from({ length: 5 }, () => send()));
    expect(answers.some(({ status }) => status === 200)).toBe(true);
    expect(answers.every(({ status }) => status === 200 || status === 429)).toBe(true);
    expect(await pushed()).toEqual([{ x: 1 }]);
  });

  it.each<readonly [what: string, body: string, message: string]>([
    ['is empty', ' ', 'the body is empty'],
    ['is not JSON', '{"metrics":', 'the result is not valid JSON'],
    ['is not an object', '[]', 'the result must be a JSON object, not a list'],
    ['measures no number', '{"metrics":{"x":1e999}}', 'metric "x" is not a finite number'],
    [
      'is nested a hundred thousand deep',
      `{"outputs":{"a":${'['.repeat(100_000)}${']'.repeat(100_000)}}}`,
      'nested more than 32',
    ],
  ])('that %s is refused with what is wrong, and a better one is taken', async (_, body, message) => {
    expect(await send({ body })).toMatchObject({
      status: 422,
      reason: 'ResultUnusable',
      message: expect.stringContaining(message),
    });
    expect(await pushed()).toEqual([]);
    expect(await send()).toMatchObject({ status: 200 });
  });

  it('that is not JSON is not said to be cut off where only a file ends', async () => {
    const body = JSON.stringify({ metrics: { x: 1 }, outputs: { log: 'a'.repeat(6_000) } });
    const answered = await send({ body: body.replace('"x":1', '"x":NaN') });
    expect(answered).toMatchObject({ status: 422, reason: 'ResultUnusable' });
    expect(answered.message).not.toMatch(/limit|cut off/);
  });

  it('is refused when it is not sent as it should be', async () => {
    expect(await send({ url: urlOf(server).replace('result', 'results') })).toMatchObject({ status: 404 });
    expect(await send({ method: 'PUT' })).toMatchObject({ status: 405, reason: 'MethodNotAllowed' });
    const headers = { authorization: 'Bearer ours', 'content-encoding': 'gzip' };
    expect(await send({ headers })).toMatchObject({ status: 415, reason: 'EncodingNotSupported' });
    for (const authorization of [undefined, 'Basic ours', 'Bearer', 'Bearer two words'])
      expect(await send({ headers: authorization === undefined ? {} : { authorization } })).toMatchObject({
        status: 401,
        reason: 'TokenMissing',
      });
    expect(await pushed()).toEqual([]);
  });

  it('is refused to whom nobody knows, to whom it is not for, and after the end of the program', async () => {
    expect(await send({ headers: { authorization: 'Bearer theirs' } })).toMatchObject({
      status: 401,
      reason: 'TokenNotValid',
    });
    const identified = authentication;
    authentication = { kind: 'Forbidden', message: 'not a trial' };
    expect(await send()).toMatchObject({ status: 403, reason: 'NotATrial', message: 'not a trial' });
    authentication = { kind: 'Unavailable', message: 'cannot tell' };
    const unavailable = await send();
    expect(unavailable).toMatchObject({ status: 503, reason: 'NotNow' });
    expect(unavailable.headers.get('retry-after')).toBe('5');
    if (identified.kind !== 'Identified') throw new Error('unreachable');
    authentication = { ...identified, identity: { ...identified.identity, hasEnded: true } };
    expect(await send()).toMatchObject({ status: 409, reason: 'AttemptEnded' });
    expect(await pushed()).toEqual([]);
  });

  it('that comes too often has to wait', async () => {
    const statuses: number[] = [];
    for (let count = 0; count < 11; count += 1) statuses.push((await send()).status);
    expect(statuses).toEqual([...Array.from({ length: 10 }, () => 200), 429]);
    const refused = await send();
    expect(refused).toMatchObject({ status: 429, reason: 'TooManyPushes' });
    // Nobody is asked whose token it is for that.
    expect(asked).toHaveLength(10);
    now += Number(refused.headers.get('retry-after')) * 1_000;
    expect(await send()).toMatchObject({ status: 200 });
  });
});

describe('a sender who makes up tokens', () => {
  const madeUp = (count: number): Promise<Answered>[] =>
    Array.from({ length: count }, () =>
      send({ headers: { authorization: `Bearer made-up-${randomUUID()}` } }),
    );

  it('has to wait as a program that pushes too often, and costs no request then', async () => {
    askingMs = 50;
    const answers = await Promise.all(madeUp(30));
    expect(answers.filter(({ status }) => status === 401)).toHaveLength(10);
    expect(answers.filter(({ status }) => status === 429 || status === 503)).toHaveLength(20);
    const [refused] = await Promise.all(madeUp(1));
    expect(refused).toMatchObject({
      status: 429,
      reason: 'TooManyPushes',
      message: 'too many tokens from this address are not those of a trial',
    });
    expect(asked).toHaveLength(10);
    now += Number(refused?.headers.get('retry-after')) * 1_000;
    expect(await send()).toMatchObject({ status: 200 });
  });

  it('is told from many programs behind one address, whose tokens nobody knows yet', async () => {
    askingMs = 50;
    const refused = new Set<string>();
    const untilTaken = async (authorization: string): Promise<number> => {
      const { status, reason } = await send({ headers: { authorization } });
      if (status !== 503) return status;
      refused.add(reason);
      await sleep(100);
      return untilTaken(authorization);
    };
    const statuses = await Promise.all(
      Array.from({ length: 30 }, () => untilTaken(`Bearer other-${randomUUID()}`)),
    );
    expect(statuses).toEqual(Array.from({ length: 30 }, () => 200));
    expect([...refused]).toEqual(['Busy']);
    expect(await pushed()).toHaveLength(30);
  });

  it('does not keep those at its own address from pushing whose tokens are known', async () => {
    await Promise.all(madeUp(10));
    expect(await send()).toMatchObject({ status: 429 });
    known.add('ours');
    expect(await send()).toMatchObject({ status: 200 });
  });

  it('uses up none of the pushes of a program that is refused for it', async () => {
    await Promise.all(madeUp(10));
    const statuses: number[] = [];
    for (let count = 0; count < 11; count += 1) statuses.push((await send()).status);
    expect(statuses).toEqual(Array.from({ length: 11 }, () => 429));
    known.add('ours');
    for (let count = 0; count < 10; count += 1) expect(await send()).toMatchObject({ status: 200 });
  });

  it('keeps nobody at another address from pushing, also while nothing is answered about them', async () => {
    strangersHang = true;
    const open = madeUp(40).map((answered) => answered.catch(() => undefined));
    await expect.poll(() => asked.length, { timeout: 20_000 }).toBe(10);
    expect(await statusElsewhere()).toBe(200);
    await server.close();
    await Promise.all(open);
  });
});

async function aCertificate(): Promise<CertificatePair> {
  const certificates = mkdtempSync(join(tmpdir(), 'batchtest-ingest-'));
  onTestFinished(() => rmSync(certificates, { recursive: true }));
  const authority = await createAuthority(certificates, 'ingest');
  const { certFile, keyFile } = await authority.issue('localhost');
  return { cert: readFileSync(certFile, 'utf8'), key: readFileSync(keyFile, 'utf8') };
}

describe('a sender who opens many connections', () => {
  /** Opens a connection from 127.0.0.1, and sends a part of a request on it. */
  const opened = (port: number, text = ''): Socket => {
    const socket = connect({ port, host: '127.0.0.1', localAddress: '127.0.0.1' });
    onTestFinished(() => {
      socket.destroy();
    });
    socket.on('error', () => {});
    socket.write(text);
    return socket;
  };

  it('keeps nobody at another address from pushing', async () => {
    const sockets = Array.from({ length: 1_100 }, () => opened(server.port, 'POST /v1/result HTTP/1.1\r\n'));
    const isOpen = ({ destroyed }: Socket): boolean => !destroyed;
    await expect.poll(() => sockets.filter(isOpen).length, { timeout: 8_000 }).toBe(128);
    expect(await statusElsewhere()).toBe(200);
    for (const socket of sockets) socket.destroy();
  });

  it.each(['http', 'https'])('may open others for those that are closed, by %s', async (scheme) => {
    const secured = await serve(store, scheme === 'https' ? await aCertificate() : undefined);
    onTestFinished(() => secured.close());
    const ended = async (socket: Socket): Promise<void> => {
      socket.resume();
      await once(socket, 'close');
    };
    for (let wave = 0; wave < 3; wave += 1) {
      const sockets = Array.from({ length: 100 }, () => opened(secured.port, 'neither HTTP nor TLS\r\n\r\n'));
      await Promise.all(sockets.map(ended));
    }
    const last =
      scheme === 'https'
        ? connectTls({ port: secured.port, rejectUnauthorized: false })
        : opened(secured.port);
    await once(last, scheme === 'https' ? 'secureConnect' : 'connect');
    last.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    const [answered] = await once(last, 'data');
    expect(String(answered)).toContain('404 Not Found');
    last.destroy();
  });

  it('holds one that is refused for seconds only, and gets to read why', async () => {
    const begun = performance.now();
    const socket = opened(
      server.port,
      'POST /v1/result HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer theirs\r\nContent-Length: 1000\r\n\r\n{',
    );
    const [answered] = await once(socket, 'data');
    expect(String(answered)).toContain('TokenNotValid');
    await once(socket, 'close');
    expect(performance.now() - begun).toBeLessThan(25_000);
  });
});

it('ends a connection of TLS that says nothing', async () => {
  const secure = await serve(store, await aCertificate());
  const begun = performance.now();
  const socket = connect(secure.port, '127.0.0.1');
  socket.on('error', () => {});
  await once(socket, 'close');
  expect(performance.now() - begun).toBeLessThan(25_000);
  await secure.close();
});

it('has few results of many in memory at once, and stores them all', async () => {
  let storing = 0;
  let most = 0;
  const counted = await serve({
    pushResult: async (push) => {
      storing += 1;
      most = Math.max(most, storing);
      return store.pushResult(push).finally(() => {
        storing -= 1;
      });
    },
  });
  try {
    const answers = await Promise.all(
      Array.from({ length: 12 }, () =>
        send({ url: urlOf(counted), headers: { authorization: `Bearer other-${randomUUID()}` } }),
      ),
    );
    expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 12 }, () => 200));
    expect(most).toBe(2);
    expect(await pushed()).toHaveLength(12);
  } finally {
    await counted.close();
  }
});

describe('the end of the server', () => {
  it('waits for a push that is being stored, and its sender is answered', async () => {
    let release = (): void => {};
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    let isStoring = false;
    const slow = await serve({
      pushResult: async (push) => {
        isStoring = true;
        await released;
        return store.pushResult(push);
      },
    });
    const answered = send({ url: urlOf(slow) });
    await expect.poll(() => isStoring, { timeout: 20_000 }).toBe(true);
    const closed = slow.close();
    await expect(send({ url: urlOf(slow) })).rejects.toThrow();
    release();
    const { status, headers } = await answered;
    expect(status).toBe(200);
    expect(headers.get('connection')).toBe('close');
    await closed;
    expect(await pushed()).toEqual([{ x: 1 }]);
  });

  it('waits no longer than its patience for one that is not sent to its end', async () => {
    const socket = connect(server.port, '127.0.0.1');
    const ended = once(socket, 'close');
    socket.on('error', () => {});
    socket.write(
      'POST /v1/result HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ours\r\nContent-Length: 19\r\n\r\n{',
    );
    await expect.poll(() => asked.length, { timeout: 20_000 }).toBe(1);
    await server.close();
    await ended;
    expect(await pushed()).toEqual([]);
  });
});

describe('a result that is too large', () => {
  const tooLarge = {
    status: 413,
    reason: 'ResultTooLarge',
    message: `the result is longer than the limit of ${LIMIT_BYTES} bytes (--result-limit)`,
  };
  const ofLength = (bytes: number): string => `{"outputs":{"x":"${'x'.repeat(bytes - 20)}"}}`;

  it('is told from one that is just not, to the byte', async () => {
    expect(ofLength(LIMIT_BYTES)).toHaveLength(LIMIT_BYTES);
    expect(await send({ body: ofLength(LIMIT_BYTES + 1) })).toMatchObject(tooLarge);
    expect(await send({ body: ofLength(LIMIT_BYTES) })).toMatchObject({ status: 200 });
  });

  it('is refused as well when its length is not announced', async () => {
    const chunk = new TextEncoder().encode('x'.repeat(100_000));
    let sent = 0;
    const body = new ReadableStream({
      pull(controller) {
        sent += 1;
        if (sent > 30) controller.close();
        else controller.enqueue(chunk);
      },
    });
    const init: RequestInit & { readonly duplex: 'half' } = { body, duplex: 'half' };
    expect(await send(init)).toMatchObject(tooLarge);
    expect(await pushed()).toEqual([]);
  });

  it('is not even sent by a client that asks first, as curl does', async () => {
    const post = () =>
      promisify(execFile)('curl', [
        ...['-sS', '--max-time', '30', '-H', 'Authorization: Bearer ours', '-H', 'Expect: 100-continue'],
        ...['-w', ' %{http_code} %{size_upload}', '--data-binary', '@-', urlOf(server)],
      ]);
    const curl = async (bytes: number): Promise<string> => {
      const running = post();
      running.child.stdin?.end(ofLength(bytes));
      return (await running).stdout;
    };
    expect(await curl(LIMIT_BYTES + 1)).toMatch(/ResultTooLarge.*\n 413 0$/s);
    expect(await curl(LIMIT_BYTES)).toMatch(new RegExp(`Stored.*\\n 200 ${LIMIT_BYTES}$`, 's'));
  });
});

it('stores nothing of a push that is not sent to its end', async () => {
  const socket = connect(server.port, '127.0.0.1');
  await once(socket, 'connect');
  socket.write(
    'POST /v1/result HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ours\r\nContent-Length: 19\r\n\r\n{"metrics"',
  );
  // Another push of the same program is not let in while this one is being read.
  await expect.poll(async () => (await send()).status, { timeout: 20_000 }).toBe(429);
  socket.destroy();
  now += 60_000;
  await expect
    .poll(async () => (await send({ body: '{"metrics":{"x":3}}' })).status, { timeout: 20_000 })
    .not.toBe(429);
  expect(await pushed()).toHaveLength(1);
});

it('asks to come again while the store is away, and then takes it', async () => {
  const gate = await createTcpGate({ path: join(connection.host, `.s.PGSQL.${connection.port}`) });
  await gate.open();
  const { user, database } = connection;
  const throughGate = await openPostgresResultStore({
    connection: `postgres://${user}@127.0.0.1:${gate.port}/${database}`,
  });
  const shaky = await serve(throughGate);
  try {
    await gate.shut();
    const refused = await send({ url: urlOf(shaky) });
    expect(refused).toMatchObject({ status: 503, reason: 'ResultStoreUnavailable' });
    expect(refused.message).not.toContain(String(gate.port));
    expect(refused.headers.get('retry-after')).toBe('5');
    await gate.open();
    expect(await send({ url: urlOf(shaky) })).toMatchObject({ status: 200 });
  } finally {
    await shaky.close();
    await throughGate.close();
    await gate.shut();
  }
});
