import type pg from 'pg';
import { type ServerFacts, type UnmetRequirement, unmetRequirement } from '../server-requirements.ts';
import { SCHEMA } from '../tables.ts';
import { migrations } from './migrations.ts';

/** What the schema of a database is to this program and to the user who asks. */
export type SchemaState =
  /** No schema of this program works there. */
  | { readonly kind: 'Unfit'; readonly unmet: UnmetRequirement }
  | { readonly kind: 'Current' }
  /** There is none yet, or it lacks these migrations. */
  | {
      readonly kind: 'Missing' | 'Older';
      readonly lacking: readonly string[];
      readonly mayMigrate: boolean;
    }
  /** It has these migrations, which this program does not know. */
  | { readonly kind: 'Newer'; readonly unknown: readonly string[] }
  /** The user may not even look. */
  | { readonly kind: 'Closed' };

/** @throws the error of the database, unchanged */
export async function schemaState(pool: pg.Pool): Promise<SchemaState> {
  const { rows } = await pool.query<AccessRow>(READ_ACCESS, [SCHEMA]);
  const [access] = rows;
  const unmet = access && unmetRequirement(access);
  if (unmet !== undefined) return { kind: 'Unfit', unmet };
  if (access?.may_read !== true) return { kind: 'Closed' };
  const applied = access.is_migrated
    ? (await pool.query<{ name: string }>(`select name from ${SCHEMA}.kysely_migration order by name`)).rows
    : [];
  const names = applied.map(({ name }) => name);
  const unknown = names.filter((name) => !(name in migrations));
  if (unknown.length > 0) return { kind: 'Newer', unknown };
  const lacking = Object.keys(migrations).filter((name) => !names.includes(name));
  if (lacking.length === 0) return { kind: 'Current' };
  return { kind: names.length === 0 ? 'Missing' : 'Older', lacking, mayMigrate: access.may_migrate };
}

interface AccessRow extends ServerFacts {
  readonly is_migrated: boolean;
  readonly may_read: boolean;
  readonly may_migrate: boolean;
}

/** From the catalogs, which everybody may read: asking for the table itself would be an error to whom it is closed. */
const READ_ACCESS = `
select
  current_setting('server_version') as version,
  current_setting('server_version_num')::int as "versionNumber",
  current_setting('server_encoding') as encoding,
  c.oid is not null as is_migrated,
  c.oid is null or (has_schema_privilege(n.oid, 'usage') and has_table_privilege(c.oid, 'select')) as may_read,
  coalesce(pg_has_role(n.nspowner, 'usage'), has_database_privilege(current_database(), 'create')) as may_migrate
from (select) one
left join pg_catalog.pg_namespace n on n.nspname = $1
left join pg_catalog.pg_class c on c.relnamespace = n.oid and c.relname = 'kysely_migration'`;
