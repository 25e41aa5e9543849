import {
  mkdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import * as z from 'zod';
import { runCommand } from './command-line.ts';
import { aBench, type Bench, killedRun } from './recorded-program.ts';
import { runningOf } from './stubborn-program.ts';

vi.setConfig({ testTimeout: 120_000 });

const list = z.object({ runs: z.array(z.object({ uid: z.string(), name: z.string() })) });

/** UID of the newest run of this name. */
async function uidOf(bench: Bench, name: string): Promise<string> {
  const { runs } = list.parse(await bench.document('list'));
  const run = runs.find((candidate) => candidate.name === name);
  if (run === undefined) throw new Error(`there is no run of ${name}`);
  return run.uid;
}

const INTERRUPTED = { state: 'Running', interrupted: true, trials: { total: 2, pending: 1, succeeded: 1 } };
const COMPLETE = {
  state: 'Complete',
  interrupted: false,
  trials: { total: 2, pending: 0, succeeded: 2, reused: 0 },
};

describe('a run whose process was killed', () => {
  it('F38: is listed as Interrupted, and the newest one goes on under its UID with what is missing', async () => {
    const bench = aBench();
    await killedRun(bench, 'older');
    await killedRun(bench, 'newer');
    expect(await bench.document('list')).toMatchObject({
      runs: [
        { name: 'newer', ...INTERRUPTED },
        { name: 'older', ...INTERRUPTED },
      ],
    });
    const table = await bench.run(['list']);
    expect(table.stdout.match(/ Interrupted /g)).toHaveLength(2);
    const report = await bench.run(['report', 'newer']);
    expect(report.stdout).toContain('newer · Interrupted · 1 of 2 trials succeeded');
    expect(report.stdout).toMatch(/batchtest run --resume [0-9a-f]{8}/);

    const uid = await uidOf(bench, 'newer');
    const killed = bench.starts().map(({ pid }) => pid);
    bench.openGate();
    const { exitCode, stdout, stderr } = await bench.run(['run', '--resume', '-o', 'json']);
    expect(exitCode, stderr).toBe(0);
    expect(stderr).toContain(`resuming run ${uid} (newer)\n`);
    expect(stderr).toContain('newer: Complete, 2 of 2 trials succeeded');
    expect(JSON.parse(stdout)).toMatchObject({ run: { uid, name: 'newer', ...COMPLETE } });
    expect(await bench.document('report', uid)).toEqual(JSON.parse(stdout));
    // Twice quick by the two runs that were killed; the resumed one had its result.
    expect(bench.startCounts()).toEqual({ quick: 2, waits: 3 });
    expect(bench.overlaps()).toEqual([]);
    expect(runningOf(killed)).toEqual([]);
    expect(await bench.document('list')).toMatchObject({
      runs: [
        { name: 'newer', state: 'Complete' },
        { name: 'older', ...INTERRUPTED },
      ],
    });
  });

  it('goes on by its name, though a newer run was interrupted, and then by the beginning of its UID', async () => {
    const bench = aBench();
    await killedRun(bench, 'one');
    await killedRun(bench, 'other');
    const uid = await uidOf(bench, 'one');
    const again = bench.start(['run', '--resume', 'one', '-o', 'json']);
    await bench.untilStarted('waits', 3);
    again.kill('SIGKILL');
    await again.finished;

    bench.openGate();
    const { exitCode, stdout, stderr } = await bench.run([
      'run',
      '--resume',
      uid.slice(0, 8),
      ...['-o', 'json'],
    ]);
    expect(exitCode, stderr).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ run: { uid, name: 'one', ...COMPLETE } });
    expect(bench.startCounts()).toEqual({ quick: 2, waits: 4 });
    expect(bench.overlaps()).toEqual([]);
    expect(await bench.document('list')).toMatchObject({ runs: [{ name: 'other', ...INTERRUPTED }, {}] });
  });

  it('goes on by its name, though a file is called like it', async () => {
    const bench = aBench();
    // The command runs in the folder of this project.
    await killedRun(bench, 'package.json');
    bench.openGate();
    const { exitCode, stdout, stderr } = await bench.run(['run', '--resume', 'package.json', '-o', 'json']);
    expect(exitCode, stderr).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ run: { name: 'package.json', ...COMPLETE } });
  });

  it('goes on with FILE when only its control was changed, and not when what is compared was', async () => {
    const bench = aBench();
    const file = (spec: object) => bench.manifestFile({ quick: 'good', waits: 'waits' }, spec, 'edited');
    await killedRun(bench, 'edited');
    await killedRun(bench, 'another');
    const other = { objective: { metrics: [{ name: 'm', goal: 'minimize' }] } };
    const refused = await bench.run(['run', file(other), '--resume']);
    const uid = await uidOf(bench, 'edited');
    expect(refused).toMatchObject({ exitCode: 2, stdout: '' });
    expect(refused.stderr).toContain(
      `run ${uid} cannot go on with another spec.objective: run the changed BatchTest anew, without --resume\n`,
    );
    expect(refused.stderr).not.toMatch(/^\s+at /m);
    expect(bench.startCounts()).toEqual({ quick: 2, waits: 2 });

    bench.openGate();
    // Without a reference the run is that of the file's name.
    const accepted = await bench.run(['run', file({ parallelism: 1 }), '--resume', '-o', 'json']);
    expect(accepted.exitCode, accepted.stderr).toBe(0);
    expect(JSON.parse(accepted.stdout)).toMatchObject({ run: { uid, name: 'edited', ...COMPLETE } });
    expect(bench.startCounts()).toEqual({ quick: 2, waits: 3 });
  });

  it('does not go on with another program, or under another name', async () => {
    const bench = aBench();
    const answer = (value: number) => ({
      command: [
        '/bin/sh',
        '-c',
        `while [ "$MODE" != good ] && [ ! -e gate ]; do sleep 0.05; done; echo '{"metrics":{"m":${value}}}' > "$BATCHTEST_RESULT_FILE"`,
      ],
      args: [],
    });
    const file = (local: object, name = 'program') =>
      bench.manifestFile({ quick: 'good', waits: 'waits' }, { local }, name);
    const command = bench.start(['run', file(answer(1))]);
    await command.untilStderr('best so far quick');
    command.kill('SIGKILL');
    await command.finished;
    bench.openGate();
    const uid = await uidOf(bench, 'program');
    const refusalOf = async (manifest: string) => {
      const { exitCode, stdout, stderr } = await bench.run(['run', manifest, '--quiet', '--resume', uid]);
      expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
      return stderr;
    };
    const anew = 'run the changed BatchTest anew, without --resume\n';
    expect(await refusalOf(file(answer(2)))).toContain(
      `run ${uid} cannot go on with another spec.local: ${anew}`,
    );
    expect(await refusalOf(file(answer(1), 'renamed'))).toContain(
      `run ${uid} cannot go on with another metadata.name: ${anew}`,
    );
    expect(await bench.document('list')).toMatchObject({ runs: [{ name: 'program', ...INTERRUPTED }] });
  });

  it('has the whole of spec.activeDeadlineSeconds again', async () => {
    const bench = aBench();
    await killedRun(bench);
    const resumedAt = Date.now();
    const file = bench.manifestFile({ quick: 'good', waits: 'waits' }, { activeDeadlineSeconds: 2 });
    const { exitCode, stdout, stderr } = await bench.run(['run', file, '--resume', '-o', 'json']);
    expect(exitCode, stderr).toBe(4);
    const { run } = JSON.parse(stdout);
    expect(run).toMatchObject({ state: 'Failed', reason: 'DeadlineExceeded', trials: { succeeded: 1 } });
    expect(Date.parse(run.finishedAt)).toBeGreaterThanOrEqual(resumedAt + 2_000);
    // Had the clock gone on, nothing would have been started any more.
    expect(bench.startCounts()).toEqual({ quick: 1, waits: 2 });
    expect(bench.terminated()).toContain('waits');
  });
});

