/** What follows from the runs of operators that share a database, over a real Postgres and real HTTP. */
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { aRun } from '../../test/builders/run.ts';
import { FORWARD_STATEMENT, openStoreProxy } from '../../test/faults/store-proxy.ts';
import { query, startPostgresServer } from '../../test/integration/postgres-server.ts';
import { seriesOf, seriesValue } from '../../test/tools/exposition.ts';
import { startWebhook } from '../../test/tools/webhook.ts';
import { openPostgresResultStore } from '../results/postgres/open-postgres-result-store.ts';
import { aRecord } from '../results/result-store.testsuite.ts';
import type { ResultStore } from '../results/result-store.ts';
import { createLogger } from '../telemetry/logger.ts';
import { createMetrics } from '../telemetry/metrics.ts';
import { deliverWhileLeading } from './delivery.ts';

const DEADLINE_MS = 20_000;

/** A run of this namespace that is over, with an artifact; its UID. */
async function aFinishedRun(store: ResultStore, namespace: string): Promise<string> {
  const run = aRun({ uid: randomUUID(), variants: 1, namespace });
  const { fence } = await store.openRun(run);
  const artifacts = [{ name: 'trace', uri: 's3://traces/1' }];
  await store.recordAttempt(
    aRecord(run, fence, { result: { metrics: new Map([['p95_ms', 1]]), artifacts, outputs: undefined } }),
  );
  const end = { state: 'Complete', reason: 'AllTrialsSucceeded', message: '' } as const;
  await store.finishRun(run.uid, fence, end);
  return run.uid;
}

/** What an operator of these namespaces does with the outbox, who is told by it, and how many messages it counts. */
async function anOperator(store: ResultStore, namespaces: readonly string[]) {
  const webhook = await startWebhook();
  const metrics = createMetrics();
  const leading = new AbortController();
  const delivery = { notifyUrls: [webhook.origin], notifyTokenFile: undefined, artifactStores: [] };
  const delivering = deliverWhileLeading(
    { whenOpen: async () => store },
    { delivery, namespaces, environment: {} },
    createLogger('silent'),
    metrics,
    leading.signal,
  );
  const stop = async (): Promise<void> => {
    leading.abort();
    await delivering;
  };
  onTestFinished(async () => {
    await stop();
    await webhook.close();
  });
  return {
    stop,
    told: () => webhook.received.map(({ body }) => (body as { data: { run: { uid: string } } }).data.run.uid),
    pending: async () =>
      seriesValue(seriesOf(await metrics.text()), 'batchtest_outbox_messages', { state: 'Pending' }),
  };
}

it('what follows from a run is done by the operator of its namespace alone, which knows who is told and where artifacts are', async () => {
  const server = await startPostgresServer();
  onTestFinished(() => server.stop());
  const connection = await server.createDatabase();
  const store = await openPostgresResultStore({ connection });
  onTestFinished(() => store.close());
  // Due before all others, and seen to by neither operator.
  const strange = await aFinishedRun(store, 'strange');
  const [a, b, c] = [
    await aFinishedRun(store, 'team-a'),
    await aFinishedRun(store, 'team-b'),
    await aFinishedRun(store, 'team-c'),
  ];

  const one = await anOperator(store, ['team-a', 'team-b']);
  const other = await anOperator(store, ['team-c']);
  const idle = await anOperator(store, ['nobody']);
  await expect.poll(() => one.told().toSorted(), { timeout: DEADLINE_MS }).toEqual([a, b].toSorted());
  await expect.poll(other.told, { timeout: DEADLINE_MS }).toEqual([c]);
  await expect.poll(idle.pending, { timeout: DEADLINE_MS }).toBe(0);
  expect(idle.told()).toEqual([]);
  expect(
    await query(connection, 'select state, tries from batchtest.outbox where run_uid = $1', [strange]),
  ).toEqual(Array.from({ length: 3 }, () => ({ state: 'Pending', tries: 0 })));
  expect(
    await query(connection, 'select state from batchtest.artifacts where run_uid = $1', [strange]),
  ).toEqual([{ state: 'Pending' }]);
});

it('an operator that ends waits for no store that counts messages, and tells no number of them any more', async () => {
  const server = await startPostgresServer();
  onTestFinished(() => server.stop());
  const connection = await server.createDatabase();
  const proxy = await openStoreProxy({ path: join(connection.host, `.s.PGSQL.${connection.port}`) });
  onTestFinished(() => proxy.close());
  const at = { ...connection, host: '127.0.0.1', port: proxy.port };
  const store = await openPostgresResultStore({ connection: at });
  onTestFinished(() => store.close());
  let answer = (): void => {};
  const answered = new Promise<void>((resolve) => {
    answer = resolve;
  });
  const counting = new Promise<void>((resolve) => {
    proxy.onStatement(({ text }) => {
      if (!text.startsWith('select count(*) filter')) return FORWARD_STATEMENT;
      resolve();
      return { kind: 'Hold', until: answered };
    });
  });
  const operator = await anOperator(store, ['team-a']);
  await counting;
  await operator.stop();
  answer();
  await store.close();
  expect(await operator.pending()).toBeUndefined();
});
