/** The operator and a Postgres that is run as a platform runs it: roles, passwords that change, locks of others. And that no secret is told meanwhile. */
import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, expect, inject, it, onTestFinished } from 'vitest';
import { migrateDatabase } from '../../src/results/postgres/migrate-database.ts';
import { runCommand } from '../unit/cli/command-line.ts';
import { CANARY, secretsIn } from './canaries.ts';
import { withPlay } from './kubernetes-world.ts';
import {
  aBatchTest,
  ENDS_SOON,
  measured,
  type OperatorSite,
  type OperatorWorld,
  openOperatorSite,
} from './operator-world.ts';
import { type Connection, databaseUrlOf, query } from './postgres-server.ts';
import { conditionOf } from './watch-recorder.ts';

let site: OperatorSite;
beforeAll(async () => {
  site = await openOperatorSite(inject('controlPlane'));
});
afterAll(() => site?.close());

/** A new role of the world's server, of no rights; how it connects. */
async function aRole({ connection }: OperatorWorld, name: string, password?: string): Promise<Connection> {
  const user = `${connection.database}_${name}`;
  await query(
    connection,
    `create role ${user} login ${password === undefined ? '' : `password '${password}'`}`,
  );
  return { ...connection, user };
}

/** Has the server ask this user for a password, which it asks nobody else for. */
async function askForPassword({ connection }: OperatorWorld, { user }: Connection): Promise<void> {
  const [{ hba_file: file } = { hba_file: '' }] = await query<{ hba_file: string }>(
    connection,
    'show hba_file',
  );
  await writeFile(file, `local all ${user} scram-sha-256\n${await readFile(file, 'utf8')}`);
  await query(connection, 'select pg_reload_conf()');
}

/** The file of a mounted Secret, which the kubelet replaces as a whole. */
async function writeUrl(file: string, url: string): Promise<void> {
  await writeFile(`${file}.new`, `${url}\n`, { mode: 0o600 });
  await rename(`${file}.new`, file);
}

const withPassword = (connection: Connection, password: string): string =>
  databaseUrlOf(connection).replace(CANARY.databasePassword, password);

it('waits for the migration that its role must not do, and then runs with rights on rows only', async () => {
  const world = await site.aWorld('roles');
  const writer = await aRole(world, 'writer');
  const operator = await world.startOperator({
    databaseUrl: databaseUrlOf(writer),
    options: ['--retention', '1h'],
  });
  const uid = await world.create(aBatchTest({ variants: 3, parallelism: 2, pod: ENDS_SOON }));
  const { reason, message } = await operator.untilLogged(
    'it waits',
    ({ msg }) => msg === 'waiting for the result store',
  );
  expect({ reason, message }).toEqual({
    reason: 'SchemaMissing',
    message: expect.stringContaining('Run "batchtest migrate"'),
  });
  await migrateDatabase(world.connection, { write: [writer.user], read: [] });
  await world.untilCondition(uid, 'Complete');
  expect(await world.storedRun(uid)).toMatchObject({ state: 'Complete', succeeded: 3 });
  const log = await operator.log();
  expect(log.filter(({ level }) => level === 'error')).toEqual([]);
});

it('F33: goes on with a password that was rotated, without a restart and with nothing lost', async () => {
  const world = await site.aWorld('rotation');
  await migrateDatabase(world.connection, { write: [], read: [] });
  const role = await aRole(world, 'rotated', 'canary-of-the-first-password');
  await migrateDatabase(world.connection, { write: [role.user], read: [] });
  await askForPassword(world, role);
  const file = join(world.directory, 'database-url');
  await writeUrl(file, withPassword(role, 'canary-of-the-first-password'));
  const operator = await world.startOperator({
    databaseUrl: '',
    environment: { DATABASE_URL_FILE: file },
  });
  const uid = await world.create(
    aBatchTest({ variants: 4, repetitions: 5, parallelism: 2, pod: { runMs: 1_000, message: measured(1) } }),
  );
  const succeeded = async () => (await world.storedRun(uid))?.succeeded ?? 0;
  await expect.poll(succeeded, { timeout: 60_000 }).toBeGreaterThan(1);

  await query(world.connection, `alter role ${role.user} password 'canary-of-the-second-password'`);
  const end = () =>
    query(world.connection, 'select pg_terminate_backend(pid) from pg_stat_activity where usename = $1', [
      role.user,
    ]);
  await end();
  const told = await world.untilCondition(uid, 'ResultStoreAvailable', 'False');
  expect(conditionOf(told, 'ResultStoreAvailable')?.reason).toMatch(
    /^(AccessDenied|ServerStopped|ConnectionLost)$/,
  );
  await writeUrl(file, withPassword(role, 'canary-of-the-second-password'));
  await world.untilCondition(uid, 'Complete');
  const attempts = await world.storedAttempts(uid);
  expect(attempts.map(({ attempt, outcome }) => `${attempt} ${outcome}`)).toEqual(
    Array(20).fill('1 Succeeded'),
  );
  expect(operator.isRunning).toBe(true);
}, 180_000);