it('finds the programs of a run by the real path of its data directory, however that is named', async () => {
  const bench = aBench();
  const link = join(bench.folder, 'link');
  symlinkSync(bench.folder, link);
  const answer =
    'echo "$BATCHTEST_RESULT_FILE" >told; echo \'{"metrics":{"m":1}}\' >"$BATCHTEST_RESULT_FILE"';
  const local = { command: ['sh', '-c', answer] };
  const file = bench.manifestFile({ only: 'good' }, { local });
  const { exitCode, stderr } = await runCommand(['run', file, '--quiet', '--data-dir', link]);
  expect(exitCode, stderr).toBe(0);
  const told = readFileSync(join(bench.folder, 'told'), 'utf8');
  expect(told).toMatch(new RegExp(`^${realpathSync(bench.folder)}/runs/`));
});

it('says what is in the way of the folder of a run, and goes on once it is out of it', async () => {
  const bench = aBench();
  await killedRun(bench);
  const uid = await uidOf(bench, 'recorded');
  const output = join(bench.folder, 'runs', uid);
  rmSync(output, { recursive: true });
  writeFileSync(output, '');
  const { exitCode, stdout, stderr } = await bench.run(['run', '--resume', '--quiet']);
  expect({ exitCode, stdout }, stderr).toEqual({ exitCode: 3, stdout: '' });
  expect(stderr).toContain(`\ndata directory ${bench.folder} cannot be used: EEXIST: `);
  expect(stderr).not.toMatch(/please report it|^\s+at /m);

  rmSync(output);
  bench.openGate();
  const after = await bench.run(['run', '--resume', uid, '-o', 'json']);
  expect(after.exitCode, after.stderr).toBe(0);
  expect(JSON.parse(after.stdout)).toMatchObject({ run: { uid, ...COMPLETE } });
});

