/** Whose results an operator deletes, in a database that it shares. */
import { randomUUID } from 'node:crypto';
import { expect, it, onTestFinished } from 'vitest';
import { aRun, type RunOptions } from '../../test/builders/run.ts';
import { query, startPostgresServer } from '../../test/integration/postgres-server.ts';
import type { RunDefinition } from '../core/run.ts';
import { openPostgresResultStore } from '../results/postgres/open-postgres-result-store.ts';
import { createLogger } from '../telemetry/logger.ts';
import { startRetention } from './retention.ts';

async function aStore() {
  const server = await startPostgresServer();
  onTestFinished(() => server.stop());
  const connection = await server.createDatabase();
  const store = await openPostgresResultStore({ connection });
  onTestFinished(() => store.close());
  const anEndedRun = async (options: RunOptions, engine: RunDefinition['engine']): Promise<string> => {
    const run = { ...aRun({ uid: randomUUID(), ...options }), engine };
    const { fence } = await store.openRun(run);
    await store.finishRun(run.uid, fence, { state: 'Cancelled', reason: 'CancelRequested', message: '' });
    return run.uid;
  };
  return { store, connection, anEndedRun };
}

it('deletes results of the cluster’s runs in its namespaces, and leaves those of others and of local runs', async () => {
  const { store, anEndedRun } = await aStore();
  const others = [
    await anEndedRun({ namespace: 'theirs' }, 'kubernetes'),
    await anEndedRun({}, 'local'),
    await anEndedRun({ namespace: 'ours' }, 'local'),
  ];
  const own = await anEndedRun({ namespace: 'ours' }, 'kubernetes');

  // By the clock that it is given: that of its machine may be months ahead, which would delete everything.
  const now = () => Date.now() + 2 * 3_600_000;
  const retention = startRetention(
    store,
    { retentionMs: 3_600_000, namespaces: ['ours'], now },
    createLogger('silent'),
  );
  onTestFinished(() => retention.stop());
  await expect.poll(() => store.findRun(own), { timeout: 25_000 }).toBeUndefined();
  expect((await store.listRuns({ limit: 10 })).map(({ uid }) => uid).toSorted()).toEqual(others.toSorted());
});

it('tells of what it has deleted, and that something could not be', async () => {
  const { store, connection, anEndedRun } = await aStore();
  const kept = await anEndedRun({}, 'kubernetes');
  const gone = await anEndedRun({}, 'kubernetes');
  await query(
    connection,
    `create table public.notes (run_uid text references batchtest.runs (uid));
     insert into public.notes values ('${kept}')`,
  );
  let log = '';
  const destination = {
    write: (line: string) => {
      log += line;
    },
  };
  const retention = startRetention(
    store,
    { retentionMs: 1, namespaces: 'All', now: Date.now },
    createLogger('info', destination),
  );
  onTestFinished(() => retention.stop());
  await expect.poll(() => log, { timeout: 25_000 }).toContain('results were not deleted, or not all of them');
  expect(log).toMatch(/"runs":1,.*"results were deleted"/);
  expect(log).toContain('notes');
  expect((await store.listRuns({ limit: 10 })).map(({ uid }) => uid)).toEqual([kept]);
  expect(await store.findRun(gone)).toBeUndefined();
});
