import { spawnSync } from 'node:child_process';
import { copyFileSync, cpSync, existsSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import * as z from 'zod';
import { openEmbeddedPostgres } from '../../../src/results/postgres/embedded/open-embedded-postgres.ts';
import { type PostgresServer, startPostgresServer } from '../../integration/postgres-server.ts';
import { BATCHTEST_PROGRAM } from '../../tools/batchtest-program.ts';
import { REPOSITORY } from '../../tools/markdown-page.ts';
import { endedRuns } from './ended-runs.ts';
import { aBench, type Bench, killedRun } from './recorded-program.ts';

vi.setConfig({ testTimeout: 120_000 });

const report = z.object({ run: z.object({ uid: z.string() }) });

/** Runs a BatchTest of this name to its end, which is then made to have been days ago; the run's UID. */
async function anEndedRun(bench: Bench, name: string, days: number): Promise<string> {
  const { stdout, stderr, exitCode } = await bench.run(
    ['run', '-', '--quiet', '-o', 'json'],
    bench.manifest({ quick: 'good' }, {}, name),
  );
  expect(exitCode, stderr).toBe(0);
  const { uid } = report.parse(JSON.parse(stdout)).run;
  await age(bench, uid, days);
  return uid;
}

/** Makes a run to have been days ago. */
async function age(bench: Bench, uid: string, days: number): Promise<void> {
  const server = await openEmbeddedPostgres({ dataDir: bench.folder });
  const client = new pg.Client(server.connection);
  client.on('error', () => undefined);
  await client.connect();
  await client.query(
    `update batchtest.runs set started_at = started_at - $2 * interval '1 day', finished_at = finished_at - $2 * interval '1 day' where uid = $1`,
    [uid, days],
  );
  await client.end();
  await server.close();
}

const names = async (bench: Bench): Promise<readonly string[]> => {
  const { runs } = z
    .object({ runs: z.array(z.object({ name: z.string() })) })
    .parse(await bench.document('list'));
  return runs.map(({ name }) => name);
};

const hasOutput = (bench: Bench, uid: string) => existsSync(join(bench.folder, 'runs', uid));

describe('batchtest prune', () => {
  it('deletes runs that ended longer ago than the age, with their output, after it told which in a dry run', async () => {
    const bench = aBench();
    const old = await anEndedRun(bench, 'old', 31);
    const recent = await anEndedRun(bench, 'recent', 29);
    const dry = await bench.run(['prune', '--older-than', '30d', '--dry-run']);
    expect(dry.exitCode, dry.stderr).toBe(0);
    expect(dry.stdout).toMatch(
      new RegExp(`^${old.slice(0, 8)}  [0-9-]{10} [0-9:]{8} UTC  old\n1 run would be deleted\n$`),
    );
    expect(await names(bench)).toEqual(['recent', 'old']);
    expect(hasOutput(bench, old)).toBe(true);

    const done = await bench.run(['prune', '--older-than', '30d']);
    expect(done.exitCode, done.stderr).toBe(0);
    expect(done.stdout).toBe(dry.stdout.replace('would be deleted', 'deleted'));
    expect(await names(bench)).toEqual(['recent']);
    expect([hasOutput(bench, old), hasOutput(bench, recent)]).toEqual([false, true]);

    const nothing = await bench.run(['prune', '--older-than', '30d']);
    expect(nothing).toMatchObject({ exitCode: 0, stdout: '0 runs deleted\n' });
  });

  it('keeps the newest of each workflow, and runs of other workflows, when asked to', async () => {
    const bench = aBench();
    for (const [name, days] of [
      ['one', 5],
      ['one', 4],
      ['one', 3],
      ['two', 6],
    ] as const)
      await anEndedRun(bench, name, days);
    const kept = await bench.run(['prune', '--older-than', '1d', '--keep', '2']);
    expect(kept.exitCode, kept.stderr).toBe(0);
    expect(kept.stdout).toMatch(/ one\n1 run deleted\n$/);
    expect(await names(bench)).toEqual(['one', 'one', 'two']);

    const two = await bench.run(['prune', '--older-than', '1d', '--workflow', 'two']);
    expect(two.stdout).toMatch(/ two\n1 run deleted\n$/);
    expect(await names(bench)).toEqual(['one', 'one']);
  });

  it('keeps the artifacts that a run which is kept has taken over, and the run that made them', async () => {
    const bench = aBench();
    const script =
      '[ "$$MODE" = good ] || exit 3; echo x > "$$BATCHTEST_ARTIFACTS_DIR/model"; echo \'{"metrics":{"m":1}}\' > "$$BATCHTEST_RESULT_FILE"';
    const manifest = bench.manifest(
      { fine: 'good', broken: 'bad' },
      { local: { command: ['sh', '-c', script] } },
      'models',
    );
    const first = await bench.run(['run', '-', '--quiet', '-o', 'json'], manifest);
    expect(first.exitCode, first.stderr).toBe(1);
    const { uid } = report.parse(JSON.parse(first.stdout)).run;
    await age(bench, uid, 31);
    expect((await bench.run(['rerun', '--failed', '--quiet'])).exitCode).toBe(1);

    const kept = await bench.run(['prune', '--older-than', '30d']);
    expect(kept, kept.stderr).toMatchObject({ exitCode: 0, stdout: '0 runs deleted\n' });
    const models = readdirSync(join(bench.folder, 'runs'), { recursive: true }).map(String);
    expect(models.filter((path) => path.endsWith('/model'))).toHaveLength(1);

    const gone = await bench.run(['prune', '--older-than', '0s']);
    expect(gone.stdout).toMatch(/\n2 runs deleted\n$/);
    expect(hasOutput(bench, uid)).toBe(false);
  });

  it('leaves alone what is not over', async () => {
    const bench = aBench();
    await killedRun(bench, 'killed');
    const { exitCode, stdout, stderr } = await bench.run(['prune', '--older-than', '0s']);
    expect(exitCode, stderr).toBe(0);
    expect(stdout).toBe('0 runs deleted\n');
    expect(await bench.document('list')).toMatchObject({ runs: [{ name: 'killed', interrupted: true }] });
  });

  it.each([
    [[], "required option '--older-than <age>' not specified"],
    [['--older-than', 'yesterday'], 'It must be a number and one of s, m, h, d, w, such as 90d.'],
    [['--older-than', '-3d'], "option '--older-than <age>'"],
    [['--older-than', '1.5d'], "argument '1.5d' is invalid"],
    [['--older-than', '3d', '--keep', 'some'], 'It must be a whole number from 0 to 999999.'],
  ])('refuses %j with exit code 2', async (args, text) => {
    const bench = aBench();
    const { exitCode, stdout, stderr } = await bench.run(['prune', ...args]);
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
    expect(stderr).toContain(text);
    expect(stderr).not.toMatch(/^\s+at /m);
  });
});

describe('batchtest prune that cannot delete all that is due', () => {
  let server: PostgresServer;
  beforeAll(async () => {
    server = await startPostgresServer();
  });
  afterAll(() => server?.stop());

  it('deletes nothing without a data directory', async () => {
    const { folder, environment, uids, stored, prune } = await endedRuns(server, 'local');
    // Root has one without a home, and what is root's is not for another user to read.
    const isRoot = process.getuid?.() === 0;
    const node = isRoot ? join(folder, 'node') : process.execPath;
    if (isRoot) copyFileSync(process.execPath, node);
    const program = join(folder, 'dist/cli/main.js');
    cpSync(dirname(BATCHTEST_PROGRAM), dirname(program), { recursive: true });
    copyFileSync(join(REPOSITORY, 'package.json'), join(folder, 'package.json'));
    const { status, stdout, stderr } = spawnSync(node, [program, 'prune', '--older-than', '0s'], {
      ...(isRoot ? { uid: 65_534, gid: 65_534 } : {}),
      cwd: folder,
      env: environment,
      encoding: 'utf8',
    });
    expect({ status, stdout }).toEqual({ status: 3, stdout: '' });
    expect(stderr).toContain('HOME is not set');
    expect(await stored()).toEqual(uids);

    expect(await prune()).toMatchObject({ exitCode: 0, stdout: expect.stringMatching(/\n1 run deleted\n$/) });
    expect(await stored()).toEqual([]);
  });

  it('keeps a run whose output cannot be removed, says why, deletes the others, and can be called again', async () => {
    const { folder, uids, stored, prune, keepOutput } = await endedRuns(server, 'local', 'kubernetes');
    const [local = '', cluster = ''] = uids;
    const letOutputGo = keepOutput();
    const { exitCode, stdout, stderr } = await prune();
    expect(exitCode).toBe(3);
    expect(stdout).toMatch(new RegExp(`^${cluster.slice(0, 8)}  .*\n1 run deleted\n$`));
    expect(stderr).toMatch(
      new RegExp(`^run ${local.slice(0, 8)} stays, because its output cannot be removed: ENOTDIR: .*\n$`),
    );
    expect(await stored()).toEqual([local]);

    letOutputGo();
    expect(await prune()).toMatchObject({ exitCode: 0, stderr: '' });
    expect(await stored()).toEqual([]);
    expect(existsSync(join(folder, 'runs', local))).toBe(false);
  });

  it('deletes the others when the store refuses one, tells of both, and can be called again', async () => {
    const { folder, uids, stored, prune, refuseToDelete } = await endedRuns(
      server,
      'local',
      'local',
      'local',
    );
    const [first = '', second = '', third = ''] = uids;
    const letItGo = await refuseToDelete(second);
    const { exitCode, stdout, stderr } = await prune();
    expect(exitCode).toBe(3);
    expect(stdout).toMatch(
      new RegExp(`^${first.slice(0, 8)}  .*\n${third.slice(0, 8)}  .*\n2 runs deleted\n$`),
    );
    expect(stderr).toContain(`delete run ${second}`);
    expect(await stored()).toEqual([second]);
    expect(existsSync(join(folder, 'runs', third))).toBe(false);

    await letItGo();
    expect(await prune()).toMatchObject({ exitCode: 0, stdout: expect.stringMatching(/\n1 run deleted\n$/) });
    expect(await stored()).toEqual([]);
  });
});
