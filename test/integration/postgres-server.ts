import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, mkdtemp, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import {
  type EmbeddedPostgres,
  openEmbeddedPostgres,
} from '../../src/results/postgres/embedded/open-embedded-postgres.ts';
import { CANARY } from './canaries.ts';

/** What a `pg` client needs to connect. */
export type Connection = EmbeddedPostgres['connection'];

/** A real Postgres server for one test file. */
export interface PostgresServer {
  /** A new database. */
  createDatabase(): Promise<Connection>;
  /** Stops the server, waits for its end and removes its files. */
  stop(): Promise<void>;
}

/** Starts a server in a new temporary directory. */
export async function startPostgresServer(): Promise<PostgresServer> {
  const directory = await realpath(await mkdtemp(join(tmpdir(), 'batchtest-store-')));
  // Under root, the server runs as another user, who must get through here.
  await chmod(directory, 0o755);
  const server = await openEmbeddedPostgres({ dataDir: join(directory, 'data') });
  return {
    createDatabase: async () => {
      const database = `test_${randomUUID().replaceAll('-', '')}`;
      await query(server.connection, `create database ${database}`);
      return { ...server.connection, database };
    },
    stop: async () => {
      await server.close();
      await untilStopped(server.connection);
      await rm(directory, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
    },
  };
}

/** The rows of one statement, on a connection of its own. */
export async function query<Row extends pg.QueryResultRow>(
  connection: Connection,
  text: string,
  values: readonly unknown[] = [],
): Promise<readonly Row[]> {
  const client = new pg.Client(connection);
  // A server that breaks down between the answer and the end of the session takes nothing from the caller.
  client.on('error', () => undefined);
  await client.connect();
  try {
    return (await client.query<Row>(text, [...values])).rows;
  } finally {
    await client.end();
  }
}

/** A database URL for a server behind a Unix socket, which asks for no password. */
export const databaseUrlOf = ({ host, port, user, database }: Connection): string =>
  `postgres://${user}:${CANARY.databasePassword}@localhost/${database}?host=${encodeURIComponent(host)}&port=${port}`;

const STOP_DEADLINE_MS = 20_000;

/** Closing lets go of the server, which then stops in the background; its socket goes last. */
async function untilStopped({ host, port }: Connection): Promise<void> {
  const deadline = Date.now() + STOP_DEADLINE_MS;
  while (existsSync(join(host, `.s.PGSQL.${port}`))) {
    if (Date.now() > deadline)
      throw new Error(`the Postgres server of a test did not stop within ${STOP_DEADLINE_MS} ms`);
    await sleep(20);
  }
}
