/** `batchtest wait` and `batchtest status`, which need the cluster alone: no database, no manifest. */
import { spawnSync } from 'node:child_process';
import { chmodSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, it, onTestFinished, vi } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { BATCHTEST_PROGRAM } from '../tools/batchtest-program.ts';
import { resolveKubectl } from '../tools/kubectl-binary.ts';
import { REPOSITORY } from '../tools/markdown-page.ts';
import { type RunningCommand, runCommand, startCommand } from '../unit/cli/command-line.ts';
import { untilRunning, untilSaidToRun } from './operator-steps.ts';
import {
  aBatchTest,
  ENDS_SOON,
  measured,
  type OperatorSite,
  type OperatorWorld,
  openOperatorSite,
  RUNS_ON,
} from './operator-world.ts';
import { lastOf } from './watch-recorder.ts';

// Several calls of the command line, one after the other.
vi.setConfig({ testTimeout: 120_000 });

let site: OperatorSite;
beforeAll(async () => {
  site = await openOperatorSite(inject('controlPlane'));
});
afterAll(() => site?.close());

const where = (world: OperatorWorld): readonly string[] => [
  ...['-n', world.namespace],
  ...['--kubeconfig', inject('controlPlane').kubeconfigPath],
];

function started(world: OperatorWorld, args: readonly string[]): RunningCommand {
  const command = startCommand([...args, ...where(world)]);
  onTestFinished(() => command.kill('SIGKILL'));
  return command;
}

const ended = (world: OperatorWorld, args: readonly string[]) => runCommand([...args, ...where(world)]);

/** A run of which one program is under way, and ends when the test says so. */
async function aRunUnderWay(
  world: OperatorWorld,
): Promise<{ readonly uid: string; end(): Promise<void>; fail(): Promise<void> }> {
  const uid = await world.create(aBatchTest({ parallelism: 1, pod: RUNS_ON }));
  const [pod] = await untilRunning(world, uid, 1);
  if (pod === undefined) throw new Error('no pod runs');
  await untilSaidToRun(world, uid);
  return {
    uid,
    end: () => world.endPod(pod, { exitCode: 0, message: measured(1) }),
    fail: () => world.endPod(pod, { exitCode: 3 }),
  };
}

