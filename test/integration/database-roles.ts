import { type Connection, type PostgresServer, query } from './postgres-server.ts';

/** A new database as a platform has it: three users, none of which is a superuser. */
export interface DatabaseOfRoles {
  /** The server's superuser, for what a test itself has to do. */
  readonly admin: Connection;
  /** May create a schema. */
  readonly migrator: Connection;
  /** Have no rights yet. */
  readonly writer: Connection;
  readonly reader: Connection;
}

export async function aDatabaseOfRoles(server: PostgresServer): Promise<DatabaseOfRoles> {
  const admin = await server.createDatabase();
  const { database } = admin;
  // Roles belong to the whole server.
  const as = (role: string): Connection => ({ ...admin, user: `${database}_${role}` });
  const [migrator, writer, reader] = [as('migrator'), as('Writer'), as('reader')];
  for (const { user } of [migrator, writer, reader]) await query(admin, `create role "${user}" login`);
  await query(admin, `grant create on database ${database} to "${migrator.user}"`);
  return { admin, migrator, writer, reader };
}
