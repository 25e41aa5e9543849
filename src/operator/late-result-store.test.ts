import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { aRun } from '../../test/builders/run.ts';
import { FORWARD_STATEMENT, openStoreProxy } from '../../test/faults/store-proxy.ts';
import { startPostgresServer } from '../../test/integration/postgres-server.ts';
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
