import { Socket } from 'node:net';
import type { PostgresPool, PostgresPoolClient, PostgresQueryResult } from 'kysely';
import pg from 'pg';
import { connectionOfUrl } from './connection-url.ts';

/** A connection URL, whose `sslmode` has the meaning that libpq gives it, or what `pg` takes instead. */
export type PostgresConnection =
  | string
  | Pick<pg.PoolConfig, 'host' | 'port' | 'user' | 'password' | 'database' | 'ssl'>;

export interface PoolSettings {
  readonly poolSize: number;
  /** Shown in pg_stat_activity. */
  readonly applicationName: string;
  readonly connectTimeoutMs: number;
  /** How long one statement may take; undefined: as long as it needs. */
  readonly statementTimeoutMs: number | undefined;
  /** How long it may wait for one lock. */
  readonly lockTimeoutMs: number;
}

/** A transaction that waits for so long for its own client holds locks for nobody. */
const IDLE_IN_TRANSACTION_TIMEOUT_MS = 30_000;

/** How much longer a statement is waited for here than there: only a server that is gone without a word misses that. */
const NETWORK_ALLOWANCE_MS = 5_000;

/** How long the connections of a pool that is ended may take to end. */
const END_PATIENCE_MS = 5_000;

/** `pg` takes a timeout for one query as well; its types do not know that. */
type BoundedQuery = pg.QueryConfig & { readonly query_timeout: number };

/** A pool whose sessions behave the same on every server, whatever its defaults. Nothing is connected yet. */
export function createPool(connection: PostgresConnection, settings: PoolSettings): pg.Pool {
  const pool = new EndingPool({
    ...(typeof connection === 'string' ? connectionOfUrl(connection, 'the URL of the database') : connection),
    max: settings.poolSize,
    application_name: settings.applicationName,
    connectionTimeoutMillis: settings.connectTimeoutMs,
    ...(settings.statementTimeoutMs === undefined
      ? {}
      : { query_timeout: settings.statementTimeoutMs + NETWORK_ALLOWANCE_MS }),
    keepAlive: true,
    types: { getTypeParser },
    onConnect: async (client: pg.ClientBase) => {
      // Part of connecting, and bounded as that is: whoever accepts a connection need not have a server behind it that answers.
      const setUp: BoundedQuery = {
        text: sessionSettings(settings),
        query_timeout: settings.connectTimeoutMs,
      };
      await client.query(setUp);
    },
  });
  // An idle connection that breaks is removed by the pool, and whoever asks next gets a new one or the reason why there is none.
  // Without a listener, the event would end the process.
  pool.on('error', () => undefined);
  // One that is in use is no longer listened to by the pool, and who uses it hears of the break by its query, if at all.
  pool.on('connect', (client) => client.on('error', () => undefined));
  return pool;
}

/**
 * Its connections end soon after it, also those to a server that is gone without a word: each would hold the process, an idle one for as long as the system
 * tries to end it. Whoever still waits for an answer is told that the connection was lost.
 */
class EndingPool extends pg.Pool {
  readonly #sockets: ReadonlySet<Socket>;

  constructor(config: pg.PoolConfig) {
    const sockets = new Set<Socket>();
    const stream = (): Socket => {
      const socket = new Socket();
      sockets.add(socket);
      return socket.once('close', () => sockets.delete(socket));
    };
    super({ ...config, stream });
    this.#sockets = sockets;
  }

  override async end(): Promise<void> {
    setTimeout(() => {
      for (const socket of this.#sockets) socket.destroy();
    }, END_PATIENCE_MS).unref();
    await super.end();
  }
}

/**
 * The pool as Kysely is to have it, which gives each connection back as one that can be used again, whatever came of its queries: after a query that was not
 * answered in time, whoever is next would wait behind it. The pool ends the connection of a query of its own that fails, and so does this.
 */
export const withoutFailedConnections = (pool: pg.Pool): PostgresPool => ({
  connect: async () => usedUntilItFails(await pool.connect()),
  end: () => pool.end(),
});

function usedUntilItFails(client: PostgresPoolClient): PostgresPoolClient {
  let hasFailed = false;
  const query = <Row>(text: string, values: readonly unknown[]): Promise<PostgresQueryResult<Row>> =>
    client.query<Row>(text, values).catch((error: unknown) => {
      hasFailed = true;
      throw error;
    });
  // Nothing is read by a cursor.
  return { query: query as PostgresPoolClient['query'], release: () => client.release(hasFailed) };
}

/** One round trip for each new connection. As statements, since poolers refuse most settings as startup parameters. */
function sessionSettings({ statementTimeoutMs, lockTimeoutMs }: PoolSettings): string {
  return [
    `set statement_timeout = ${statementTimeoutMs ?? 0}`,
    `set lock_timeout = ${lockTimeoutMs}`,
    `set idle_in_transaction_session_timeout = ${IDLE_IN_TRANSACTION_TIMEOUT_MS}`,
    // Since Postgres 17. The timeouts above bound what a transaction may take, and a migration takes as long as it needs.
    `select set_config('transaction_timeout', '0', false) where current_setting('transaction_timeout', true) is not null`,
    // The functions rely on it: see migrations/0002-writes.ts.
    `set default_transaction_isolation = 'read committed'`,
    `set datestyle = 'ISO'`,
    'set extra_float_digits = 1',
    // Stored means durable, also on a server that is set up otherwise.
    `select set_config('synchronous_commit', 'on', false) where current_setting('synchronous_commit') = 'off'`,
  ].join('; ');
}

/** As pg's own, but int8 becomes a number: what is stored as one here counts trials or openings of a run. */
const getTypeParser: typeof pg.types.getTypeParser = (oid: number, format?: 'text' | 'binary') =>
  oid === pg.types.builtins.INT8 && format !== 'binary' ? Number : pg.types.getTypeParser(oid, format);
