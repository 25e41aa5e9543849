import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { aRun } from '../../test/builders/run.ts';
import { FORWARD_STATEMENT, openStoreProxy } from '../../test/faults/store-proxy.ts';
import { query, startPostgresServer } from '../../test/integration/postgres-server.ts';
import { openPostgresResultStore } from '../results/postgres/open-postgres-result-store.ts';
import { createLogger } from '../telemetry/logger.ts';
import { LateResultStore } from './late-result-store.ts';

/** A store whose server accepts connections and answers nothing until it is told to. */
async function aStoreOfASilentServer() {
  const postgres = await startPostgresServer();
  const connection = await postgres.createDatabase();
  const proxy = await openStoreProxy({ path: join(connection.host, `.s.PGSQL.${connection.port}`) });
  onTestFinished(async () => {
    await proxy.close();
    await postgres.stop();
  });
  proxy.onStatement(() => ({ kind: 'Hold', until: new Promise(() => undefined) }));
  const at = { ...connection, host: '127.0.0.1', port: proxy.port };
  const store = new LateResultStore(
    () => openPostgresResultStore({ connection: at }),
    createLogger('error'),
    () => expect.unreachable('it is no defect'),
  );
  return { store, answersFromNowOn: () => proxy.onStatement(() => FORWARD_STATEMENT) };
}

it('tells its users of a server that answers nothing, and is open once one does', async () => {
  const { store, answersFromNowOn } = await aStoreOfASilentServer();
  const run = aRun();
  await expect(store.openRun(run)).rejects.toMatchObject({ reason: 'Opening' });
  await expect
    .poll(() => store.openRun(run).catch(({ reason }) => reason), { timeout: 20_000 })
    .toBe('Timeout');
  answersFromNowOn();
  await store.whenOpen();
  expect(store.isOpen).toBe(true);
  await store.close();
}, 60_000);

it('is closed though the server answers nothing', async () => {
  const { store } = await aStoreOfASilentServer();
  await store.close();
  expect(store.isOpen).toBe(false);
});

it('creates the schema again when that is gone under it, as of a database that was made anew', async () => {
  const postgres = await startPostgresServer();
  onTestFinished(() => postgres.stop());
  const connection = await postgres.createDatabase();
  const store = new LateResultStore(
    () => openPostgresResultStore({ connection }),
    createLogger('silent'),
    () => expect.unreachable('it is no defect'),
  );
  await store.openRun(aRun({ uid: randomUUID() }));
  await query(connection, 'drop schema batchtest cascade');
  const run = aRun({ uid: randomUUID() });
  await expect(store.openRun(run)).rejects.toMatchObject({
    name: 'ResultStoreUnavailableError',
    reason: 'SchemaMissing',
  });
  await expect
    .poll(
      () =>
        store.openRun(run).then(
          ({ trials }) => trials.length,
          ({ reason }) => reason,
        ),
      { timeout: 20_000 },
    )
    .toBe(run.trials.length);
  await store.close();
}, 60_000);
