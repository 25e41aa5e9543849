import type { ResultStore } from '../result-store.ts';
import { createPool, type PostgresConnection } from './connection-pool.ts';
import { migrate } from './migrations/migrate.ts';
import { PostgresResultStore } from './postgres-result-store.ts';
import { storeError } from './store-error.ts';
import type { StoreObserver } from './store-observer.ts';

export interface PostgresResultStoreOptions {
  /** A URL, such as DATABASE_URL holds it and with TLS as its `sslmode` says, or the configuration of a `pg` connection. */
  readonly connection: PostgresConnection;
  /** Connections at most. Default 10. */
  readonly poolSize?: number;
  /** Shown in pg_stat_activity. Default `batchtest`. */
  readonly applicationName?: string;
  /** How long to wait for a connection. Default 10,000. */
  readonly connectTimeoutMs?: number;
  /** How long one statement may take, waiting for locks included. Default 30,000. */
  readonly statementTimeoutMs?: number;
  /** Called when the store has been closed and has no connection any more. */
  readonly onClosed?: () => Promise<void>;
  readonly observer?: StoreObserver;
}

/** A migration may rewrite large tables. */
const MIGRATION_STATEMENT_TIMEOUT_MS = 10 * 60_000;
/** How long to wait for another process that migrates, or for a long query that holds a table. */
const MIGRATION_LOCK_TIMEOUT_MS = 30_000;

/**
 * Opens the result store in a Postgres database (version 14 or later), whose schema `batchtest` it creates or brings up to date. The
 * user needs CREATE on the database for the first time, and owns that schema afterwards.
 * @throws ResultStoreUnavailableError when the database cannot be reached or changed now
 */
export async function openPostgresResultStore(options: PostgresResultStoreOptions): Promise<ResultStore> {
  const { connection } = options;
  const settings = {
    poolSize: options.poolSize ?? 10,
    applicationName: options.applicationName ?? 'batchtest',
    connectTimeoutMs: options.connectTimeoutMs ?? 10_000,
    statementTimeoutMs: options.statementTimeoutMs ?? 30_000,
  };
  const migrationPool = createPool(connection, {
    ...settings,
    poolSize: 1,
    statementTimeoutMs: MIGRATION_STATEMENT_TIMEOUT_MS,
    lockTimeoutMs: MIGRATION_LOCK_TIMEOUT_MS,
  });
  try {
    await migrate(migrationPool);
  } catch (error) {
    throw storeError(error, 'open the result store');
  } finally {
    await migrationPool.end();
  }
  return new PostgresResultStore(createPool(connection, settings), options.onClosed, options.observer);
}
