/** Notifications from the outbox, over a real Postgres and real HTTP. */
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type DeliveryOptions, startDelivery } from '../../../src/outbox/delivery.ts';
import { checkDeliveryConfig, type DeliveryConfig } from '../../../src/outbox/delivery-config.ts';
import type { OutboxProcessor } from '../../../src/outbox/outbox-processor.ts';
import { openPostgresResultStore } from '../../../src/results/postgres/open-postgres-result-store.ts';
import { aRecord } from '../../../src/results/result-store.testsuite.ts';
import type { ResultStore } from '../../../src/results/result-store.ts';
import { createLogger } from '../../../src/telemetry/logger.ts';
import { aRun } from '../../builders/run.ts';
import {
  type Connection,
  type PostgresServer,
  query,
  startPostgresServer,
} from '../../integration/postgres-server.ts';
import { startWebhook, type Webhook } from '../../tools/webhook.ts';
import { deliverInASmallHeap } from './small-heap.ts';

const DEADLINE_MS = 60_000;

let server: PostgresServer;
let connection: Connection;
let store: ResultStore;
let one: Webhook;
let other: Webhook;
let folder: string;

beforeAll(async () => {
  server = await startPostgresServer();
});
afterAll(() => server?.stop());
beforeEach(async () => {
  connection = await server.createDatabase();
  store = await openPostgresResultStore({ connection });
  [one, other] = await Promise.all([startWebhook(), startWebhook()]);
  folder = mkdtempSync(join(tmpdir(), 'batchtest-notifications-'));
});
afterEach(async () => {
  await Promise.all([one.close(), other.close(), store.close()]);
  rmSync(folder, { recursive: true, force: true });
});

/** A run that is over, of one variant with p95_ms 41.2 and a gate that allows this much; its UID. */
async function aFinishedRun(maxP95: string): Promise<string> {
  const run = aRun({
    uid: randomUUID(),
    variants: 1,
    namespace: 'team-a',
    spec: { comparison: { confidence: '0.95', gates: [{ metric: 'p95_ms', max: maxP95 }] } },
  });
  const { fence } = await store.openRun(run);
  await store.recordAttempt(aRecord(run, fence, {}));
  const message = 'all 1 trials succeeded';
  await store.finishRun(run.uid, fence, { state: 'Complete', reason: 'AllTrialsSucceeded', message });
  return run.uid;
}

const logged: string[] = [];

const start = (
  config: Partial<DeliveryConfig>,
  over: DeliveryOptions['store'] = store,
): Promise<OutboxProcessor> =>
  startDelivery({
    store: over,
    engine: 'kubernetes',
    namespaces: 'All',
    runUids: undefined,
    config: { notifyUrls: [], notifyTokenFile: undefined, artifactStores: [], ...config },
    artifactStores: [],
    environment: {},
    logger: createLogger('debug', { write: (line) => logged.push(line) }),
    listener: { handled: () => undefined, verified: () => undefined },
  });

async function deliver(config: Partial<DeliveryConfig>): Promise<void> {
  const processor = await start(config);
  expect(await processor.drain(DEADLINE_MS)).toBe(true);
  await processor.stop(DEADLINE_MS);
}

const again = () => query(connection, `update batchtest.outbox set due_at = now() where state = 'Pending'`);

const lastErrors = async (): Promise<readonly (string | undefined)[]> =>
  (await store.outbox.list({ deadOnly: false, limit: 10 })).map(({ lastError }) => lastError);

