/** `batchtest run --engine kubernetes` where something is missing: the operator, or the way to its database. */
import { afterAll, beforeAll, describe, expect, inject, it, onTestFinished } from 'vitest';
import { parse } from 'yaml';
import { openPostgresResultStore } from '../../src/results/postgres/open-postgres-result-store.ts';
import { freeLoopbackPorts } from '../tools/loopback-port.ts';
import { aDataDirectory, type RunningCommand, startCommand } from '../unit/cli/command-line.ts';
import {
  aBatchTest,
  ENDS_SOON,
  type OperatorSite,
  type OperatorWorld,
  openOperatorSite,
} from './operator-world.ts';
import { query } from './postgres-server.ts';
import { lastOf } from './watch-recorder.ts';

let site: OperatorSite;
beforeAll(async () => {
  site = await openOperatorSite(inject('controlPlane'));
});
afterAll(() => site?.close());

const MANIFEST = aBatchTest({ variants: ['lru', 'fifo'], parallelism: 2, pod: ENDS_SOON });

/** Starts the command in the world's namespace, with a data directory of its own. */
function started(
  world: OperatorWorld,
  output: 'table' | 'json' | 'yaml',
  environment: Record<string, string>,
): RunningCommand {
  const data = aDataDirectory();
  onTestFinished(() => data.remove());
  const { kubeconfigPath } = inject('controlPlane');
  const args = ['--namespace', world.namespace, '--kubeconfig', kubeconfigPath, '--data-dir', data.path];
  const command = startCommand(['run', '-', '--engine', 'kubernetes', '-o', output, '--quiet', ...args], {
    input: JSON.stringify(MANIFEST),
    environment,
  });
  onTestFinished(() => command.kill('SIGKILL'));
  return command;
}

/** What can be said without the results. */
const unreadReport = (world: OperatorWorld) => ({
  run: {
    uid: expect.any(String),
    name: 'cache',
    namespace: world.namespace,
    workflowId: 'cache',
    engine: 'kubernetes',
    state: 'Complete',
    interrupted: false,
    reason: 'AllTrialsSucceeded',
    message: 'all 2 trials succeeded',
    startedAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
    finishedAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
    trials: { total: 2, pending: 0, succeeded: 2, failed: 0, cancelled: 0, reused: 0, skipped: 0 },
  },
  best: { name: 'lru', score: 1, ties: ['fifo'], evidence: null },
  objective: [{ metric: 'x', goal: 'minimize', weight: 1, target: null }],
  comparison: { baseline: null, confidence: 0.95, tieBreak: [] },
  gates: [],
  gate: null,
  matrix: [],
  failures: [],
  failureCount: 0,
  previousRun: null,
  verification: {
    artifacts: { tracked: 0, pending: 0, verified: 0, mismatched: 0, missing: 0 },
    results: { pending: 0, verified: 0, mismatched: 0, missing: 0 },
    problems: [],
  },
});

describe('a run of a cluster whose results cannot be read', () => {
  it('is one JSON document of what its object says, and the reason on stderr, without DATABASE_URL', async () => {
    const world = await site.aWorld('unset');
    await world.startOperator();
    const { exitCode, stdout, stderr } = await started(world, 'json', {}).finished;
    expect(exitCode, stderr).toBe(0);
    const report = JSON.parse(stdout);
    expect(report).toEqual(unreadReport(world));
    const { uid } = report.run;
    expect(stderr).toMatch(
      new RegExp(
        `^the results of run ${uid} cannot be read: DATABASE_URL is not set, and the run is not in the embedded Postgres of .*$`,
        'm',
      ),
    );
    expect(stderr).toContain(
      `the comparison is in the operator's database: set DATABASE_URL to it and call batchtest report ${uid}\n`,
    );
  });

  it('is one YAML document when DATABASE_URL names a database that cannot be reached', async () => {
    const world = await site.aWorld('unreachable');
    await world.startOperator();
    const [port] = await freeLoopbackPorts(1);
    const DATABASE_URL = `postgres://nobody:hunter2@127.0.0.1:${port}/none`;
    const { exitCode, stdout, stderr } = await started(world, 'yaml', { DATABASE_URL }).finished;
    expect(exitCode, stderr).toBe(0);
    expect(parse(stdout)).toEqual(unreadReport(world));
    expect(stderr).toMatch(
      /cannot be read: DATABASE_URL is set, but the given database cannot be reached: .*ECONNREFUSED/,
    );
    expect(stdout + stderr).not.toContain('hunter2');
  });

  it('is a table without rows when DATABASE_URL names another database', async () => {
    const world = await site.aWorld('elsewhere');
    const elsewhere = await site.aWorld('other');
    await world.startOperator();
    const environment = { DATABASE_URL: elsewhere.databaseUrl };
    const { exitCode, stdout, stderr } = await started(world, 'table', environment).finished;
    expect(exitCode, stderr).toBe(0);
    expect(stdout).toMatch(
      /^cache · Complete · 2 of 2 trials succeeded · .*\nrun .* · kubernetes, namespace .*\n\n★ lru and fifo cannot be told apart, best score 1\.0000\n$/,
    );
    expect(stderr).toContain(
      'cannot be read: DATABASE_URL is set, but the run is not in the given database\n',
    );
  });

  it('is told when a later version has migrated the database, with the exit code of the run', async () => {
    const world = await site.aWorld('newer');
    await world.startOperator();
    const { connection, databaseUrl: DATABASE_URL } = await site.aWorld('newer-database');
    await (await openPostgresResultStore({ connection })).close();
    await query(
      connection,
      `insert into batchtest.kysely_migration (name, timestamp) values ('0999-later', 'now')`,
    );
    const { exitCode, stdout, stderr } = await started(world, 'json', { DATABASE_URL }).finished;
    expect(exitCode, stderr).toBe(0);
    expect(JSON.parse(stdout)).toEqual(unreadReport(world));
    expect(stderr).toMatch(
      /cannot be read: DATABASE_URL is set, but the given database cannot be read: the schema of the database is newer .* 0999-later: /,
    );
  });
});

describe('a run of a cluster without an operator', () => {
  it('says once that nobody has picked it up, waits, and ends when an operator comes', async () => {
    const world = await site.aWorld('nobody');
    const command = started(world, 'json', { DATABASE_URL: world.databaseUrl });
    const notice = `no operator has picked up BatchTest ${world.namespace}/cache within 10 s: is the operator running, and does it watch the namespace ${world.namespace}?`;
    await command.untilStderr(notice);
    await world.startOperator();
    const { exitCode, stdout, stderr } = await command.finished;
    expect(exitCode, stderr).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ run: { state: 'Complete' } });
    expect(stderr.split(notice)).toHaveLength(2);
  });

  it('deletes what nobody has picked up on Ctrl-C', async () => {
    const world = await site.aWorld('nobody-cancelled');
    const command = started(world, 'json', { DATABASE_URL: world.databaseUrl });
    const uid = await world.recorder.until(
      'the object is there',
      (changes) => changes.findLast(({ kind }) => kind === 'BatchTest')?.object.metadata.uid,
    );
    command.kill('SIGINT');
    const { exitCode, stdout, stderr } = await command.finished;
    expect(exitCode, stderr).toBe(4);
    expect(JSON.parse(stdout)).toMatchObject({
      run: { uid, state: 'Cancelled', reason: 'Deleted', finishedAt: null, trials: { total: 0 } },
      best: null,
      matrix: [],
    });
    await world.recorder.until('it is gone', (changes) =>
      lastOf(changes, uid) === undefined ? true : undefined,
    );
  });
});
