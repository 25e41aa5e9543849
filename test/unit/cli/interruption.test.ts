import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { aBatchTest } from '../../builders/batch-test.ts';
import { aDataDirectory, type RunningCommand, runCommand, startCommand } from './command-line.ts';
import { runningOf, stubbornManifest, stubbornProcesses } from './stubborn-program.ts';

vi.setConfig({ testTimeout: 120_000 });

interface InterruptibleRun {
  readonly command: RunningCommand;
  /** Of the program that refuses to end and of the process that it started. */
  readonly pids: readonly number[];
  /** The document that a command prints about what is stored. */
  stored(...args: readonly string[]): Promise<unknown>;
}

/** A run whose first result is stored while another trial refuses to end. */
async function anInterruptibleRun(graceSeconds: number): Promise<InterruptibleRun> {
  const data = aDataDirectory();
  onTestFinished(() => data.remove());
  const dataDir = ['--data-dir', data.path];
  const command = startCommand(['run', '-', '-o', 'json', ...dataDir], {
    input: stubbornManifest('interrupted', data.path, graceSeconds),
  });
  onTestFinished(() => command.kill('SIGKILL'));
  await command.untilStderr('best so far quick');
  const pids = await stubbornProcesses(data.path);
  onTestFinished(() => {
    for (const pid of runningOf(pids)) process.kill(pid, 'SIGKILL');
  });
  return {
    command,
    pids,
    stored: async (...args) => {
      const { stdout, stderr, exitCode } = await runCommand([...args, '-o', 'json', ...dataDir]);
      expect(exitCode, stderr).toBe(0);
      return JSON.parse(stdout);
    },
  };
}

describe('a run that is interrupted', () => {
  it.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)(
    'ends, by %s, also what ignores to be asked, keeps what is stored, and exits 4',
    async (signal) => {
      const { command, pids, stored } = await anInterruptibleRun(1);
      expect(runningOf(pids)).toEqual(pids);
      command.kill(signal);
      const { exitCode, stdout, stderr } = await command.finished;
      expect(runningOf(pids)).toEqual([]);
      expect(exitCode, stderr).toBe(4);
      expect(stderr).toContain(
        'ending what is under way and keeping what is stored; once more to end at once',
      );
      const cancelled = {
        name: 'interrupted',
        state: 'Cancelled',
        trials: { total: 2, succeeded: 1, cancelled: 1 },
      };
      expect(JSON.parse(stdout)).toMatchObject({ run: cancelled, best: { name: 'quick' } });
      expect(await stored('list')).toMatchObject({ runs: [cancelled] });
    },
  );

  it('is not held up by a receiver of notifications once it is over', async () => {
    const data = aDataDirectory();
    onTestFinished(() => data.remove());
    const silent = createServer(() => undefined);
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => silent.closeAllConnections());
    onTestFinished(() => void silent.close());
    const { port } = silent.address() as AddressInfo;
    const where = ['--notify-url', `http://127.0.0.1:${port}/`, '--data-dir', data.path];
    const command = startCommand(['run', '-', '-o', 'json', ...where], {
      input: JSON.stringify(
        aBatchTest({
          spec: {
            local: {
              command: [
                '/bin/sh',
                '-c',
                'echo "{\\"metrics\\":{\\"p95_ms\\":1}}" > "$BATCHTEST_RESULT_FILE"',
              ],
              args: [],
            },
          },
        }),
      ),
    });
    onTestFinished(() => command.kill('SIGKILL'));
    await command.untilStderr('the run is over; its results are being verified and notified of');
    command.kill('SIGINT');
    const { exitCode, stdout, stderr } = await command.finished;
    expect(exitCode, stderr).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ run: { state: 'Complete' } });
    expect(stderr).toContain('not everything was verified or notified');
  });

  it('ends as by one signal when the same comes twice at once, as from a terminal and from npm', async () => {
    const { command, stored } = await anInterruptibleRun(1);
    command.kill('SIGINT');
    await sleep(20);
    command.kill('SIGINT');
    const { exitCode, stdout, stderr } = await command.finished;
    expect(exitCode, stderr).toBe(4);
    expect(JSON.parse(stdout)).toMatchObject({ run: { state: 'Cancelled' }, best: { name: 'quick' } });
    expect(await stored('list')).toMatchObject({ runs: [{ state: 'Cancelled', interrupted: false }] });
  });

  it.each([
    ['a second signal', 'SIGINT', 1_000],
    ['another signal right after the first', 'SIGTERM', 0],
  ] as const)(
    'ends at once by %s, its programs soon after, and what was stored stays',
    async (_, second, pauseMs) => {
      const { command, pids, stored } = await anInterruptibleRun(600);
      command.kill('SIGINT');
      await command.untilStderr('once more to end at once');
      expect(runningOf(pids)).toEqual(pids);
      await sleep(pauseMs);
      command.kill(second);
      const { exitCode, stdout } = await command.finished;
      expect({ exitCode, stdout }).toEqual({ exitCode: 130, stdout: '' });
      for (const deadline = Date.now() + 10_000; runningOf(pids).length > 0 && Date.now() < deadline; )
        await sleep(50);
      expect(runningOf(pids)).toEqual([]);
      const trials = { total: 2, succeeded: 1 };
      expect(await stored('list')).toMatchObject({ runs: [{ name: 'interrupted', trials }] });
      expect(await stored('report', 'interrupted')).toMatchObject({
        run: { trials },
        best: { name: 'quick' },
      });
    },
  );
});
