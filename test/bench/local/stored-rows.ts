import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { openEmbeddedPostgres } from '../../../src/results/postgres/embedded/open-embedded-postgres.ts';
import { type Connection, query } from '../../integration/postgres-server.ts';
import type { ResultWitness } from './contender.ts';

const POLL_MS = 10;

/** Statements that tell of results. */
export interface ResultQueries {
  /** Gives `stored`: whether there is one. */
  readonly isOneStored: string;
  /** Gives `count`, and when the `last` was there. */
  readonly all: string;
}

/** Asks the embedded Postgres of a data directory for the first result until it is committed, and counts them all once the run is over. */
export function storedRows(dataDirectory: string, queries: ResultQueries): ResultWitness {
  const over = new AbortController();
  const first = firstCommitted(dataDirectory, queries.isOneStored, over.signal);
  return {
    furtherProcess: () => runningServer(dataDirectory)?.pid,
    async seen() {
      over.abort();
      const firstAt = await first;
      // Started anew: what it finds is what was on disk.
      const server = await openEmbeddedPostgres({ dataDir: dataDirectory });
      try {
        const [found] = await query<{ count: number; last: Date }>(server.connection, queries.all);
        const count = found?.count ?? 0;
        return { firstAt: firstAt ?? Number.NaN, lastAt: Number(found?.last), count, committed: count };
      } finally {
        await server.close();
      }
    },
  };
}

/** Milliseconds since the epoch; undefined when the run is over before it was seen. */
async function firstCommitted(
  dataDirectory: string,
  isOneStored: string,
  over: AbortSignal,
): Promise<number | undefined> {
  while (!over.aborted) {
    if (await isTrue(isOneStored, runningServer(dataDirectory)?.connection)) return Date.now();
    await sleep(POLL_MS);
  }
  return undefined;
}

async function isTrue(text: string, connection: Connection | undefined): Promise<boolean> {
  if (connection === undefined) return false;
  // It may be about to listen, or to end, or to make its tables.
  const rows = await query<{ stored: boolean }>(connection, text).catch(() => []);
  return rows[0]?.stored === true;
}

/** As its own file tells: it is no child of the run. */
function runningServer(
  dataDirectory: string,
): { readonly pid: number; readonly connection: Connection | undefined } | undefined {
  try {
    const clusters = join(dataDirectory, 'postgres');
    const [major = ''] = readdirSync(clusters).filter((name) => /^\d+$/.test(name));
    const lines = readFileSync(join(clusters, major, 'postmaster.pid'), 'utf8').split('\n');
    const [pid, , , port, host] = lines.map((line) => line.trim());
    const listens = lines[7]?.trim() === 'ready';
    return {
      pid: Number(pid),
      connection:
        listens && host ? { host, port: Number(port), user: 'batchtest', database: 'postgres' } : undefined,
    };
  } catch {
    // It has not started yet, or has ended.
    return undefined;
  }
}