describe('batchtest run --resume refuses', () => {
  it('what was not interrupted: nothing at all, a run that is over, and one that is unknown', async () => {
    const bench = aBench();
    const nothing = await bench.run(['run', '--resume']);
    expect(nothing).toMatchObject({ exitCode: 2, stdout: '' });
    expect(nothing.stderr).toBe('no local run was interrupted; batchtest list shows what is there\n');

    await bench.run(['run', '-', '--quiet'], bench.manifest({ quick: 'good' }, {}, 'done'));
    const uid = await uidOf(bench, 'done');
    const over = await bench.run(['run', '--resume', 'done']);
    expect(over).toMatchObject({ exitCode: 2, stdout: '' });
    expect(over.stderr).toBe(`run ${uid} cannot be resumed: it is over (Complete)\n`);
    const unknown = await bench.run(['run', '--resume', 'nobody']);
    expect(unknown).toMatchObject({ exitCode: 2, stdout: '' });
    expect(unknown.stderr).toContain('no stored run has the UID or name "nobody"');
    expect(bench.startCounts()).toEqual({ quick: 1 });
  });

  it('a run that another process has under way, which it does not disturb', async () => {
    const bench = aBench();
    const running = bench.start(
      ['run', '-', '-o', 'json'],
      bench.manifest({ quick: 'good', waits: 'waits' }, {}, 'busy'),
    );
    await running.untilStderr('best so far quick');
    await bench.untilStarted('waits');
    const uid = await uidOf(bench, 'busy');
    for (const reference of ['busy', uid.slice(0, 8)]) {
      const refused = await bench.run(['run', '--resume', reference]);
      expect(refused).toMatchObject({ exitCode: 2, stdout: '' });
      expect(refused.stderr).toBe(`run ${uid} cannot be resumed: it is under way\n`);
    }
    const byDefault = await bench.run(['run', '--resume']);
    expect(byDefault).toMatchObject({ exitCode: 2, stdout: '' });
    bench.openGate();
    const { exitCode, stdout, stderr } = await running.finished;
    expect(exitCode, stderr).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ run: { uid, ...COMPLETE } });
    expect(bench.startCounts()).toEqual({ quick: 1, waits: 1 });
  });

  it('a run whose folder is not there, as on another machine, so that it can go on where it is', async () => {
    const bench = aBench();
    const folder = join(bench.folder, 'project');
    const elsewhere = join(bench.folder, 'elsewhere');
    mkdirSync(folder);
    writeFileSync(
      join(folder, 'batchtest.json'),
      bench.manifest({ quick: 'good', waits: 'waits' }, {}, 'moved'),
    );
    const command = bench.start(['run', join(folder, 'batchtest.json')]);
    await command.untilStderr('best so far quick');
    await bench.untilStarted('waits');
    command.kill('SIGKILL');
    await command.finished;
    renameSync(folder, elsewhere);
    for (const reference of [[], ['moved']]) {
      const refused = await bench.run(['run', '--quiet', '--resume', ...reference]);
      expect(refused).toMatchObject({ exitCode: 2, stdout: '' });
      expect(refused.stderr).toContain(`the folder that its programs run in is not there: ${folder};`);
      expect(refused.stderr).not.toMatch(/^\s+at /m);
    }
    expect(await bench.document('list')).toMatchObject({ runs: [{ name: 'moved', ...INTERRUPTED }] });

    bench.openGate();
    const file = join(elsewhere, 'batchtest.json');
    const { exitCode, stdout, stderr } = await bench.run(['run', file, '--resume', 'moved', '-o', 'json']);
    expect(exitCode, stderr).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ run: { name: 'moved', ...COMPLETE } });
    expect(bench.startCounts()).toEqual({ quick: 1, waits: 2 });
  });

  it('a run whose programs run in a folder that is not there, so that it can go on in another one', async () => {
    const bench = aBench();
    const folder = join(bench.folder, 'project');
    const elsewhere = join(bench.folder, 'elsewhere');
    mkdirSync(folder);
    const manifestIn = (workingDir: string): string => {
      const manifest = JSON.parse(bench.manifest({ quick: 'good', waits: 'waits' }, {}, 'moved'));
      const [{ command }] = manifest.spec.template.spec.containers;
      manifest.spec.local = { command, workingDir };
      return JSON.stringify(manifest);
    };
    const command = bench.start(['run', '-'], manifestIn(folder));
    await command.untilStderr('best so far quick');
    await bench.untilStarted('waits');
    command.kill('SIGKILL');
    await command.finished;
    renameSync(folder, elsewhere);
    const refused = await bench.run(['run', '--quiet', '--resume']);
    expect(refused).toMatchObject({ exitCode: 2, stdout: '' });
    expect(refused.stderr).toContain(`the folder that its programs run in is not there: ${folder};`);

    bench.openGate();
    const resumed = await bench.run(['run', '-', '--resume', 'moved', '-o', 'json'], manifestIn(elsewhere));
    expect(resumed.exitCode, resumed.stderr).toBe(0);
    expect(JSON.parse(resumed.stdout)).toMatchObject({ run: { name: 'moved', ...COMPLETE } });
  });

  it('another engine, a file in the place of a run, and to run nothing at all', async () => {
    const bench = aBench();
    const elsewhere = await bench.run(['run', '--resume', '--engine', 'kubernetes']);
    expect(elsewhere).toMatchObject({ exitCode: 2, stdout: '' });
    expect(elsewhere.stderr).toContain('--resume is for local runs');
    const file = bench.manifestFile({ quick: 'good' });
    const misplaced = await bench.run(['run', '--resume', file]);
    expect(misplaced).toMatchObject({ exitCode: 2, stdout: '' });
    expect(misplaced.stderr).toContain(`batchtest run ${file} --resume\n`);
    // Too long for the name of a file.
    const long = await bench.run(['run', '--resume', 'x'.repeat(5_000)]);
    expect(long).toMatchObject({ exitCode: 2, stdout: '' });
    expect(long.stderr).toMatch(/^no stored run has the UID or name "x+"; /);
    expect(long.stderr).not.toMatch(/^\s+at /m);
    const nothing = await bench.run(['run']);
    expect(nothing).toMatchObject({ exitCode: 2, stdout: '' });
    expect(nothing.stderr).toContain("missing required argument 'file'");
  });
});