describe('batchtest wait', () => {
  it.each([
    ['0 when every trial succeeded', ENDS_SOON, {}, 0, /^✔ cache: Complete, 1 of 1 trial succeeded in /],
    ['1 when variants failed', { runMs: 50, exitCode: 3 }, {}, 1, /^✘ cache: Failed, 0 of 1 trial succeeded/],
    [
      '1 when a gate failed',
      ENDS_SOON,
      { comparison: { gates: [{ metric: 'x', max: '0.5' }] } },
      1,
      /^✘ cache: Complete, 1 of 1 trial succeeded in .* \(a gate failed\)$/m,
    ],
    ['4 when it was cancelled', RUNS_ON, { cancel: true }, 4, /^✘ cache: Cancelled/],
  ])('ends with %s', async (_, pod, spec, code, text) => {
    const world = await site.aWorld('wait');
    await world.startOperator();
    await world.create(aBatchTest({ parallelism: 1, pod, spec }));
    const { exitCode, stdout, stderr } = await ended(world, ['wait', 'cache']);
    expect({ exitCode, stderr }).toEqual({ exitCode: code, stderr: '' });
    expect(stdout).toMatch(text);
  });

  it('waits for the end of a run that is under way', async () => {
    const world = await site.aWorld('wait-long');
    await world.startOperator();
    const run = await aRunUnderWay(world);
    const waiting = started(world, ['wait', 'cache']);
    await run.end();
    expect(await waiting.finished).toMatchObject({ exitCode: 0, stderr: '' });
  });

  it('gives up after its timeout with 124, says how far the run is, and leaves it alone', async () => {
    const world = await site.aWorld('wait-timeout');
    await world.startOperator();
    const run = await aRunUnderWay(world);
    expect(await ended(world, ['wait', 'cache', '--timeout', '15s'])).toEqual({
      exitCode: 124,
      stdout: '',
      stderr: 'BatchTest cache is not over after 15.0 s: 0 of 1 trial done; its run goes on\n',
    });
    expect(lastOf(world.recorder.changes(), run.uid)?.spec).toMatchObject({ cancel: false });
  });

  it('says that no operator has picked the run up, and its timeout holds all the same', async () => {
    const world = await site.aWorld('wait-nobody');
    await world.create(aBatchTest({ parallelism: 1, pod: ENDS_SOON }));
    const waiting = started(world, ['wait', 'cache']);
    const watching = started(world, ['status', 'cache', '--watch']);
    for (const command of [waiting, watching])
      await command.untilStderr(`no operator has picked up BatchTest ${world.namespace}/cache within 10 s: `);
    watching.kill('SIGINT');
    expect((await watching.finished).stdout).not.toContain('within 10 s');
    expect(await ended(world, ['wait', 'cache', '--timeout', '1s'])).toEqual({
      exitCode: 124,
      stdout: '',
      stderr:
        'BatchTest cache is not over after 1.0 s: no operator has picked it up, or the cluster did not answer; its run goes on\n',
    });
    waiting.kill('SIGINT');
    expect((await waiting.finished).exitCode).toBe(130);
  });

  it('leaves the run alone on Ctrl-C, and ends with 130', async () => {
    const world = await site.aWorld('wait-interrupted');
    await world.startOperator();
    const run = await aRunUnderWay(world);
    const waiting = started(world, ['status', 'cache', '--watch', '-o', 'json']);
    await waiting.untilStdout('"running":1');
    waiting.kill('SIGINT');
    const { exitCode, stderr } = await waiting.finished;
    expect({ exitCode, stderr }).toEqual({
      exitCode: 130,
      stderr: 'no longer watching BatchTest cache; its run goes on\n',
    });
    expect(lastOf(world.recorder.changes(), run.uid)?.spec).toMatchObject({ cancel: false });
  });

  it('refuses a name that there is none of, and an absent cluster', async () => {
    const world = await site.aWorld('wait-none');
    expect(await ended(world, ['wait', 'cache'])).toEqual({
      exitCode: 2,
      stdout: '',
      stderr: `there is no BatchTest ${world.namespace}/cache in the cluster\n`,
    });
    const { exitCode, stderr } = await runCommand(['wait', 'cache', '--kubeconfig', '/does/not/exist']);
    expect(exitCode).toBe(3);
    expect(stderr).toMatch(/^cluster: kubeconfig \/does\/not\/exist cannot be used/);
  });

  it('says that the object was deleted, and that another of its name has taken its place', async () => {
    const world = await site.aWorld('wait-deleted');
    const manifest = aBatchTest({ parallelism: 1, pod: ENDS_SOON });
    await world.create(manifest);
    const first = started(world, ['status', 'cache', '--watch', '-o', 'json']);
    await first.untilStdout('Unattended');
    await world.remove('cache');
    expect(await first.finished).toMatchObject({
      exitCode: 4,
      stderr: 'BatchTest cache was deleted before its run was over\n',
    });

    // Held, so that it is still going when the next one of its name cannot be there yet.
    await world.create({ ...manifest, metadata: { ...manifest.metadata, finalizers: ['test.dev/held'] } });
    const second = started(world, ['status', 'cache', '--watch', '-o', 'json']);
    await second.untilStdout('Unattended');
    await world.cluster.request('DELETE', world.path('cache'));
    await second.untilStdout('"deleting":true');
    const path = world.path('cache');
    await world.cluster.request('PATCH', path, { metadata: { finalizers: null } });
    const uid = await world.create(manifest);
    const { exitCode, stderr } = await second.finished;
    expect(exitCode).toBe(4);
    // Whether the other is there when it is looked for is a race that both words tell the truth about.
    expect([
      'BatchTest cache was deleted before its run was over\n',
      `BatchTest cache was deleted before its run was over; another of that name is there now (UID ${uid}), which was not waited for\n`,
    ]).toContain(stderr);
  });
});

