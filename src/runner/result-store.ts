import { connectionFromFile } from '../results/postgres/connection-file.ts';
import { openEmbeddedPostgres } from '../results/postgres/embedded/open-embedded-postgres.ts';
import { openPostgresResultStore } from '../results/postgres/open-postgres-result-store.ts';
import type { StoreObserver } from '../results/postgres/store-observer.ts';
import type { ResultStore } from '../results/result-store.ts';
import type { ResultStoreConfig } from './runner-config.ts';

/** Opens the configured result store; closing it lets go of the embedded server as well. */
export async function openResultStore(
  config: ResultStoreConfig,
  observer?: StoreObserver,
): Promise<ResultStore> {
  const observed = observer === undefined ? {} : { observer };
  if (config.kind === 'database') return openPostgresResultStore({ connection: config.url, ...observed });
  if (config.kind === 'databaseFile')
    return openPostgresResultStore({ connection: await connectionFromFile(config.path), ...observed });
  const server = await openEmbeddedPostgres({ dataDir: config.dataDirectory });
  try {
    return await openPostgresResultStore({
      connection: server.connection,
      onClosed: () => server.close(),
      ...observed,
    });
  } catch (error) {
    await server.close();
    throw error;
  }
}
