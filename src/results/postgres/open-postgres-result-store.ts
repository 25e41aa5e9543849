import type { ResultStore } from '../result-store.ts';
import { createPool, type PostgresConnection } from './connection-pool.ts';
import { bringUpToDate } from './migrate-database.ts';
import { PostgresResultStore } from './postgres-result-store.ts';
import type { StoreObserver } from './store-observer.ts';

export interface PostgresResultStoreOptions {
  /** A URL, such as DATABASE_URL holds it and with TLS as its `sslmode` says, or the configuration of a `pg` connection. */
  readonly connection: PostgresConnection;
  /** Connections at most, beside one for each run that is held. Default 10. */
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

/** Less than a statement may take, so that it is told which of both it was. */
const LOCK_TIMEOUT_MS = 10_000;

/**
 * Opens the result store in a Postgres database (version 14 or later), whose schema `batchtest` it creates or brings up to date when the
 * user may: who creates it needs CREATE on the database, and owns that schema afterwards. Any other user needs the rights that
 * `batchtest migrate` gives.
 * @throws ResultStoreUnavailableError when the database cannot be reached or changed now
 * @throws SchemaTooNewError
 */
export async function openPostgresResultStore(options: PostgresResultStoreOptions): Promise<ResultStore> {
  const { connection } = options;
  await bringUpToDate(connection);
  const settings = {
    applicationName: options.applicationName ?? 'batchtest',
    connectTimeoutMs: options.connectTimeoutMs ?? 10_000,
    statementTimeoutMs: options.statementTimeoutMs ?? 30_000,
    lockTimeoutMs: LOCK_TIMEOUT_MS,
  };
  const pool = createPool(connection, { ...settings, poolSize: options.poolSize ?? 10 });
  // Each run keeps one: taken from the same pool, those of ten runs at once would leave none for a statement.
  const holds = createPool(connection, { ...settings, poolSize: Number.POSITIVE_INFINITY });
  return new PostgresResultStore(pool, holds, options.onClosed, options.observer);
}
