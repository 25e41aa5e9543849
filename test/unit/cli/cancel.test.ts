import { describe, expect, it, vi } from 'vitest';
import { aBench, killedRun } from './recorded-program.ts';

vi.setConfig({ testTimeout: 120_000 });

const CANCELLED = {
  state: 'Cancelled',
  reason: 'CancelRequested',
  interrupted: false,
  trials: { total: 2, pending: 0, succeeded: 1, cancelled: 1 },
};

describe('batchtest cancel', () => {
  it('ends a run of another process: its programs are asked to end, what is stored stays', async () => {
    const bench = aBench();
    const running = bench.start(
      ['run', '-', '-o', 'json'],
      bench.manifest({ quick: 'good', waits: 'waits' }, {}, 'busy'),
    );
    await running.untilStderr('best so far quick');
    await bench.untilStarted('waits');
    const cancel = await bench.run(['cancel', 'busy']);
    expect(cancel.exitCode, cancel.stderr).toBe(0);
    expect(cancel.stdout).toMatch(
      /^run [0-9a-f-]{36} \(busy\) is being ended by the process that runs it\n$/,
    );

    const { exitCode, stdout, stderr } = await running.finished;
    expect(exitCode, stderr).toBe(4);
    expect(JSON.parse(stdout)).toMatchObject({
      run: { name: 'busy', ...CANCELLED },
      best: { name: 'quick' },
    });
    expect(bench.terminated()).toEqual(['waits']);
    expect(await bench.document('report', 'busy')).toEqual(JSON.parse(stdout));
  });

  it('ends a run whose process was killed, which cannot be resumed then', async () => {
    const bench = aBench();
    await killedRun(bench, 'killed');
    const cancel = await bench.run(['cancel', 'killed']);
    expect(cancel.exitCode, cancel.stderr).toBe(0);
    expect(cancel.stdout).toMatch(
      /^run [0-9a-f-]{36} \(killed\) is cancelled; its process had gone before\n$/,
    );
    expect(await bench.document('list')).toMatchObject({
      runs: [
        {
          name: 'killed',
          ...CANCELLED,
          message: 'cancelled after its process had gone, with 1 of 2 trials done',
        },
      ],
    });
    const resumed = await bench.run(['run', '--resume', 'killed']);
    expect(resumed).toMatchObject({ exitCode: 2, stdout: '' });
    expect(resumed.stderr).toContain('cannot be resumed: it is over (Cancelled)');
    expect(bench.startCounts()).toEqual({ quick: 1, waits: 1 });
  });

  it('refuses a run that is over, which stays as it is, and one that is unknown', async () => {
    const bench = aBench();
    await bench.run(['run', '-', '--quiet'], bench.manifest({ quick: 'good' }, {}, 'done'));
    const over = await bench.run(['cancel', 'done']);
    expect(over).toMatchObject({ exitCode: 2, stdout: '' });
    expect(over.stderr).toMatch(/^run [0-9a-f-]{36} \(done\) is over: Complete\n$/);
    expect(await bench.document('list')).toMatchObject({ runs: [{ name: 'done', state: 'Complete' }] });

    const unknown = await bench.run(['cancel', 'nobody']);
    expect(unknown).toMatchObject({ exitCode: 2, stdout: '' });
    expect(unknown.stderr).toContain('no stored run has the UID or name "nobody"');
    const elsewhere = await bench.run(['cancel', 'done', '-n', 'team-a']);
    expect(elsewhere).toMatchObject({ exitCode: 2, stdout: '' });
    expect(elsewhere.stderr).toContain('no stored run has the UID or name "done" in the namespace team-a');
    const nothing = await bench.run(['cancel']);
    expect(nothing).toMatchObject({ exitCode: 2, stdout: '' });
    expect(nothing.stderr).toContain("missing required argument 'run'");
  });
});
