import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import type pg from 'pg';
import type { RunHold } from '../result-store.ts';
import { whileContended } from './while-contended.ts';

/**
 * Takes the advisory lock of a run on a connection of its own; undefined when another session has it. The server gives the lock back when the process, or the
 * connection, is gone.
 * @param pool for holds alone, and without a limit: what is held keeps its connection until it is released
 */
export async function holdRun(pool: pg.Pool, runUid: string): Promise<RunHold | undefined> {
  const mark = newMark();
  const session = await lockingSession(pool, runUid, mark);
  return session && new PostgresRunHold(pool, runUid, mark, session);
}

/**
 * What the names of all sessions of one hold begin with, and of no other's. Number and start of a session tell less: a pooler gives the session that
 * one process has left to the next.
 */
const newMark = (): string => `batchtest, process ${process.pid}, hold ${randomBytes(4).toString('hex')}`;

class PostgresRunHold implements RunHold {
  readonly #pool: pg.Pool;
  readonly #runUid: string;
  readonly #mark: string;
  #session: pg.PoolClient;
  #keeping: ReturnType<RunHold['keep']> | undefined;
  #isReleased = false;

  constructor(pool: pg.Pool, runUid: string, mark: string, session: pg.PoolClient) {
    this.#pool = pool;
    this.#runUid = runUid;
    this.#mark = mark;
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
    const session = await lockingSession(this.#pool, this.#runUid, this.#mark);
    if (session !== undefined) {
      this.#session.release(true);
      this.#session = session;
      return { kind: 'Held' };
    }
    const holder = await holderOf(this.#pool, this.#runUid);
    // The server may not have found out that the former connection is gone, and whoever has had the lock may have given it back: the next look tells.
    if (holder === undefined || holder.name?.startsWith(this.#mark)) return { kind: 'Held' };
    return { kind: 'TakenOver', by: holder.name };
  }

  async release(): Promise<void> {
    if (this.#isReleased) return;
    this.#isReleased = true;
    await this.#keeping?.catch(() => undefined);
    // So that whoever asks next gets it at once; closing the connection gives it back for certain.
    await this.#session
      .query('select pg_advisory_unlock(batchtest.hold_lock($1))', [this.#runUid])
      .catch(() => undefined);
    this.#session.release(true);
  }
}

/** As long as its connection lives, a session has its lock. */
const answers = (session: pg.PoolClient): Promise<boolean> =>
  session.query('select').then(
    () => true,
    () => false,
  );

async function lockingSession(
  pool: pg.Pool,
  runUid: string,
  mark: string,
): Promise<pg.PoolClient | undefined> {
  const session = await pool.connect();
  try {
    // Tells who is in the way of whom, and before it may be. The server cuts a long name, and with it the host's.
    await session.query(`select set_config('application_name', $1, false)`, [`${mark} on ${hostname()}`]);
    const { rows } = await session.query<{ held: boolean }>(
      'select pg_try_advisory_lock(batchtest.hold_lock($1)) as held',
      [runUid],
    );
    if (rows[0]?.held === true) return session;
    session.release();
    return undefined;
  } catch (error) {
    session.release(true);
    throw error;
  }
}

/** Who has the lock, by the name of the session; undefined when nobody does. */
async function holderOf(
  pool: pg.Pool,
  runUid: string,
): Promise<{ readonly name: string | undefined } | undefined> {
  const { rows } = await pool.query<{ name: string | null }>(
    `select nullif(a.application_name, '') as name
     from pg_catalog.pg_locks l join pg_catalog.pg_stat_activity a on a.pid = l.pid
     where l.locktype = 'advisory' and l.granted and l.objsubid = 1
       and l.database = (select d.oid from pg_catalog.pg_database d where d.datname = current_database())
       and (l.classid::bigint << 32) | l.objid::bigint = batchtest.hold_lock($1)`,
    [runUid],
  );
  const [holder] = rows;
  return holder && { name: holder.name ?? undefined };
}