describe('batchtest status', () => {
  it('shows what a run waits for, then what it does, then how it ended', async () => {
    const world = await site.aWorld('status');
    await world.create(
      aBatchTest({ name: 'later', parallelism: 1, pod: ENDS_SOON, spec: { suspend: true } }),
    );
    const unattended = await ended(world, ['status', 'later']);
    expect(unattended).toMatchObject({ exitCode: 0, stderr: '' });
    expect(unattended.stdout).toMatch(
      new RegExp(
        `^later · Unattended\nBatchTest ${world.namespace}/later · run [0-9a-f-]{36} · created .* UTC.*\n\nwaits for NoOperator: no operator has picked it up\n$`,
      ),
    );

    await world.startOperator();
    const run = await aRunUnderWay(world);
    const running = await ended(world, ['status', 'cache', '-o', 'json']);
    expect(running).toMatchObject({ exitCode: 0, stderr: '' });
    expect(JSON.parse(running.stdout)).toMatchObject({
      name: 'cache',
      namespace: world.namespace,
      uid: run.uid,
      phase: 'Running',
      deleting: false,
      finishedAt: null,
      trials: { total: 1, running: 1, succeeded: 0 },
      best: null,
      gate: null,
      waitingFor: null,
    });
    const suspended = await ended(world, ['status', 'later', '-o', 'yaml']);
    expect(parse(suspended.stdout)).toMatchObject({
      phase: 'Suspended',
      waitingFor: { reason: 'RunSuspended' },
    });

    await run.end();
    await world.untilCondition(run.uid, 'Complete');
    const over = await ended(world, ['status', 'cache']);
    expect(over).toMatchObject({ exitCode: 0, stderr: '' });
    expect(over.stdout).toMatch(
      /^cache · Complete\nBatchTest .*\n\ntrials {4}1: 1 succeeded, 0 failed, 0 running, 0 pending\nvariants {2}1: 1 succeeded, 0 failed\nbest {6}v0, score 1\.0000\n\ncondition .*\nProgressing +False .*\nComplete +True .* AllTrialsSucceeded: its one trial succeeded\n/,
    );
  });

  it('is shown until the run is over, and ends with its exit code: lines, JSON lines, YAML documents', async () => {
    const world = await site.aWorld('status-watch');
    await world.startOperator();
    const run = await aRunUnderWay(world);
    const watching = [
      started(world, ['status', 'cache', '--watch']),
      started(world, ['status', 'cache', '--watch', '-o', 'json']),
      started(world, ['status', 'cache', '--watch', '-o', 'yaml']),
    ] as const;
    for (const command of watching) await command.untilStdout('running');
    await run.fail();
    const [lines, json, yaml] = await Promise.all([
      watching[0].finished,
      watching[1].finished,
      watching[2].finished,
    ]);
    for (const { exitCode, stderr } of [lines, json, yaml])
      expect({ exitCode, stderr }).toEqual({ exitCode: 1, stderr: '' });
    expect(lines.stdout).toMatch(/^cache: 0 of 1 trial done.*\n(.*\n)*cache · Failed\n(.*\n)*Failed +True/);
    const documents = json.stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(documents.at(-1)).toMatchObject({ uid: run.uid, phase: 'Failed', trials: { failed: 1 } });
    expect(parseAllDocuments(yaml.stdout).at(-1)?.toJS()).toEqual(documents.at(-1));
  });
});

describe('the same program as a plugin of kubectl', () => {
  /** A folder that holds the program under the name that kubectl looks for. */
  function pluginFolder(world: OperatorWorld): string {
    const file = join(world.directory, 'kubectl-batchtest');
    writeFileSync(
      file,
      `#!/usr/bin/env -S ${process.execPath}\nimport(${JSON.stringify(BATCHTEST_PROGRAM)});\n`,
    );
    chmodSync(file, 0o755);
    return world.directory;
  }

  it('is installed under both names', async () => {
    const { bin } = JSON.parse(await readFile(join(REPOSITORY, 'package.json'), 'utf8'));
    expect(bin).toEqual({ batchtest: 'dist/cli/main.js', 'kubectl-batchtest': 'dist/cli/main.js' });
  });

  it('names itself as it is called, and does the same', async () => {
    const world = await site.aWorld('plugin');
    await world.startOperator();
    await world.create(aBatchTest({ parallelism: 1, pod: { runMs: 50, exitCode: 3 } }));
    const plugin = join(pluginFolder(world), 'kubectl-batchtest');
    const call = (...args: readonly string[]) => spawnSync(plugin, args, { encoding: 'utf8' });
    expect(call('wait', '--help').stdout).toMatch(/^Usage: kubectl batchtest wait \[options\] <name>\n/);
    expect(call('wait')).toMatchObject({
      status: 2,
      stderr: "error: missing required argument 'name'\n(kubectl batchtest wait --help tells more)\n",
    });
    expect(call('wait', 'cache', ...where(world))).toMatchObject({ status: 1, stderr: '' });
  });

  it('is found by kubectl', { timeout: 900_000 }, async () => {
    const kubectl = await resolveKubectl();
    const world = await site.aWorld('kubectl');
    await world.startOperator();
    await world.create(aBatchTest({ parallelism: 1, pod: { runMs: 50, exitCode: 3 } }));
    const environment = { ...process.env, PATH: `${pluginFolder(world)}:${process.env.PATH}` };
    const call = spawnSync(kubectl, ['batchtest', 'wait', 'cache', ...where(world)], {
      encoding: 'utf8',
      env: environment,
    });
    expect(call).toMatchObject({ status: 1, stderr: '' });
    expect(call.stdout).toMatch(/^✘ cache: Failed/);
  });
});
