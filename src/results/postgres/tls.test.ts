/** What the `sslmode` of a URL means, on a real server with a certificate for `localhost`. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { query } from '../../../test/integration/postgres-server.ts';
import {
  CERTIFIED_USER,
  startTlsPostgresServer,
  type TlsPostgresServer,
} from '../../../test/integration/tls-postgres-server.ts';
import { createAuthority } from '../../../test/tools/certificates.ts';
import { runCommand } from '../../../test/unit/cli/command-line.ts';
import { connectionFromFile } from './connection-file.ts';
import { createPool, type PostgresConnection } from './connection-pool.ts';
import { openPostgresResultStore } from './open-postgres-result-store.ts';

const PASSWORD = 'canary-of-the-password';

let server: TlsPostgresServer;
beforeAll(async () => {
  server = await startTlsPostgresServer();
  await query(server.admin, `create role distant login password '${PASSWORD}'`);
  await query(server.admin, `create role ${CERTIFIED_USER} login`);
  await query(server.admin, `grant create on database postgres to distant`);
}, 120_000);
afterAll(() => server?.stop());

const url = (
  parameters: Readonly<Record<string, string>>,
  host = 'localhost',
  user = `distant:${PASSWORD}`,
) => `postgres://${user}@${host}:${server.port}/postgres?${new URLSearchParams(parameters)}`;
const verified = () => ({ sslmode: 'verify-full', sslrootcert: server.authority.certFile });

/** The user of a session, and whether it is encrypted. */
async function sessionOf(connection: PostgresConnection): Promise<unknown> {
  const pool = createPool(connection, {
    poolSize: 1,
    applicationName: 'test',
    connectTimeoutMs: 30_000,
    statementTimeoutMs: 30_000,
    lockTimeoutMs: 10_000,
  });
  try {
    const { rows } = await pool.query(
      'select current_user as user, ssl from pg_stat_ssl where pid = pg_backend_pid()',
    );
    return rows[0];
  } finally {
    await pool.end();
  }
}

describe('sslmode=verify-full', () => {
  it('connects to the server that the authority of sslrootcert has signed', async () => {
    expect(await sessionOf(url(verified()))).toEqual({ user: 'distant', ssl: true });
    const store = await openPostgresResultStore({ connection: url(verified()) });
    await store.close();
  });

  it('does so by a URL in a file', async () => {
    const file = join(server.directory, 'url');
    await writeFile(file, `${url(verified())}\n`);
    expect(await sessionOf(await connectionFromFile(file))).toEqual({ user: 'distant', ssl: true });
  });

  it('shows a certificate of its own by sslcert and sslkey', async () => {
    const { certFile, keyFile } = await server.authority.issue(CERTIFIED_USER);
    const certified = (more: Readonly<Record<string, string>>) =>
      url({ ...verified(), ...more }, 'localhost', CERTIFIED_USER);
    expect(await sessionOf(certified({ sslcert: certFile, sslkey: keyFile }))).toEqual({
      user: CERTIFIED_USER,
      ssl: true,
    });
    await expect(openPostgresResultStore({ connection: certified({}) })).rejects.toMatchObject({
      reason: 'AccessDenied',
    });
  });
});

it('sslmode=require encrypts, and checks nothing', async () => {
  expect(await sessionOf(url({ sslmode: 'require' }, '127.0.0.1'))).toEqual({ user: 'distant', ssl: true });
});

it('sslmode=verify-ca checks who has signed, and not for which host', async () => {
  const parameters = { sslmode: 'verify-ca', sslrootcert: server.authority.certFile };
  expect(await sessionOf(url(parameters, '127.0.0.1'))).toEqual({ user: 'distant', ssl: true });
});

/** What the command line says of a database with this URL. */
async function complaintOf(databaseUrl: string): Promise<string> {
  const { exitCode, stderr } = await runCommand(['list'], { environment: { DATABASE_URL: databaseUrl } });
  expect(exitCode, stderr).toBe(3);
  expect(stderr.split('\n'), 'one line').toHaveLength(2);
  expect(stderr).not.toContain(PASSWORD);
  return stderr;
}

describe('a server that is not the one of the URL is refused, and the command line says', () => {
  it('that another authority has signed its certificate', async () => {
    const { certFile } = await createAuthority(server.directory, 'another');
    const said = await complaintOf(url({ sslmode: 'verify-full', sslrootcert: certFile }));
    expect(said).toContain(
      "signed by none of the authorities that are trusted, which are those of the URL's sslrootcert",
    );
    expect(said).toContain(`(TlsFailed; server localhost:${server.port})`);
  });

  it('that no authority that Node knows has signed it, without sslrootcert', async () => {
    expect(await complaintOf(url({ sslmode: 'verify-full' }))).toContain('or without it those of Node');
  });

  it('that its certificate is for another host', async () => {
    const said = await complaintOf(url(verified(), '127.0.0.1'));
    expect(said).toContain('is not for the host of the URL, as sslmode=verify-full expects');
    expect(said).toContain(`(TlsFailed; server 127.0.0.1:${server.port})`);
  });

  it('that it takes no TLS connections', async () => {
    await server.offerTls(false);
    try {
      const said = await complaintOf(url(verified()));
      expect(said).toContain('takes no TLS connection, which the sslmode of the URL expects');
      expect(said).toContain(`(TlsFailed; server localhost:${server.port})`);
    } finally {
      await server.offerTls(true);
    }
  });

  it('that the file of the authority cannot be read, by its name', async () => {
    const said = await complaintOf(url({ sslmode: 'verify-full', sslrootcert: '/nowhere/ca.crt' }));
    expect(said).toContain('names a file that cannot be read: /nowhere/ca.crt (ENOENT)');
  });

  it('that verify-ca needs an authority', async () => {
    expect(await complaintOf(url({ sslmode: 'verify-ca' }))).toContain('sslmode=verify-ca');
  });

  it('that it is no URL, without what it is', async () => {
    expect(await complaintOf(`host=localhost password=${PASSWORD}`)).toContain('does not hold a URL such as');
  });
});
