/** Whose results an operator deletes, in a database that it shares. */
import { randomUUID } from 'node:crypto';
import { expect, it, onTestFinished } from 'vitest';
import { aRun, type RunOptions } from '../../test/builders/run.ts';
import { startPostgresServer } from '../../test/integration/postgres-server.ts';
import type { RunDefinition } from '../core/run.ts';
import { openPostgresResultStore } from '../results/postgres/open-postgres-result-store.ts';
import { createLogger } from '../telemetry/logger.ts';
import { startRetention } from './retention.ts';

it('deletes results of the cluster’s runs in its namespaces, and leaves those of others and of local runs', async () => {
  const server = await startPostgresServer();
  onTestFinished(() => server.stop());
  const store = await openPostgresResultStore({ connection: await server.createDatabase() });
  onTestFinished(() => store.close());
  const anEndedRun = async (options: RunOptions, engine: RunDefinition['engine']): Promise<string> => {
    const run = { ...aRun({ uid: randomUUID(), ...options }), engine };
    const { fence } = await store.openRun(run);
    await store.finishRun(run.uid, fence, { state: 'Cancelled', reason: 'CancelRequested', message: '' });
    return run.uid;
  };
  const others = [
    await anEndedRun({ namespace: 'theirs' }, 'kubernetes'),
    await anEndedRun({}, 'local'),
    await anEndedRun({ namespace: 'ours' }, 'local'),
  ];
  const own = await anEndedRun({ namespace: 'ours' }, 'kubernetes');

  const retention = startRetention(store, { retentionMs: 1, namespaces: ['ours'] }, createLogger('silent'));
  onTestFinished(() => retention.stop());
  await expect.poll(() => store.findRun(own), { timeout: 25_000 }).toBeUndefined();
  expect((await store.listRuns({ limit: 10 })).map(({ uid }) => uid).toSorted()).toEqual(others.toSorted());
});
