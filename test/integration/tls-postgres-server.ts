import { chmod, chown, mkdir, mkdtemp, readFile, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { findPostgresPackage, runnableBinaries } from '../../src/results/postgres/embedded/binaries.ts';
import { CHILD_ENVIRONMENT } from '../../src/results/postgres/embedded/child-environment.ts';
import { ensureCluster } from '../../src/results/postgres/embedded/cluster.ts';
import { serverAccount } from '../../src/results/postgres/embedded/server-account.ts';
import { type CertificateAuthority, createAuthority } from '../tools/certificates.ts';
import { freeLoopbackPorts } from '../tools/loopback-port.ts';
import { logTail, startSupervised } from '../tools/supervised-process.ts';
import { type Connection, query } from './postgres-server.ts';

/** A real Postgres server on the network, which takes TLS connections only. */
export interface TlsPostgresServer {
  /** By its socket, as a superuser. */
  readonly admin: Connection;
  readonly port: number;
  /** The directory of its certificates, where a test may put more. */
  readonly directory: string;
  /** Signed the server's certificate, which is for `localhost` only, and signs those of its clients. */
  readonly authority: CertificateAuthority;
  /** Whether it offers TLS to new connections. */
  offerTls(isOffered: boolean): Promise<void>;
  stop(): Promise<void>;
}

/** Passwords for everybody, but a certificate for the user of this name. */
export const CERTIFIED_USER = 'certified';

const START_DEADLINE_MS = 60_000;

export async function startTlsPostgresServer(): Promise<TlsPostgresServer> {
  const directory = await realpath(await mkdtemp(join(tmpdir(), 'batchtest-tls-')));
  await chmod(directory, 0o755);
  const account = serverAccount(process.getuid?.());
  const own = async (path: string) => {
    if (account !== undefined) await chown(path, account.uid, account.gid);
  };
  const authority = await createAuthority(directory, 'trusted');
  const { certFile, keyFile } = await authority.issue('server', ['DNS:localhost']);
  await chmod(keyFile, 0o600);
  await own(keyFile);

  const server = join(directory, 'server');
  await mkdir(server);
  await own(server);
  const binaries = await runnableBinaries(
    await findPostgresPackage(undefined),
    join(directory, 'binaries'),
    account,
  );
  const cluster = join(server, 'data');
  await ensureCluster(cluster, binaries, account, AbortSignal.timeout(START_DEADLINE_MS));
  const [port = 0] = await freeLoopbackPorts(1);
  await writeFile(
    join(cluster, 'pg_hba.conf'),
    `local all all trust\nhostssl all ${CERTIFIED_USER} all cert\nhost all all all scram-sha-256\n`,
  );
  const configuration = join(cluster, 'postgresql.conf');
  await writeFile(
    configuration,
    `${await readFile(configuration, 'utf8')}
listen_addresses = '127.0.0.1'
port = ${port}
unix_socket_directories = '${server}'
ssl = on
ssl_cert_file = '${certFile}'
ssl_key_file = '${keyFile}'
ssl_ca_file = '${authority.certFile}'
fsync = off
`,
  );
  const logFile = join(server, 'log');
  const program = await startSupervised({
    name: 'Postgres with TLS',
    command: binaries.postgres,
    args: ['-D', cluster],
    environment: CHILD_ENVIRONMENT,
    workingDirectory: '/',
    account,
    logFile,
    graceSeconds: 20,
  });
  const admin = { host: server, port, user: 'batchtest', database: 'postgres' };
  await Promise.race([
    untilReady(admin),
    program.exited.then((code) => {
      throw new Error(`it ended with ${code}`);
    }),
  ]).catch(async (cause: unknown) => {
    const log = await logTail(logFile);
    await program.stop();
    throw new Error(`Postgres did not start; ${log}`, { cause });
  });
  return {
    admin,
    port,
    directory,
    authority,
    async offerTls(isOffered) {
      await query(admin, `alter system set ssl = ${isOffered ? 'on' : 'off'}`);
      await query(admin, 'select pg_reload_conf()');
      // A session sees what was configured when it began.
      for (const until = Date.now() + START_DEADLINE_MS; Date.now() < until; await sleep(20)) {
        const [row] = await query<{ ssl: string }>(admin, 'show ssl');
        if (row?.ssl === (isOffered ? 'on' : 'off')) return;
      }
      throw new Error('the server did not take its new configuration');
    },
    async stop() {
      await program.stop();
      await rm(directory, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
    },
  };
}

async function untilReady(admin: Connection): Promise<void> {
  for (const deadline = Date.now() + START_DEADLINE_MS; ; await sleep(50))
    try {
      await query(admin, 'select 1');
      return;
    } catch (error) {
      if (Date.now() > deadline) throw error;
    }
}
