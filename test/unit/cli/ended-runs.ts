import { randomUUID } from 'node:crypto';
import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { EngineName } from '../../../src/core/run.ts';
import { openPostgresResultStore } from '../../../src/results/postgres/open-postgres-result-store.ts';
import { aRun } from '../../builders/run.ts';
import { databaseUrlOf, type PostgresServer, query } from '../../integration/postgres-server.ts';
import { aDataDirectory, type FinishedCommand, runCommand } from './command-line.ts';

/** Runs that are due to be pruned. */
export interface EndedRuns {
  /** The data directory. */
  readonly folder: string;
  readonly environment: Readonly<Record<string, string>>;
  /** In the order in which they ended, which is that in which they are deleted. */
  readonly uids: readonly string[];
  /** What prunes them all. */
  readonly pruneArguments: readonly string[];
  prune(): Promise<FinishedCommand>;
  /** The UIDs of those that are still stored. */
  stored(): Promise<readonly string[]>;
  /** From now on the output of local runs cannot be removed; gives what makes it possible again. */
  keepOutput(): () => void;
  /** From now on the store does not delete this run; gives what makes it do so again. */
  refuseToDelete(uid: string): Promise<() => Promise<unknown>>;
}

/** A database of runs that ended in this order, and a data directory with the output of those that ran locally. */
export async function endedRuns(
  server: PostgresServer,
  ...engines: readonly EngineName[]
): Promise<EndedRuns> {
  const connection = await server.createDatabase();
  const store = await openPostgresResultStore({ connection });
  onTestFinished(() => store.close());
  const data = aDataDirectory();
  onTestFinished(() => data.remove());
  const runs = join(data.path, 'runs');
  const uids: string[] = [];
  for (const engine of engines) {
    const uid = randomUUID();
    const { fence } = await store.openRun({ ...aRun({ uid }), engine });
    await store.finishRun(uid, fence, { state: 'Cancelled', reason: 'CancelRequested', message: '' });
    if (engine === 'local') mkdirSync(join(runs, uid), { recursive: true });
    uids.push(uid);
  }
  const environment = { DATABASE_URL: databaseUrlOf(connection) };
  const pruneArguments = ['prune', '--older-than', '0s', '--data-dir', data.path];
  return {
    folder: data.path,
    environment,
    uids,
    pruneArguments,
    prune: () => runCommand(pruneArguments, { environment }),
    stored: async () => (await store.listRuns({ limit: 10 })).map(({ uid }) => uid).sort(),
    keepOutput: () => {
      const elsewhere = join(data.path, 'elsewhere');
      renameSync(runs, elsewhere);
      writeFileSync(runs, 'not a folder');
      return () => {
        rmSync(runs);
        renameSync(elsewhere, runs);
      };
    },
    refuseToDelete: async (uid) => {
      await query(
        connection,
        `create function refuse() returns trigger language plpgsql as $$ begin raise exception 'not this one'; end $$`,
      );
      await query(
        connection,
        `create trigger refuse before delete on batchtest.runs for each row when (old.uid = '${uid}') execute function refuse()`,
      );
      return () => query(connection, 'drop trigger refuse on batchtest.runs');
    },
  };
}
