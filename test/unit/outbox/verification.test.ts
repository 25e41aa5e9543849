/** Results and artifacts that are read back, over a real Postgres and real files. */
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import type { ArtifactStore } from '../../../src/artifacts/artifact-store.ts';
import { ArtifactUnreadableError } from '../../../src/artifacts/artifact-store.ts';
import { FileArtifactStore } from '../../../src/artifacts/file-artifact-store.ts';
import { S3ArtifactStore } from '../../../src/artifacts/s3-artifact-store.ts';
import { fileUriOf } from '../../../src/core/file-uri.ts';
import type { ReportedArtifact } from '../../../src/core/result-protocol.ts';
import { type DeliveryOptions, startDelivery } from '../../../src/outbox/delivery.ts';
import { openPostgresResultStore } from '../../../src/results/postgres/open-postgres-result-store.ts';
import { resultDigest } from '../../../src/results/result-digest.ts';
import { aRecord } from '../../../src/results/result-store.testsuite.ts';
import type { ResultStore } from '../../../src/results/result-store.ts';
import { createLogger } from '../../../src/telemetry/logger.ts';
import { createMetrics, type Metrics } from '../../../src/telemetry/metrics.ts';
import { aRun } from '../../builders/run.ts';
import {
  type Connection,
  type PostgresServer,
  query,
  startPostgresServer,
} from '../../integration/postgres-server.ts';
import { deliverInASmallHeap } from './small-heap.ts';

const DEADLINE_MS = 30_000;
const NOTHING = { pending: 0, verified: 0, mismatched: 0, missing: 0 };
const HELLO = '2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824';

let server: PostgresServer;
let connection: Connection;
let store: ResultStore;
let folder: string;
let metrics: Metrics;

beforeAll(async () => {
  server = await startPostgresServer();
});
afterAll(() => server?.stop());
beforeEach(async () => {
  connection = await server.createDatabase();
  store = await openPostgresResultStore({ connection });
  folder = mkdtempSync(join(tmpdir(), 'batchtest-verification-'));
  writeFileSync(join(folder, 'hello.txt'), 'hello');
  metrics = createMetrics();
});
afterEach(async () => {
  await store.close();
  rmSync(folder, { recursive: true, force: true });
});

/** A run of one trial whose result has these artifacts and outputs; its UID. */
async function aStoredRun(
  artifacts: readonly ReportedArtifact[],
  outputs?: Record<string, unknown>,
): Promise<string> {
  const run = aRun({ uid: randomUUID(), variants: 1 });
  const { fence } = await store.openRun(run);
  await store.recordAttempt(
    aRecord(run, fence, { result: { metrics: new Map([['p95_ms', 41.2]]), artifacts, outputs } }),
  );
  return run.uid;
}

const deliveryFrom = (stores: readonly ArtifactStore[]): DeliveryOptions => ({
  store,
  engine: 'kubernetes',
  namespaces: 'All',
  runUids: undefined,
  config: { notifyUrls: [], notifyTokenFile: undefined, artifactStores: [] },
  artifactStores: stores,
  environment: {},
  logger: createLogger('silent'),
  listener: { handled: metrics.outbox.messageHandled, verified: metrics.outbox.verified },
});

/** Handles everything that is due. */
async function deliver(stores: readonly ArtifactStore[] = [new FileArtifactStore(folder)]): Promise<void> {
  const processor = await startDelivery(deliveryFrom(stores));
  expect(await processor.drain(DEADLINE_MS)).toBe(true);
  await processor.stop(DEADLINE_MS);
}

const artifactRows = (uid: string) =>
  query<{ name: string; state: string; reason: string | null }>(
    connection,
    'select name, state, reason from batchtest.artifacts where run_uid = $1 order by position',
    [uid],
  );

const uriOf = (name: string): string => fileUriOf(join(folder, name));