describe('the end of a run', () => {
  it('is a CloudEvent in structured mode, with the best variant', async () => {
    const uid = await aFinishedRun('50');
    await deliver({ notifyUrls: [`${one.origin}/hook?x=1`] });
    expect(one.received).toEqual([
      {
        path: '/hook?x=1',
        headers: expect.objectContaining({ 'content-type': 'application/cloudevents+json; charset=utf-8' }),
        body: {
          specversion: '1.0',
          id: expect.stringContaining(uid),
          source: `/batchtest/runs/${uid}`,
          type: 'dev.batchtest.run.finished',
          subject: 'team-a/checkout-cache',
          time: expect.stringMatching(/^\d{4}-.*Z$/),
          datacontenttype: 'application/json',
          data: {
            run: expect.objectContaining({
              uid,
              name: 'checkout-cache',
              namespace: 'team-a',
              state: 'Complete',
              trials: expect.objectContaining({ total: 1, succeeded: 1 }),
            }),
            best: { name: 'a', score: 1, ties: 0 },
            gate: 'Passed',
          },
        },
      },
    ]);
  });

  it('is told once more by another event when a gate failed', async () => {
    await aFinishedRun('40');
    await deliver({ notifyUrls: [one.origin] });
    expect(one.received.map(({ body }) => body)).toMatchObject([
      { type: 'dev.batchtest.run.finished', data: { gate: 'Failed' } },
      {
        type: 'dev.batchtest.gate.failed',
        data: { failed: 1, gates: [{ metric: 'p95_ms', rule: 'max', result: 'Failed' }] },
      },
    ]);
  });

  it('is told from a small heap, however much its attempts have logged', async () => {
    const run = aRun({ uid: randomUUID(), variants: 10, repetitions: 1_000 });
    await store.openRun(run);
    await query(
      connection,
      `insert into batchtest.attempts (run_uid, variant_id, repetition, attempt, name, outcome, reason, message, exit_code, finished_at, logs)
       select run_uid, variant_id, repetition, attempt, 'a-' || repetition, 'TestFailed', 'NonZeroExitCode', '', 1, now(), repeat('x', 2048)
       from batchtest.trials, generate_series(1, 3) as attempt where run_uid = $1`,
      [run.uid],
    );
    await query(
      connection,
      `insert into batchtest.outbox (run_uid, kind, payload) select $1, 'RunFinished', '{}' from generate_series(1, 3)`,
      [run.uid],
    );
    await deliverInASmallHeap(connection, [one.origin]);
    expect(one.received).toHaveLength(3);
    expect(await lastErrors()).toEqual([]);
  }, 120_000);

  it('is not claimed before that of the run before is loaded, so that no try is spent on waiting', async () => {
    for (let run = 0; run < 3; run += 1) await aFinishedRun('50');
    let asked = 0;
    let release = (): void => {};
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    const processor = await start(
      { notifyUrls: [one.origin] },
      {
        outbox: store.outbox,
        verification: store.verification,
        findRun: (uid) => store.findRun(uid),
        loadRunToConclude: async (uid) => {
          asked += 1;
          await released;
          return store.loadRunToConclude(uid);
        },
      },
    );
    await expect.poll(() => asked).toBe(1);
    // Time to claim more.
    await sleep(3_000);
    const tries = await query<{ tries: number }>(
      connection,
      `select tries from batchtest.outbox where kind = 'RunFinished' order by tries desc`,
    );
    expect(tries.map((row) => row.tries)).toEqual([1, 0, 0]);
    release();
    expect(await processor.drain(DEADLINE_MS)).toBe(true);
    await processor.stop(DEADLINE_MS);
    expect(one.received).toHaveLength(3);
  });

  it('is told to nobody who is not configured', async () => {
    await aFinishedRun('50');
    await deliver({});
    expect(await lastErrors()).toEqual([]);
  });
});

