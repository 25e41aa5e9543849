import { connectionFromFile } from '../results/postgres/connection-file.ts';
import type { PostgresConnection } from '../results/postgres/connection-pool.ts';
import type { StoreObserver } from '../results/postgres/store-observer.ts';
import type { ResultStore } from '../results/result-store.ts';
import type { ResultStoreConfig } from './runner-config.ts';

/** How a configured database is reached. */
export const databaseConnection = async (
  config: Exclude<ResultStoreConfig, { kind: 'embedded' }>,
): Promise<PostgresConnection> => (config.kind === 'database' ? config.url : connectionFromFile(config.path));

/** Opens the configured result store; closing it lets go of the embedded server as well. */
export async function openResultStore(
  config: ResultStoreConfig,
  observer?: StoreObserver,
): Promise<ResultStore> {
  const observed = observer === undefined ? {} : { observer };
  // Loaded here, so that a command that stores nothing begins sooner; and while the server starts.
  const client = import('../results/postgres/open-postgres-result-store.ts');
  if (config.kind !== 'embedded') {
    const { openPostgresResultStore } = await client;
    return openPostgresResultStore({ connection: await databaseConnection(config), ...observed });
  }
  const { openEmbeddedPostgres } = await import('../results/postgres/embedded/open-embedded-postgres.ts');
  const server = await openEmbeddedPostgres({ dataDir: config.dataDirectory });
  try {
    const { openPostgresResultStore } = await client;
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
