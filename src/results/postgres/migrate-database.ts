import type pg from 'pg';
import { ResultStoreUnavailableError, SchemaTooNewError } from '../result-store.ts';
import { createPool, type PostgresConnection } from './connection-pool.ts';
import { type Grants, grantStatements } from './grants.ts';
import { migrate } from './migrations/migrate.ts';
import { type SchemaState, schemaState } from './migrations/schema-state.ts';
import { codeOf, SCHEMA_MISSING, storeError } from './store-error.ts';

/** How long to wait for another process that migrates, or for a long query that holds a table. */
const LOCK_TIMEOUT_MS = 30_000;
const CONNECT_TIMEOUT_MS = 10_000;
/** What is asked about the schema is read from catalogs and takes no time. */
const QUESTION_TIMEOUT_MS = 10_000;
const UNDEFINED_OBJECT = '42704';

/**
 * Brings the schema of a database up to date, and gives roles what {@link Grants} says.
 * @returns the names of the migrations that were missing
 * @throws ResultStoreUnavailableError when the database cannot be reached or changed now
 */
export async function migrateDatabase(
  connection: PostgresConnection,
  grants: Grants,
): Promise<readonly string[]> {
  const applied = await bringUpToDate(connection);
  await withMigrationPool(connection, (pool) => grantAccess(pool, grants));
  return applied;
}

/** A pool for one migration. Its statements take as long as they need: one may rewrite a large table. */
export const withMigrationPool = <Answer>(
  connection: PostgresConnection,
  use: (pool: pg.Pool) => Promise<Answer>,
): Promise<Answer> => withPool(connection, undefined, use);

async function withPool<Answer>(
  connection: PostgresConnection,
  statementTimeoutMs: number | undefined,
  use: (pool: pg.Pool) => Promise<Answer>,
): Promise<Answer> {
  const pool = createPool(connection, {
    poolSize: 1,
    applicationName: 'batchtest-migration',
    connectTimeoutMs: CONNECT_TIMEOUT_MS,
    statementTimeoutMs,
    lockTimeoutMs: LOCK_TIMEOUT_MS,
  });
  try {
    return await use(pool);
  } finally {
    await pool.end();
  }
}

/**
 * Migrates what is behind, when the user of the connection may. A server that does not answer what is asked about the schema is one that cannot be reached; a
 * migration that has begun takes as long as it needs.
 * @returns the names of the migrations that were missing
 */
export async function bringUpToDate(connection: PostgresConnection): Promise<readonly string[]> {
  const doing = 'open the result store';
  const told =
    <Answer>(use: (pool: pg.Pool) => Promise<Answer>) =>
    (pool: pg.Pool): Promise<Answer> =>
      use(pool).catch((error: unknown) => {
        throw storeError(error, doing, serverOf(pool));
      });
  const state = await withPool(connection, QUESTION_TIMEOUT_MS, told(schemaState));
  if (state.kind === 'Current') return [];
  checkMigratable(state, doing);
  return withMigrationPool(
    connection,
    told((pool) => migrate(pool)),
  );
}

/** A socket is named by its directory. */
const serverOf = ({ options: { host, port } }: pg.Pool): string | undefined =>
  host === undefined ? undefined : `${host}:${port ?? 5432}`;

function checkMigratable(state: Exclude<SchemaState, { kind: 'Current' }>, doing: string): void {
  if (state.kind === 'Unfit')
    throw new ResultStoreUnavailableError(state.unmet.reason, `${doing}: ${state.unmet.message}`);
  if (state.kind === 'Newer') throw new SchemaTooNewError(state.unknown);
  if (state.kind === 'Closed')
    throw new ResultStoreUnavailableError(
      'PermissionDenied',
      `${doing}: the database user may not use the schema batchtest. Let its owner run "batchtest migrate --grant-write USER" or --grant-read`,
    );
  if (state.mayMigrate) return;
  const [reason, what] =
    state.kind === 'Missing'
      ? [SCHEMA_MISSING, 'there is no schema batchtest in the database yet, and its user may not create it']
      : [
          'SchemaOlder',
          `the schema lacks ${state.lacking.join(', ')}, and the database user may not change it`,
        ];
  throw new ResultStoreUnavailableError(
    reason,
    `${doing}: ${what}. Run "batchtest migrate" of this version as a user who may`,
  );
}

async function grantAccess(pool: pg.Pool, grants: Grants): Promise<void> {
  const statements = grantStatements(grants);
  if (statements === '') return;
  try {
    // As one query they are one transaction.
    await pool.query(statements);
  } catch (error) {
    if (codeOf(error) === UNDEFINED_OBJECT)
      throw new ResultStoreUnavailableError(
        'RoleMissing',
        `${(error as Error).message} in the database server: create it first, as by create role … login`,
      );
    throw storeError(error, 'grant rights');
  }
}
