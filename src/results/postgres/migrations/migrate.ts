import { Kysely, type Migration, Migrator, PostgresAdapter, PostgresDialect, sql } from 'kysely';
import type pg from 'pg';
import { SCHEMA } from '../tables.ts';
import { migrations } from './migrations.ts';

/**
 * Brings the schema `batchtest` of a database up to date; everything or nothing. Processes that start at the same time do it one
 * after the other; how long one waits for another is bounded by the lock_timeout of the pool's sessions.
 *
 * @returns the names of the migrations that were missing
 * @throws the error of the database, unchanged
 */
export async function migrate(
  pool: pg.Pool,
  all: Readonly<Record<string, Migration>> = migrations,
): Promise<readonly string[]> {
  const migrator = new Migrator({
    db: new Kysely({ dialect: new MigrationDialect({ pool }) }),
    provider: { getMigrations: () => Promise.resolve({ ...all }) },
    // Kysely's own two tables live beside ours.
    migrationTableSchema: SCHEMA,
  });
  const { error, results = [] } = await migrator.migrateToLatest();
  if (error !== undefined) throw error;
  return results.map(({ migrationName }) => migrationName);
}

class MigrationDialect extends PostgresDialect {
  override createAdapter(): PostgresAdapter {
    return new MigrationAdapter();
  }
}

/** Kysely's own lock waits for up to an hour, whatever lock_timeout says. */
class MigrationAdapter extends PostgresAdapter {
  override async acquireMigrationLock(db: Kysely<unknown>): Promise<void> {
    await sql`select pg_advisory_lock(${MIGRATION_LOCK})`.execute(db);
  }

  override async releaseMigrationLock(db: Kysely<unknown>): Promise<void> {
    await sql`select pg_advisory_unlock(${MIGRATION_LOCK})`.execute(db);
  }
}

/** Key of the advisory lock that a process holds while it migrates. */
const MIGRATION_LOCK = sql`hashtextextended('batchtest/migrations', 0)`;
