import type pg from 'pg';
import type { RunHold } from '../result-store.ts';

/** Takes the advisory lock of a run on a connection of its own: the server gives it back when the process, or the connection, is gone. */
export async function holdRun(pool: pg.Pool, runUid: string): Promise<RunHold | undefined> {
  const client = await pool.connect();
  // Without a listener the end of an idle connection would end the process; the hold is gone with it, and the fence remains.
  client.on('error', () => {});
  try {
    const { rows } = await client.query<{ held: boolean }>(
      'select pg_try_advisory_lock(batchtest.hold_lock($1)) as held',
      [runUid],
    );
    if (rows[0]?.held !== true) {
      client.release();
      return undefined;
    }
  } catch (error) {
    client.release(true);
    throw error;
  }
  let isReleased = false;
  return {
    release: async () => {
      if (isReleased) return;
      isReleased = true;
      // So that whoever asks next gets it at once; closing the connection gives it back for certain.
      await client
        .query('select pg_advisory_unlock(batchtest.hold_lock($1))', [runUid])
        .catch(() => undefined);
      client.release(true);
    },
  };
}
