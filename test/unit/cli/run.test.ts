import { readdirSync, readFileSync } from 'node:fs';
import { afterAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { aDataDirectory, runCommand, startCommand } from './command-line.ts';

const data = aDataDirectory();
afterAll(() => data.remove());
const dataDir = ['--data-dir', data.path] as const;

/** What the program of a variant does, by its MODE. */
const PROGRAM = `
const { writeFileSync } = require('node:fs');
const answer = (content) => writeFileSync(process.env.BATCHTEST_RESULT_FILE, content);
const modes = {
  good: () => answer('{"metrics":{"m":1}}'),
  silent: () => {},
  broken: () => answer('{"metr'),
  nan: () => answer('{"metrics":{"m":NaN}}'),
  infinite: () => answer('{"metrics":{"m":1e999}}'),
  proto: () => answer('{"__proto__":{"polluted":1},"metrics":{"m":1}}'),
  deep: () => answer('{"metrics":{"m":1},"outputs":{"a":' + '['.repeat(1500) + ']'.repeat(1500) + '}}'),
  large: () => answer('{"metrics":{"m":1},"outputs":{"a":"' + 'x'.repeat(5000) + '"}}'),
  binary: () => answer(Buffer.from([255, 0, 254, 10])),
  killed: () => process.kill(process.pid, 'SIGKILL'),
  exit3: () => { console.error('out of cheese'); process.exit(3); },
  slow: () => setTimeout(() => {}, 600_000),
};
modes[process.env.MODE]();
`;

const manifestOf = (variants: Readonly<Record<string, string>>, spec: object = {}): string =>
  JSON.stringify({
    apiVersion: 'batchtest.dev/v1alpha1',
    kind: 'BatchTest',
    metadata: { name: 'cli' },
    spec: {
      parallelism: 4,
      variants: Object.entries(variants).map(([name, MODE]) => ({ name, parameters: { MODE, NAME: name } })),
      template: {
        spec: { containers: [{ name: 'test', image: 'none', command: [process.execPath, '-e', PROGRAM] }] },
      },
      objective: { metrics: [{ name: 'm', goal: 'maximize' }] },
      ...spec,
    },
  });

describe('batchtest run', () => {
  it('prints one JSON document and nothing else on stdout, and exits 0 when all is complete', async () => {
    const { exitCode, stdout, stderr } = await runCommand(['run', '-', '-o', 'json', ...dataDir], {
      input: manifestOf({ only: 'good' }, { repetitions: 2 }),
    });
    expect(stderr).toContain('2 of 2 trials succeeded');
    expect(exitCode).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      run: { uid: expect.any(String), name: 'cli', workflowId: 'cli', engine: 'local', state: 'Complete' },
      best: { name: 'only', score: 1 },
      matrix: [
        {
          variant: 'only',
          parameters: { MODE: 'good', NAME: 'only' },
          trials: { total: 2, succeeded: 2 },
          metrics: { m: { n: 2, mean: 1 } },
          score: 1,
          rank: 1,
        },
      ],
    });
    const report = await runCommand(['report', 'cli', '-o', 'yaml', ...dataDir]);
    expect(parse(report.stdout)).toEqual(JSON.parse(stdout));
  });

  it('gives every program that misbehaves an outcome with a reason, goes on with the others, and exits 1', async () => {
    const hostile = `'; DROP TABLE runs; -- "ü日本`;
    const { exitCode, stdout } = await runCommand(['run', '-', '-o', 'json', ...dataDir], {
      input: manifestOf(
        {
          good: 'good',
          silent: 'silent',
          broken: 'broken',
          nan: 'nan',
          infinite: 'infinite',
          proto: 'proto',
          deep: 'deep',
          large: 'large',
          binary: 'binary',
          killed: 'killed',
          slow: 'slow',
          [hostile]: 'exit3',
        },
        { trialDeadlineSeconds: 3 },
      ),
    });
    expect(exitCode).toBe(1);
    const report = JSON.parse(stdout);
    expect(report.run).toMatchObject({ state: 'Failed', reason: 'VariantsFailed' });
    expect(report.best).toMatchObject({ name: 'good' });
    const failures = Object.fromEntries(
      report.failures.map(({ variant, outcome, reason }: Record<string, string>) => [
        variant,
        `${outcome} ${reason}`,
      ]),
    );
    expect(failures).toEqual({
      silent: 'ResultInvalid NoResult',
      broken: 'ResultInvalid ResultUnusable',
      nan: 'ResultInvalid ResultUnusable',
      infinite: 'ResultInvalid ResultUnusable',
      proto: 'ResultInvalid ResultUnusable',
      deep: 'ResultInvalid ResultUnusable',
      large: 'ResultInvalid ResultTooLarge',
      binary: 'ResultInvalid ResultUnusable',
      killed: 'TestFailed Signalled',
      slow: 'TimedOut DeadlineExceeded',
      [hostile]: 'TestFailed NonZeroExitCode',
    });
    const failed = report.failures.find(({ variant }: { variant: string }) => variant === hostile);
    expect(failed.logs).toMatch(/\.\{stdout,stderr\}\.log$/);
    expect(readFileSync(failed.logs.replace('{stdout,stderr}', 'stderr'), 'utf8')).toBe('out of cheese\n');
  });

  it('refuses an invalid manifest with the place of each mistake, exits 2, and starts nothing', async () => {
    const fresh = aDataDirectory();
    const { exitCode, stdout, stderr } = await runCommand(['run', '-', '--data-dir', fresh.path], {
      input:
        'apiVersion: batchtest.dev/v1alpha1\nkind: BatchTest\nmetadata: {name: x}\nspec:\n  paralelism: six\n',
    });
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
    expect(stderr).toContain('stdin:5:3: spec.paralelism: unknown field; did you mean "parallelism"?');
    expect(readdirSync(fresh.path)).toEqual([]);
    fresh.remove();
  });

  it.each([
    ['a file that is not there', ['run', 'no-such-file.yaml'], 'no-such-file.yaml: there is no such file'],
    ['a directory', ['run', 'examples'], 'examples: is a directory'],
    ['an unknown option', ['run', '--no-such-option', 'x'], "unknown option '--no-such-option'"],
    ['an unknown command', ['frobnicate'], "unknown command 'frobnicate'"],
  ])('exits 2 for %s', async (_, args, text) => {
    const { exitCode, stderr } = await runCommand(args);
    expect(exitCode).toBe(2);
    expect(stderr).toContain(text);
    expect(stderr).not.toMatch(/^\s+at /m);
  });

  it('exits 3 when results cannot be stored, without a stack trace', async () => {
    const { exitCode, stderr } = await runCommand(['run', '-'], {
      input: manifestOf({ only: 'good' }),
      environment: { DATABASE_URL: 'postgres://somebody:hunter2@127.0.0.1:1/none' },
    });
    expect(exitCode).toBe(3);
    expect(stderr).toContain('result store');
    expect(stderr).not.toContain('hunter2');
    expect(stderr).not.toMatch(/^\s+at /m);
  });

  it('ends the programs on Ctrl-C, keeps what is stored, and exits 4', async () => {
    const command = startCommand(['run', '-', '-o', 'json', ...dataDir], {
      input: manifestOf({ good: 'good', slow: 'slow', waits: 'slow' }),
    });
    await command.untilStderr('best so far good');
    command.kill('SIGINT');
    const { exitCode, stdout } = await command.finished;
    expect(exitCode).toBe(4);
    const { run, matrix } = JSON.parse(stdout);
    expect(run).toMatchObject({ state: 'Cancelled', trials: { succeeded: 1, cancelled: 2 } });
    expect(matrix[0]).toMatchObject({ variant: 'good', trials: { succeeded: 1 } });
  });

  it('leaves what was stored to be reported when it is killed', async () => {
    const command = startCommand(['run', '-', ...dataDir], {
      input: manifestOf({ good: 'good', slow: 'slow' }, { workflowId: 'killed' }),
    });
    await command.untilStderr('best so far good');
    command.kill('SIGKILL');
    await command.finished;
    const { stdout } = await runCommand(['list', '--workflow', 'killed', '-o', 'json', ...dataDir]);
    expect(JSON.parse(stdout).runs).toMatchObject([
      { workflowId: 'killed', trials: { succeeded: 1, pending: 1 } },
    ]);
  });
});

describe('batchtest validate', () => {
  it('counts the trials of a valid manifest', async () => {
    const { exitCode, stdout } = await runCommand(['validate', 'examples/compression/batchtest.yaml']);
    expect(exitCode).toBe(0);
    expect(stdout).toBe(
      'examples/compression/batchtest.yaml: valid: 11 variants × 5 repetitions = 55 trials\n',
    );
  });
});

describe('batchtest report', () => {
  it('says so when there is no such run', async () => {
    const { exitCode, stderr } = await runCommand(['report', 'nobody', ...dataDir]);
    expect(exitCode).toBe(2);
    expect(stderr).toContain('no stored run has the UID or name "nobody"');
  });
});