describe('FileTracked', () => {
  it('reads artifacts back and tells those that are what the result says from others, and from those that are not there', async () => {
    mkdirSync(join(folder, 'folder'));
    const uid = await aStoredRun([
      { name: 'right', uri: uriOf('hello.txt'), sha256: HELLO, size: 5 },
      { name: 'other bytes', uri: uriOf('hello.txt'), sha256: 'ab'.repeat(32), size: 5 },
      { name: 'other size', uri: uriOf('hello.txt'), size: 6 },
      { name: 'nothing said', uri: uriOf('hello.txt') },
      { name: 'gone', uri: uriOf('gone.txt'), sha256: HELLO },
      { name: 'a folder', uri: uriOf('folder') },
      { name: 'elsewhere', uri: 's3://bucket/key', sha256: HELLO },
      { name: 'of this machine', uri: 'file:///etc/passwd' },
    ]);
    await deliver();
    expect(await artifactRows(uid)).toEqual([
      { name: 'right', state: 'Verified', reason: null },
      { name: 'other bytes', state: 'Mismatch', reason: 'its SHA-256 is not the one that the result tells' },
      { name: 'other size', state: 'Mismatch', reason: 'its size is not the 6 bytes that the result tells' },
      {
        name: 'nothing said',
        state: 'Verified',
        reason: 'it is there; the result tells no SHA-256 to compare',
      },
      { name: 'gone', state: 'Missing', reason: 'there is no such file' },
      { name: 'a folder', state: 'Missing', reason: 'there is no such file' },
      { name: 'elsewhere', state: 'Missing', reason: 'not in a configured artifact store' },
      { name: 'of this machine', state: 'Missing', reason: 'not in a configured artifact store' },
    ]);
    expect(await store.verification.counts(uid)).toEqual({
      artifacts: { pending: 0, verified: 2, mismatched: 2, missing: 4 },
      results: { ...NOTHING, verified: 1 },
    });
    const text = await metrics.text();
    expect(text).toContain('batchtest_verified_total{subject="artifact",state="Mismatch"} 2');
    expect(text).toContain('batchtest_verified_total{subject="result",state="Verified"} 1');
    expect(text).toContain('batchtest_outbox_handled_total{kind="FileTracked",outcome="Delivered"} 8');
  });

  it('leaves an artifact pending while its store cannot be read, says why, and reads it once it can', async () => {
    const uid = await aStoredRun([{ name: 'right', uri: uriOf('hello.txt'), sha256: HELLO }]);
    const away: ArtifactStore = {
      holds: () => true,
      open: async () => {
        throw new ArtifactUnreadableError('the artifact store cannot be reached (ECONNREFUSED)');
      },
    };
    await deliver([away]);
    const reason = 'the artifact store cannot be reached (ECONNREFUSED)';
    expect(await artifactRows(uid)).toEqual([{ name: 'right', state: 'Pending', reason }]);
    expect((await store.loadRun(uid))?.verification.problems).toMatchObject([{ state: 'Pending', reason }]);
    expect(await store.outbox.list({ deadOnly: false, limit: 10 })).toMatchObject([
      { kind: 'FileTracked', state: 'Pending', lastError: `artifact at position 0: ${reason}` },
    ]);
    await query(connection, `update batchtest.outbox set due_at = now() where state = 'Pending'`);
    await deliver();
    expect(await artifactRows(uid)).toEqual([{ name: 'right', state: 'Verified', reason: null }]);
  });

  it('says of an artifact that is too large why it is not read back, and leaves nothing that somebody is to mend', async () => {
    const uid = await aStoredRun([{ name: 'checkpoint', uri: 's3://bucket/key', sha256: HELLO }]);
    const large: ArtifactStore = {
      holds: () => true,
      open: async () => ({ size: 17 * 1_024 ** 3, stream: Readable.from([]) }),
    };
    await deliver([large]);
    const reason = 'it is larger than the 16 GiB that are read back';
    expect((await store.loadRun(uid))?.verification.problems).toMatchObject([
      { name: 'checkpoint', state: 'Pending', reason },
    ]);
    expect(await store.outbox.list({ deadOnly: false, limit: 10 })).toEqual([]);
  });

  /** An S3 bucket of one file, of which it sends the head and a byte. */
  const aBreakingStore = async (
    goOn: (response: ServerResponse) => void,
    idleTimeoutMs?: number,
  ): Promise<ArtifactStore> => {
    vi.stubEnv('AWS_REGION', 'us-east-1');
    vi.stubEnv('AWS_ACCESS_KEY_ID', 'test');
    vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'test');
    const breaking = createServer((_, response) => {
      response.writeHead(200, { 'content-length': '5' });
      response.write('h', () => goOn(response));
    }).listen(0, '127.0.0.1');
    onTestFinished(() => {
      vi.unstubAllEnvs();
      breaking.closeAllConnections();
      breaking.close();
    });
    await once(breaking, 'listening');
    const { port } = breaking.address() as AddressInfo;
    return new S3ArtifactStore({ bucket: 'bucket', prefix: '' }, `http://127.0.0.1:${port}`, idleTimeoutMs);
  };
  const HALF_READ = { name: 'half read', uri: 's3://bucket/key', sha256: HELLO };

  it.each([
    {
      what: 'breaks off',
      goOn: (response: ServerResponse) => response.destroy(),
      why: /^it could not be read to its end \(E[A-Z_]+\)$/,
    },
    {
      what: 'falls silent',
      goOn: () => undefined,
      why: /^it could not be read to its end \(TimeoutError\)$/,
    },
  ])(
    'leaves an artifact pending whose store $what in the middle of it, and says why',
    async ({ goOn, why }) => {
      const uid = await aStoredRun([HALF_READ]);
      await deliver([await aBreakingStore(goOn, 200)]);
      const [{ state, reason } = {}] = await artifactRows(uid);
      expect(state).toBe('Pending');
      expect(reason).toEqual(expect.stringMatching(why));
      expect(await store.outbox.list({ deadOnly: false, limit: 10 })).toMatchObject([
        { kind: 'FileTracked', state: 'Pending', lastError: `artifact at position 0: ${reason}` },
      ]);
    },
  );

  it('says that it was interrupted when it is stopped while it reads an artifact', async () => {
    await aStoredRun([HALF_READ]);
    let isOpen = (): void => {};
    const opened = new Promise<void>((resolve) => {
      isOpen = resolve;
    });
    const silent = await aBreakingStore(() => undefined);
    const telling: ArtifactStore = {
      holds: () => true,
      open: (...asked) => silent.open(...asked).finally(isOpen),
    };
    const processor = await startDelivery(deliveryFrom([telling]));
    await opened;
    await processor.stop(0);
    const left = await store.outbox.list({ deadOnly: false, limit: 10 });
    expect(left.filter(({ kind }) => kind === 'FileTracked')).toMatchObject([
      { state: 'Pending', lastError: 'it was interrupted: its process ended, or it took too long' },
    ]);
  });

  it('verifies again what a run takes over from an earlier one', async () => {
    const spec = { workflowId: randomUUID(), reusePolicy: 'Succeeded' } as const;
    const before = aRun({ uid: randomUUID(), variants: 1, spec });
    const { fence } = await store.openRun(before);
    const artifacts = [{ name: 'right', uri: uriOf('hello.txt'), sha256: HELLO }];
    await store.recordAttempt(
      aRecord(before, fence, {
        result: { metrics: new Map([['p95_ms', 1]]), artifacts, outputs: undefined },
      }),
    );
    await deliver();
    rmSync(join(folder, 'hello.txt'));
    const after = aRun({ uid: randomUUID(), variants: 1, spec });
    await store.openRun(after);
    await deliver();
    expect(await artifactRows(before.uid)).toMatchObject([{ state: 'Verified' }]);
    expect(await artifactRows(after.uid)).toMatchObject([{ state: 'Missing' }]);
  });
});

