import { realpathSync } from 'node:fs';
import { describe, expect, it, vi } from 'vitest';
import { aBench, killedRun } from './recorded-program.ts';

vi.setConfig({ testTimeout: 120_000 });

describe('batchtest rerun', () => {
  it('runs everything again as a new run, in the folder of the manifest', async () => {
    const bench = aBench();
    // Commands are called in another folder than that of the manifest.
    const file = bench.manifestFile({ fine: 'good', broken: 'fails until open' });
    const first = await bench.run(['run', file, '-o', 'json']);
    expect(first.exitCode, first.stderr).toBe(1);
    bench.openGate();
    const again = await bench.run(['rerun', '-o', 'json']);
    expect(again.exitCode, again.stderr).toBe(0);
    const { run } = JSON.parse(again.stdout);
    expect(run).toMatchObject({
      name: 'recorded',
      state: 'Complete',
      trials: { total: 2, succeeded: 2, reused: 0 },
    });
    expect(run.uid).not.toBe(JSON.parse(first.stdout).run.uid);
    expect(bench.startCounts()).toEqual({ fine: 2, broken: 2 });
    const folder = realpathSync(bench.folder);
    expect(bench.starts().map(({ workingDirectory }) => realpathSync(workingDirectory))).toEqual(
      Array.from({ length: 4 }, () => folder),
    );
    expect(await bench.document('list')).toMatchObject({
      runs: [{ state: 'Complete' }, { state: 'Failed', trials: { succeeded: 1, failed: 1 } }],
    });
  });

  it('runs only what did not succeed with --failed, and tells what was taken over', async () => {
    const bench = aBench();
    const file = bench.manifestFile({ fine: 'good', broken: 'fails until open' }, { repetitions: 2 });
    await bench.run(['run', file, '--quiet']);
    bench.openGate();
    const { exitCode, stdout, stderr } = await bench.run(['rerun', 'recorded', '--failed']);
    expect(exitCode, stderr).toBe(0);
    expect(stdout).toContain('recorded · Complete · 4 of 4 trials succeeded, 2 reused · ');
    expect(bench.startCounts()).toEqual({ fine: 2, broken: 4 });
    expect(await bench.document('report')).toMatchObject({
      run: { state: 'Complete', trials: { total: 4, succeeded: 4, reused: 2 } },
      matrix: [{ metrics: { m: { n: 2, mean: 1 } } }, { metrics: { m: { n: 2, mean: 1 } } }],
    });
    // All of it succeeded by now: there is nothing left to run.
    const third = await bench.run(['rerun', '--failed', '-o', 'json']);
    expect(third.exitCode, third.stderr).toBe(0);
    expect(JSON.parse(third.stdout)).toMatchObject({ run: { trials: { succeeded: 4, reused: 4 } } });
    expect(bench.starts()).toHaveLength(6);
    // What these were told to take over is not what the next one is.
    const all = await bench.run(['rerun', '-o', 'json']);
    expect(all.exitCode, all.stderr).toBe(0);
    expect(JSON.parse(all.stdout)).toMatchObject({ run: { trials: { succeeded: 4, reused: 0 } } });
    expect(bench.startCounts()).toEqual({ fine: 4, broken: 6 });
  });

  it('takes up the stored successes of a run that was killed or cancelled', async () => {
    const bench = aBench();
    await killedRun(bench, 'killed');
    const cancelled = await bench.run(['cancel', 'killed']);
    expect(cancelled.exitCode, cancelled.stderr).toBe(0);
    bench.openGate();
    const { exitCode, stdout, stderr } = await bench.run(['rerun', '--failed', '-o', 'json']);
    expect(exitCode, stderr).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      run: { name: 'killed', state: 'Complete', trials: { succeeded: 2, reused: 1 } },
    });
    expect(bench.startCounts()).toEqual({ quick: 1, waits: 2 });
  });

  it('can be killed and resumed with FILE, which does not say what --failed takes over', async () => {
    const bench = aBench();
    await killedRun(bench, 'killed');
    await bench.run(['cancel', 'killed']);
    const again = bench.start(['rerun', '--failed', '--quiet']);
    await bench.untilStarted('waits', 2);
    again.kill('SIGKILL');
    await again.finished;
    bench.openGate();
    const file = bench.manifestFile({ quick: 'good', waits: 'waits' }, {}, 'killed');
    const { exitCode, stdout, stderr } = await bench.run(['run', file, '--resume', '-o', 'json']);
    expect(exitCode, stderr).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      run: { state: 'Complete', trials: { total: 2, succeeded: 2, reused: 1 } },
    });
    expect(bench.startCounts()).toEqual({ quick: 1, waits: 3 });
  });

  it('refuses a run that is under way, and one that is unknown', async () => {
    const bench = aBench();
    const running = bench.start(['run', '-', '-o', 'json'], bench.manifest({ waits: 'waits' }, {}, 'busy'));
    await bench.untilStarted('waits');
    const refused = await bench.run(['rerun', 'busy', '--failed']);
    expect(refused).toMatchObject({ exitCode: 2, stdout: '' });
    expect(refused.stderr).toMatch(/^run [0-9a-f-]{36} \(busy\) is under way: wait for it, or cancel it\n$/);
    const unknown = await bench.run(['rerun', 'nobody']);
    expect(unknown).toMatchObject({ exitCode: 2, stdout: '' });
    expect(unknown.stderr).toContain('no stored run has the UID or name "nobody"');
    bench.openGate();
    expect((await running.finished).exitCode).toBe(0);
    expect(bench.startCounts()).toEqual({ waits: 1 });
  });
});
