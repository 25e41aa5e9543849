import { describe, expect, it, onTestFinished } from 'vitest';
import { aDataDirectory, runCommand, startCommand } from './command-line.ts';
import { stubbornManifest, stubbornProcesses } from './stubborn-program.ts';

describe('batchtest report and list', () => {
  it('show a run that another process has under way in the same data directory, and do not disturb it', async () => {
    const data = aDataDirectory();
    onTestFinished(() => data.remove());
    const dataDir = ['--data-dir', data.path];
    const running = startCommand(['run', '-', '-o', 'json', ...dataDir], {
      input: stubbornManifest('under-way', data.path, 0),
    });
    onTestFinished(() => running.kill('SIGKILL'));
    await running.untilStderr('best so far quick');
    await stubbornProcesses(data.path);

    // At the same time: each is a user of the run's Postgres, and the first that leaves must not take it along.
    const [report, table, list] = await Promise.all([
      runCommand(['report', 'under-way', '-o', 'json', ...dataDir]),
      runCommand(['report', ...dataDir]),
      runCommand(['list', '-o', 'json', ...dataDir]),
    ]);
    const run = { name: 'under-way', state: 'Running', trials: { total: 2, succeeded: 1 } };
    expect(report.exitCode, report.stderr).toBe(0);
    expect(JSON.parse(report.stdout)).toMatchObject({ run, best: { name: 'quick' } });
    expect(table.exitCode, table.stderr).toBe(0);
    expect(table.stdout).toContain('under-way · Running · 1 of 2 trials succeeded');
    expect(table.stdout).toContain('★ quick is best so far');
    expect(list.exitCode, list.stderr).toBe(0);
    expect(JSON.parse(list.stdout)).toMatchObject({ runs: [run] });

    running.kill('SIGINT');
    const { exitCode, stdout, stderr } = await running.finished;
    expect(exitCode, stderr).toBe(4);
    expect(JSON.parse(stdout)).toMatchObject({ run: { state: 'Cancelled', trials: { succeeded: 1 } } });
    const after = await runCommand(['report', '-o', 'json', ...dataDir]);
    expect(JSON.parse(after.stdout)).toEqual(JSON.parse(stdout));
  });
});
