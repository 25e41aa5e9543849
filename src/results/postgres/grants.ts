import pg from 'pg';
import { SCHEMA } from './tables.ts';

/** Which roles get what, beside the one that owns the schema. */
export interface Grants {
  /** They store results: rows of every table, and no table itself. */
  readonly write: readonly string[];
  /** They read results, as Grafana and people do. */
  readonly read: readonly string[];
}

/** Neither results nor of use to a reader: messages that are on their way, and results that do not count yet. */
const INTERNAL = ['outbox', 'pushed_results'];
/** Told of by the migrator alone, and read by everybody who asks whether the schema is theirs. */
const MIGRATIONS = ['kysely_migration', 'kysely_migration_lock'];

/**
 * Statements after which the roles have these rights in the schema and no others, now and in what later migrations of the same user make. All functions of the
 * schema have the rights of who calls them, so who may call them opens nothing.
 */
export function grantStatements({ write, read }: Grants): string {
  return [...write.flatMap(writing), ...read.flatMap(reading)].join(';\n');
}

const writing = (role: string): readonly string[] => [
  ...afresh(role),
  ...allowing(role, 'select, insert, update, delete'),
  `revoke insert, update, delete on ${qualified(MIGRATIONS)} from ${quoted(role)}`,
];

const reading = (role: string): readonly string[] => [
  ...afresh(role),
  ...allowing(role, 'select'),
  `revoke select on ${qualified(INTERNAL)} from ${quoted(role)}`,
  // A report counts the results that are missing by the messages that cannot be delivered.
  `grant select (run_uid, kind, state) on ${qualified(['outbox'])} to ${quoted(role)}`,
];

/** What an earlier call gave, such as to a role that wrote and is to read only. */
const afresh = (role: string): readonly string[] => [
  `revoke all on all tables in schema ${SCHEMA} from ${quoted(role)}`,
  `alter default privileges in schema ${SCHEMA} revoke all on tables from ${quoted(role)}`,
];

const allowing = (role: string, privileges: string): readonly string[] => [
  `grant usage on schema ${SCHEMA} to ${quoted(role)}`,
  `grant ${privileges} on all tables in schema ${SCHEMA} to ${quoted(role)}`,
  `alter default privileges in schema ${SCHEMA} grant ${privileges} on tables to ${quoted(role)}`,
  // For databases that take this right away from everybody.
  `grant execute on all functions in schema ${SCHEMA} to ${quoted(role)}`,
  `alter default privileges in schema ${SCHEMA} grant execute on functions to ${quoted(role)}`,
];

const quoted = pg.escapeIdentifier;
const qualified = (tables: readonly string[]): string =>
  tables.map((table) => `${SCHEMA}.${table}`).join(', ');