it('gives up waiting for a lock of somebody else, says so, and stores everything once it is gone', async () => {
  const world = await site.aWorld('locked');
  await world.startOperator();
  const uid = await world.create(
    aBatchTest({ variants: 4, repetitions: 3, parallelism: 2, pod: { runMs: 1_000, message: measured(1) } }),
  );
  await expect
    .poll(async () => (await world.storedRun(uid))?.succeeded ?? 0, { timeout: 60_000 })
    .toBeGreaterThan(0);
  const somebody = new pg.Client(world.connection);
  somebody.on('error', () => undefined);
  onTestFinished(() => somebody.end());
  await somebody.connect();
  await somebody.query('begin');
  await somebody.query('lock table batchtest.attempts in access exclusive mode');
  await world.recorder.until(
    'it says why',
    (changes) =>
      changes.some(
        ({ kind, object }) =>
          kind === 'BatchTest' && conditionOf(object, 'ResultStoreAvailable')?.reason === 'LockTimeout',
      )
        ? true
        : undefined,
    90_000,
  );
  await somebody.query('rollback');
  await world.untilCondition(uid, 'Complete');
  const attempts = await world.storedAttempts(uid);
  expect(attempts.map(({ attempt, outcome }) => `${attempt} ${outcome}`)).toEqual(
    Array(12).fill('1 Succeeded'),
  );
}, 180_000);

it('tells no secret of anybody, whatever fails', async () => {
  const world = await site.aWorld('canaries');
  await world.cluster.request('POST', `/api/v1/namespaces/${world.namespace}/secrets`, {
    metadata: { name: 'credentials' },
    stringData: { token: 'canary-of-a-secret' },
  });
  const role = await aRole(world, 'operator', 'canary-of-the-right-password');
  await migrateDatabase(world.connection, { write: [role.user], read: [] });
  await askForPassword(world, role);
  const file = join(world.directory, 'database-url');
  const right = withPassword(role, 'canary-of-the-right-password');
  await writeUrl(file, 'canary-of-no-url');
  const operator = await world.startOperator({ databaseUrl: '', environment: { DATABASE_URL_FILE: file } });
  const waitsBecause = (reason: string) =>
    operator.untilLogged(
      `it waits: ${reason}`,
      (line) => line.msg === 'waiting for the result store' && line.reason === reason,
    );
  await waitsBecause('InvalidConfiguration');
  await writeUrl(file, withPassword(role, 'canary-of-a-wrong-password'));
  await waitsBecause('AccessDenied');
  await writeUrl(file, `${right}&sslmode=verify-full&sslrootcert=/canary-not-there`);
  await waitsBecause('InvalidConfiguration');
  await writeUrl(file, right);
  await operator.untilReady();

  const container = {
    name: 'test',
    image: 'test:1',
    env: [
      { name: 'API_KEY', value: CANARY.podEnvironment },
      { name: 'TOKEN', valueFrom: { secretKeyRef: { name: 'credentials', key: 'token' } } },
    ],
    volumeMounts: [{ name: 'credentials', mountPath: '/credentials' }],
  };
  const volumes = [{ name: 'credentials', secret: { secretName: 'credentials' } }];
  const create = (name: string, message: string, exitCode = 0) => {
    const pod = { runMs: 200, exitCode, message };
    const template = withPlay({ spec: { volumes, containers: [container] } }, pod);
    return world.create(aBatchTest({ name, parallelism: 1, pod, spec: { template } }));
  };
  const crashed = await create('says-it', 'Error: cannot connect with canary-of-a-crash', 1);
  const failed = [
    crashed,
    await create('no-json', 'canary-of-a-broken-result {'),
    await create('bad-field', JSON.stringify({ 'canary-of-a-field': 1 })),
    await create('bad-metric', JSON.stringify({ metrics: { x: 'canary-of-a-value' } })),
  ];
  const good = await create(
    'good',
    JSON.stringify({ metrics: { x: 1, 'canary-of-a-metric': 2 }, outputs: { note: 'canary-of-an-output' } }),
  );
  await Promise.all(failed.map((uid) => world.untilCondition(uid, 'Failed')));
  await world.untilCondition(good, 'Complete');
  const quota = { metadata: { name: 'none' }, spec: { hard: { 'count/jobs.batch': '0' } } };
  await world.cluster.request('POST', `/api/v1/namespaces/${world.namespace}/resourcequotas`, quota);
  const refused = await create('refused', measured(1));
  await world.recorder.until('it is refused', (changes) =>
    changes.some(
      ({ kind, object }) =>
        kind === 'BatchTest' &&
        object.metadata.uid === refused &&
        conditionOf(object, 'Progressing')?.reason === 'QuotaExceeded',
    )
      ? true
      : undefined,
  );
  // Log, metrics, statuses and events are looked at when the test ends, as those of every test.

  const environment = { DATABASE_URL: right, API_KEY: CANARY.operatorEnvironment };
  for (const format of ['table', 'json', 'yaml', 'csv', 'markdown', 'junit', 'html']) {
    const report = await runCommand(['report', crashed, '-o', format], { environment });
    expect(report.stdout).toContain('v0');
    // What a program said is what a report is for; its environment and ours are not.
    const told = secretsIn(`the ${format} report`, report.stdout + report.stderr);
    expect(told.filter((text) => !text.startsWith('canary-of-a-crash '))).toEqual([]);
  }
  for (const args of [
    ['list', '-o', 'json'],
    ['outbox', 'list', '-o', 'json'],
  ]) {
    const { stdout, stderr } = await runCommand(args, { environment });
    expect(secretsIn(args.join(' '), stdout + stderr)).toEqual([]);
  }
  const wrong = withPassword(role, 'canary-of-a-wrong-password');
  for (const url of [wrong, 'canary-of-no-url', `${right}&sslmode=verify-full`]) {
    const { stdout, stderr, exitCode } = await runCommand(['list'], { environment: { DATABASE_URL: url } });
    expect(exitCode).toBe(3);
    expect(secretsIn('an error', stdout + stderr)).toEqual([]);
  }
}, 300_000);