describe('a receiver', () => {
  it('that failed gets the same event again, and one that has it does not', async () => {
    await aFinishedRun('50');
    other.answer(503);
    const urls = { notifyUrls: [one.origin, other.origin] };
    await deliver(urls);
    expect(await lastErrors()).toEqual([`${other.origin} answered 503`]);
    other.answer(200);
    await again();
    await deliver(urls);
    expect(one.received).toHaveLength(1);
    expect(other.received).toHaveLength(2);
    expect(other.received[1]?.body).toEqual(other.received[0]?.body);
    expect(await lastErrors()).toEqual([]);
  });

  it('that has the event does not get it again when the process is stopped while another is silent', async () => {
    await aFinishedRun('50');
    other.answer('Silence');
    const config = { notifyUrls: [one.origin, other.origin] };
    const processor = await start(config);
    await expect.poll(() => [one, other].map(({ received }) => received.length)).toEqual([1, 1]);
    // Its answer may take a moment to be read.
    await sleep(500);
    await processor.stop(0);
    expect(await lastErrors()).toEqual([expect.stringMatching(/^it was interrupted/)]);
    other.answer(204);
    await again();
    await deliver(config);
    expect([one, other].map(({ received }) => received.length)).toEqual([1, 2]);
  });

  it('that is silent holds up nobody else, however many runs it is to be told of', async () => {
    for (let run = 0; run < 5; run += 1) await aFinishedRun('50');
    other.answer('Silence');
    const processor = await start({ notifyUrls: [one.origin, other.origin] });
    await expect.poll(() => one.received.length, { timeout: 15_000 }).toBe(5);
    await processor.stop(0);
    expect(new Set(one.received.map(({ body }) => (body as { id: string }).id)).size).toBe(5);
    expect(await lastErrors()).toHaveLength(5);
  });

  it('that is silent about the end of a run is not told of its gates in the same try', async () => {
    await aFinishedRun('40');
    one.answer('Silence');
    await deliver({ notifyUrls: [one.origin] });
    expect(one.received).toHaveLength(1);
    one.answer(204);
    await again();
    await deliver({ notifyUrls: [one.origin] });
    expect(one.received.map(({ body }) => (body as { type: string }).type)).toEqual([
      'dev.batchtest.run.finished',
      'dev.batchtest.run.finished',
      'dev.batchtest.gate.failed',
    ]);
  });

  it('that refuses one event is asked to take the next', async () => {
    await aFinishedRun('40');
    one.answer(400);
    await deliver({ notifyUrls: [one.origin] });
    expect(one.received).toHaveLength(2);
    expect(await lastErrors()).toEqual([`${one.origin} answered 400`]);
  });

  it('that redirects is not followed', async () => {
    await aFinishedRun('50');
    one.answer(307, { location: `${other.origin}/` });
    await deliver({ notifyUrls: [one.origin] });
    expect(other.received).toEqual([]);
    expect(await lastErrors()).toEqual([`${one.origin} answered 307, and no redirect is followed`]);
  });

  it('that does not answer is given up after ten seconds', async () => {
    await aFinishedRun('50');
    one.answer('Silence');
    await deliver({ notifyUrls: [one.origin] });
    expect(await lastErrors()).toEqual([`${one.origin} did not answer within 10 s`]);
  });

  it('gets the token of the file as it is now', async () => {
    const notifyTokenFile = join(folder, 'token');
    await aFinishedRun('50');
    await deliver({ notifyUrls: [one.origin], notifyTokenFile });
    expect(await lastErrors()).toEqual(['the file of the token cannot be read (ENOENT)']);
    writeFileSync(notifyTokenFile, 'canary-token\n');
    await again();
    await deliver({ notifyUrls: [one.origin], notifyTokenFile });
    expect(one.received[0]?.headers.authorization).toBe('Bearer canary-token');
  });

  it('is told of in no log, error or row by more than scheme, host and port', async () => {
    logged.length = 0;
    await aFinishedRun('50');
    one.answer(500);
    const secret = one.origin.replace('http://', 'http://canary-user:canary-password@');
    await deliver({ notifyUrls: [`${secret}/canary-path?key=canary-query`, 'http://127.0.0.1:9/canary'] });
    expect(one.received[0]?.headers.authorization).toBe(
      `Basic ${Buffer.from('canary-user:canary-password').toString('base64')}`,
    );
    const rows = await query(connection, 'select * from batchtest.outbox');
    expect(`${logged.join('')}${JSON.stringify(rows)}`).not.toContain('canary');
    expect(logged.join('')).toContain(one.origin);
  });
});

describe('a configuration', () => {
  const TOKEN = { notifyTokenFile: '/secret/token' };
  it.each<{ config: Partial<DeliveryConfig>; says: string }>([
    {
      config: { notifyUrls: ['canary'] },
      says: 'the URL of --notify-url cannot be used: it is not a URL, such as https://hooks.example.com/batchtest',
    },
    {
      config: { notifyUrls: ['https://x', 'file:///canary'] },
      says: 'URL 2 of 2 of --notify-url cannot be used: it must begin with https:// or http://, not file:',
    },
    {
      config: { notifyUrls: ['http://example.com/canary'], ...TOKEN },
      says: 'the URL of --notify-url cannot be used: a token goes over https: only, and http://example.com is not',
    },
    {
      config: { notifyUrls: ['https://canary@example.com'], ...TOKEN },
      says: 'the URL of --notify-url cannot be used: a token and a user in the URL (https://example.com) exclude each other',
    },
    {
      config: { notifyUrls: ['https://canary:100%@example.com'] },
      says: 'the URL of --notify-url cannot be used: in the user and password of its URL (https://example.com) % is written as %25',
    },
    {
      config: { artifactStores: ['gs://b/p'] },
      says: '--artifact-store "gs://b/p" cannot be used: expected s3://BUCKET or s3://BUCKET/PREFIX',
    },
  ])('is refused with the words: $says', ({ config, says }) => {
    const whole = { notifyUrls: [], notifyTokenFile: undefined, artifactStores: [], ...config };
    expect(() => checkDeliveryConfig(whole)).toThrow(says);
  });
});
