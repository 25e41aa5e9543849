import { createServer } from 'node:net';
import { afterAll, describe, expect, it, onTestFinished } from 'vitest';
import { seriesOf, seriesValue } from '../../tools/exposition.ts';
import { freeLoopbackPorts } from '../../tools/loopback-port.ts';
import { aDataDirectory, runCommand, startCommand } from './command-line.ts';

const data = aDataDirectory();
afterAll(() => data.remove());
const dataDir = ['--data-dir', data.path] as const;

const SLOW = 'setTimeout(() => {}, 600_000)';
const PUSHES_AND_STAYS = `${SLOW};
  const authorization = 'Bearer ' + require('fs').readFileSync(process.env.BATCHTEST_TOKEN_FILE, 'utf8').trim();
  fetch(process.env.BATCHTEST_RESULT_URL, { method: 'POST', headers: { authorization }, body: '{"metrics":{"m":1}}' })`;

const manifest = JSON.stringify({
  apiVersion: 'batchtest.dev/v1alpha1',
  kind: 'BatchTest',
  metadata: { name: 'measured' },
  spec: {
    parallelism: 2,
    variants: [
      { name: 'quick', parameters: { PROGRAM: 'process.exit(3)' } },
      { name: 'slow', parameters: { PROGRAM: SLOW } },
    ],
    template: {
      spec: {
        containers: [
          { name: 'test', image: 'none', command: [process.execPath, '-e', 'eval(process.env.PROGRAM)'] },
        ],
      },
    },
    objective: { metrics: [{ name: 'm', goal: 'minimize' }] },
  },
});

describe('run --metrics-port', () => {
  it('serves the metrics of a local run while it lasts', async () => {
    const [port = 0] = await freeLoopbackPorts(1);
    const url = `http://127.0.0.1:${port}/metrics`;
    const running = startCommand(['run', '-', '--metrics-port', String(port), ...dataDir], {
      input: manifest,
    });
    onTestFinished(async () => {
      running.kill('SIGTERM');
      await running.finished;
    });
    await running.untilStderr(`metrics: ${url}`);
    const scrape = async () => seriesOf(await (await fetch(url)).text());
    await expect
      .poll(async () => seriesValue(await scrape(), 'batchtest_attempts_total', { outcome: 'TestFailed' }), {
        timeout: 60_000,
      })
      .toBe(1);
    await expect
      .poll(async () => seriesValue(await scrape(), 'batchtest_trials_current', { state: 'running' }), {
        timeout: 20_000,
      })
      .toBe(1);
    const series = await scrape();
    expect(
      seriesValue(series, 'batchtest_attempt_failures_total', { reason: 'NonZeroExitCode', namespace: '' }),
    ).toBe(1);
    expect(seriesValue(series, 'batchtest_slots_in_use')).toBe(1);
    expect(seriesValue(series, 'batchtest_runs_current', { state: 'Running' })).toBe(1);
    expect(
      seriesValue(series, 'batchtest_store_transaction_seconds_count', {
        op: 'record_attempt',
        outcome: 'committed',
      }),
    ).toBe(1);
    running.kill('SIGTERM');
    expect((await running.finished).exitCode).toBe(4);
    await expect(fetch(url)).rejects.toThrow();
  });

  it('counts what its programs push', async () => {
    const [port = 0] = await freeLoopbackPorts(1);
    const pushes = JSON.parse(manifest);
    pushes.spec.results = { push: true };
    pushes.spec.variants = [{ name: 'pushes', parameters: { PROGRAM: PUSHES_AND_STAYS } }];
    const running = startCommand(['run', '-', '--metrics-port', String(port), ...dataDir], {
      input: JSON.stringify(pushes),
    });
    onTestFinished(async () => {
      running.kill('SIGTERM');
      await running.finished;
    });
    const url = `http://127.0.0.1:${port}/metrics`;
    await running.untilStderr(`metrics: ${url}`);
    const scrape = async () => seriesOf(await (await fetch(url)).text());
    await expect
      .poll(async () => seriesValue(await scrape(), 'batchtest_pushes_total', { answer: 'Stored' }), {
        timeout: 20_000,
      })
      .toBe(1);
    expect(
      seriesValue(await scrape(), 'batchtest_store_transaction_seconds_count', {
        op: 'push_result',
        outcome: 'committed',
      }),
    ).toBe(1);
  });

  it('says so when the port is taken, and runs nothing', async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => {
      other.close();
    });
    const address = other.address();
    const port = typeof address === 'object' ? String(address?.port) : '';
    const { exitCode, stderr } = await runCommand(['run', '-', '-q', '--metrics-port', port, ...dataDir], {
      input: manifest,
    });
    expect(exitCode).toBe(3);
    expect(stderr).toContain(`metrics cannot be served on 127.0.0.1:${port}: listen EADDRINUSE`);
    expect(stderr).not.toContain(' at ');
  });
});

describe('operator --metrics-secure', () => {
  it.each([
    [['--metrics-secure'], '--metrics-secure needs a port of its own: --metrics-port'],
    [
      ['--metrics-secure', '--metrics-port', '0'],
      '--metrics-secure needs --metrics-tls-cert and --metrics-tls-key',
    ],
    [
      ['--metrics-port', '0', '--metrics-tls-cert', 'a.pem'],
      '--metrics-tls-cert and --metrics-tls-key are for --metrics-secure',
    ],
  ])('refuses %j, which is not complete', async (options, message) => {
    const { exitCode, stderr } = await runCommand(['operator', ...options]);
    expect({ exitCode, stderr: stderr.trim() }).toEqual({ exitCode: 2, stderr: message });
  });

  it('names a file that cannot be read', async () => {
    const files = ['--metrics-tls-cert', '/nowhere/cert.pem', '--metrics-tls-key', '/nowhere/key.pem'];
    const { exitCode, stderr } = await runCommand([
      'operator',
      '--metrics-port',
      '0',
      '--metrics-secure',
      ...files,
    ]);
    expect(exitCode).toBe(3);
    expect(stderr).toMatch(/^\/nowhere\/(cert|key)\.pem cannot be read: ENOENT/m);
  });
});