describe('ResultStored', () => {
  it('finds every result that a program can report as it was reported', async () => {
    const uids: string[] = [];
    await fc.assert(
      fc.asyncProperty(
        fc.dictionary(fc.string({ unit: 'binary' }), fc.jsonValue({ stringUnit: 'binary' })),
        fc.array(
          fc.record(
            {
              name: fc.string({ unit: 'binary', minLength: 1 }),
              uri: fc.string({ minLength: 1 }),
              size: fc.maxSafeNat(),
              mediaType: fc.constantFrom('text/plain', 'image/png'),
            },
            { requiredKeys: ['name', 'uri'] },
          ),
          { maxLength: 3 },
        ),
        async (outputs, artifacts) => {
          uids.push(await aStoredRun(artifacts, outputs));
        },
      ),
      { numRuns: 60 },
    );
    await deliver([]);
    for (const uid of uids)
      expect((await store.verification.counts(uid)).results, uid).toEqual({ ...NOTHING, verified: 1 });
  });

  it.each([
    { what: 'a metric', sql: 'update batchtest.metrics set value = 41.3 where run_uid = $1' },
    { what: 'a metric that is gone', sql: 'delete from batchtest.metrics where run_uid = $1' },
    {
      what: 'an artifact',
      sql: `update batchtest.artifacts set sha256 = repeat('0', 64) where run_uid = $1`,
    },
    { what: 'the outputs', sql: `update batchtest.attempts set outputs = '{}' where run_uid = $1` },
    { what: 'the message', sql: `update batchtest.attempts set message = 'x' where run_uid = $1` },
  ])('finds $what that is not what was reported', async ({ sql }) => {
    const uid = await aStoredRun([{ name: 'a', uri: uriOf('hello.txt'), sha256: HELLO }], { x: 1 });
    await query(connection, sql, [uid]);
    await deliver();
    expect((await store.verification.counts(uid)).results).toEqual({ ...NOTHING, mismatched: 1 });
    expect(await metrics.text()).toContain('batchtest_verified_total{subject="result",state="Mismatch"} 1');
  });

  it.each([
    { what: 'as it was reported', sql: 'select $1', tally: { verified: 1 } },
    {
      what: 'that is not what was reported',
      sql: 'update batchtest.metrics set value = 2 where run_uid = $1',
      tally: { mismatched: 1 },
    },
  ])('finds a result that was pushed $what', async ({ sql, tally }) => {
    const run = aRun({ uid: randomUUID(), variants: 1, spec: { results: { push: true } } });
    const { fence } = await store.openRun(run);
    const result = {
      metrics: new Map([['p95_ms', 1]]),
      artifacts: [],
      outputs: { large: 'x'.repeat(9_000) },
    };
    const record = aRecord(run, fence, { result: { ...result, outputs: undefined } });
    const pushed = { startId: 'pod-1', sha256: 'ab'.repeat(32) };
    const start = { ...record, startId: pushed.startId };
    const push = { runUid: run.uid, namespace: run.namespace, start, sha256: pushed.sha256, result };
    expect(await store.pushResult(push)).toEqual({ kind: 'Stored' });
    const outcome = await store.recordAttempt({ ...record, pushed: { kind: 'Takes', ...pushed } });
    expect(outcome).toEqual({ kind: 'Recorded' });
    await query(connection, sql, [run.uid]);
    await deliver();
    expect((await store.verification.counts(run.uid)).results).toEqual({ ...NOTHING, ...tally });
  });

  it('finds a result whose numbers Postgres writes out in a hundred times as many characters', async () => {
    const uid = await aStoredRun([], { x: Array.from({ length: 680 }, () => 1e308) });
    await deliver();
    expect((await store.verification.counts(uid)).results).toEqual({ ...NOTHING, verified: 1 });
  });

  it('reads many large pushed results back in a small heap, also those that are not what was reported', async () => {
    const results = 32;
    const run = aRun({
      uid: randomUUID(),
      variants: 1,
      repetitions: results,
      spec: { results: { push: true } },
    });
    await store.openRun(run);
    const judgement = { outcome: 'Succeeded', reason: 'Completed', message: '', exitCode: 0 } as const;
    const digest = resultDigest({ ...judgement, metrics: [], artifacts: [], outputs: undefined }, 'Pushed');
    // As record_pushed_attempt leaves them.
    await query(
      connection,
      `insert into batchtest.attempts (run_uid, variant_id, repetition, attempt, name, outcome, reason, message, exit_code, finished_at, outputs, digest, verification)
       select run_uid, variant_id, repetition, 1, 'a-' || repetition, 'Succeeded', 'Completed', '', 0, now(), $2::jsonb,
         case when repetition % 2 = 0 then $3 else repeat('0', 64) end, 'Pending'
       from batchtest.trials where run_uid = $1`,
      [run.uid, `{"a":[${Array.from({ length: 300_000 }, () => '{}').join(',')}]}`, digest],
    );
    await query(
      connection,
      `insert into batchtest.outbox (run_uid, kind, payload)
       select run_uid, 'ResultStored', jsonb_build_object('variantId', variant_id, 'repetition', repetition, 'attempt', attempt)
       from batchtest.attempts where run_uid = $1`,
      [run.uid],
    );
    await deliverInASmallHeap(connection);
    expect((await store.verification.counts(run.uid)).results).toEqual({
      ...NOTHING,
      verified: results / 2,
      mismatched: results / 2,
    });
  }, 120_000);

  it('finds a result that is not there any more, and keeps its message', async () => {
    const uid = await aStoredRun([]);
    await query(
      connection,
      'update batchtest.trials set phase = $2, accepted_attempt = null where run_uid = $1',
      [uid, 'Failed'],
    );
    await query(connection, 'delete from batchtest.attempts where run_uid = $1', [uid]);
    await deliver();
    expect((await store.verification.counts(uid)).results).toEqual({ ...NOTHING, missing: 1 });
    expect(await store.outbox.list({ deadOnly: true, limit: 10 })).toMatchObject([
      {
        kind: 'ResultStored',
        lastError: expect.stringMatching(/^attempt 1 of trial .* was stored and is not there$/),
      },
    ]);
  });

  it('says nothing of a run that was deleted', async () => {
    const uid = await aStoredRun([{ name: 'a', uri: uriOf('hello.txt') }]);
    await query(connection, 'delete from batchtest.runs where uid = $1', [uid]);
    await deliver();
    expect(await store.outbox.list({ deadOnly: true, limit: 10 })).toEqual([]);
  });
});
