import { hostname } from 'node:os';
import type pg from 'pg';
import type { RunHold } from '../result-store.ts';
import { whileContended } from './while-contended.ts';

/** The session that has the lock of a run. The server gives the lock back when the process, or the connection, is gone. */
interface LockingSession {
  readonly client: pg.PoolClient;
  readonly key: string;
}

/**
 * Takes the advisory lock of a run on a connection of its own; undefined when another session has it.
 * @param pool for holds alone, and without a limit: what is held keeps its connection until it is released
 */
export async function holdRun(pool: pg.Pool, runUid: string): Promise<RunHold | undefined> {
  const session = await lockingSession(pool, runUid);
  return session === undefined ? undefined : new PostgresRunHold(pool, runUid, session);
}

class PostgresRunHold implements RunHold {
  readonly #pool: pg.Pool;
  readonly #runUid: string;
  #session: LockingSession;
  #keeping: ReturnType<RunHold['keep']> | undefined;
  #isReleased = false;

  constructor(pool: pg.Pool, runUid: string, session: LockingSession) {
    this.#pool = pool;
    this.#runUid = runUid;
    this.#session = session;
  }

  keep(): ReturnType<RunHold['keep']> {
    this.#keeping ??= whileContended(`keep run ${this.#runUid}`, () => this.#kept()).finally(() => {
      this.#keeping = undefined;
    });
    return this.#keeping;
  }

  async #kept(): Promise<Awaited<ReturnType<RunHold['keep']>>> {
    if (this.#isReleased || (await answers(this.#session))) return { kind: 'Held' };
    const session = await lockingSession(this.#pool, this.#runUid);
    if (session !== undefined) {
      this.#session.client.release(true);
      this.#session = session;
      return { kind: 'Held' };
    }
    const holder = await holderOf(this.#pool, this.#runUid);
    // The server may not have found out that the former connection is gone, and whoever has had the lock may have given it back: the next look tells.
    if (holder === undefined || holder.key === this.#session.key) return { kind: 'Held' };
    return { kind: 'TakenOver', by: holder.name };
  }

  async release(): Promise<void> {
    if (this.#isReleased) return;
    this.#isReleased = true;
    await this.#keeping?.catch(() => undefined);
    const { client } = this.#session;
    // So that whoever asks next gets it at once; closing the connection gives it back for certain.
    await client
      .query('select pg_advisory_unlock(batchtest.hold_lock($1))', [this.#runUid])
      .catch(() => undefined);
    client.release(true);
  }
}

/** As long as its connection lives, a session has its lock. */
const answers = ({ client }: LockingSession): Promise<boolean> =>
  client.query('select').then(
    () => true,
    () => false,
  );

/** Two sessions never have the same: process numbers of a server are used again. */
const SESSION_KEY = `a.pid || ' ' || a.backend_start`;

async function lockingSession(pool: pg.Pool, runUid: string): Promise<LockingSession | undefined> {
  const client = await pool.connect();
  try {
    const { rows } = await client.query<{ held: boolean }>(
      'select pg_try_advisory_lock(batchtest.hold_lock($1)) as held',
      [runUid],
    );
    if (rows[0]?.held !== true) {
      client.release();
      return undefined;
    }
    // Tells who is in the way of whom.
    const named = await client.query<{ key: string }>(
      `select ${SESSION_KEY} as key, set_config('application_name', $1, false)
       from pg_catalog.pg_stat_activity a where a.pid = pg_backend_pid()`,
      [`batchtest, process ${process.pid} on ${hostname()}`],
    );
    return { client, key: named.rows[0]?.key ?? '' };
  } catch (error) {
    client.release(true);
    throw error;
  }
}

/** Who has the lock, as far as this role may see; undefined when nobody does. */
async function holderOf(
  pool: pg.Pool,
  runUid: string,
): Promise<{ readonly key: string | undefined; readonly name: string | undefined } | undefined> {
  const { rows } = await pool.query<{ key: string | null; name: string | null }>(
    `select ${SESSION_KEY} as key, nullif(a.application_name, '') as name
     from pg_catalog.pg_locks l left join pg_catalog.pg_stat_activity a on a.pid = l.pid
     where l.locktype = 'advisory' and l.granted and l.objsubid = 1
       and l.database = (select d.oid from pg_catalog.pg_database d where d.datname = current_database())
       and (l.classid::bigint << 32) | l.objid::bigint = batchtest.hold_lock($1)`,
    [runUid],
  );
  const [holder] = rows;
  return holder && { key: holder.key ?? undefined, name: holder.name ?? undefined };
}
