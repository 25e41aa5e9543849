import { spawn } from 'node:child_process';
import { closeSync, existsSync, openSync } from 'node:fs';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { type PostgresServer, startPostgresServer } from '../../integration/postgres-server.ts';
import { BATCHTEST_PROGRAM } from '../../tools/batchtest-program.ts';
import { REPOSITORY } from '../../tools/markdown-page.ts';
import { aDataDirectory, runCommand } from './command-line.ts';
import { type EndedRuns, endedRuns } from './ended-runs.ts';

const data = aDataDirectory();
afterAll(() => data.remove());
const dataDir = ['--data-dir', data.path];

/** So many that their report is larger than a pipe holds: a reader that leaves is noticed while it is written. */
const VARIANTS = 400;

const manifest = (name: string): string =>
  JSON.stringify({
    apiVersion: 'batchtest.dev/v1alpha1',
    kind: 'BatchTest',
    metadata: { name },
    spec: {
      parallelism: 8,
      variants: Array.from({ length: VARIANTS }, (_, index) => ({
        name: `v${index}`,
        parameters: { EXIT: index === 0 ? '1' : '0', NOTE: `${index} ${'x'.repeat(200)}` },
      })),
      template: {
        spec: {
          containers: [
            {
              name: 'test',
              image: 'none',
              command: [
                '/bin/sh',
                '-c',
                'echo "{\\"metrics\\":{\\"m\\":1}}" > "$BATCHTEST_RESULT_FILE"; exit $EXIT',
              ],
            },
          ],
        },
      },
      objective: { metrics: [{ name: 'm', goal: 'maximize' }] },
    },
  });

/** Runs the command and stops reading one of its streams: before anything comes, or after the first piece. */
async function withReaderGone(
  args: readonly string[],
  input: string,
  stream: 'stdout' | 'stderr',
  when: 'at the start' | 'after the first piece',
  environment: Readonly<Record<string, string>> = {},
): Promise<{ readonly exitCode: number | null; readonly other: string }> {
  const { DATABASE_URL: _, ...env } = process.env;
  const child = spawn(process.execPath, [BATCHTEST_PROGRAM, ...args], {
    cwd: REPOSITORY,
    env: { ...env, ...environment },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const left = child[stream];
  if (when === 'at the start') left.destroy();
  else left.once('data', () => left.destroy());
  let other = '';
  child[stream === 'stdout' ? 'stderr' : 'stdout'].setEncoding('utf8').on('data', (piece: string) => {
    other += piece;
  });
  child.stdin.end(input);
  const exitCode = await new Promise<number | null>((resolve) => child.once('close', resolve));
  return { exitCode, other };
}

async function expectStored(name: string): Promise<void> {
  const { stdout } = await runCommand(['report', name, '-o', 'json', ...dataDir]);
  expect(JSON.parse(stdout).run).toMatchObject({
    state: 'Failed',
    trials: { total: VARIANTS, succeeded: VARIANTS - 1, failed: 1 },
  });
}

describe('output that nobody reads to its end', () => {
  it.each([['at the start'], ['after the first piece']] as const)(
    'ends a run in the ordinary way when the reader of stdout leaves %s',
    async (when) => {
      const name = `stdout-${when.replaceAll(' ', '-')}`;
      const args = ['run', '-', '-o', 'json', '--quiet', ...dataDir];
      const { exitCode, other } = await withReaderGone(args, manifest(name), 'stdout', when);
      expect({ exitCode, stderr: other }).toEqual({ exitCode: 1, stderr: '' });
      await expectStored(name);
    },
  );

  it('does not stop a run when the reader of its progress leaves', async () => {
    const args = ['run', '-', '-o', 'json', ...dataDir];
    const { exitCode, other } = await withReaderGone(args, manifest('stderr'), 'stderr', 'at the start');
    expect(exitCode).toBe(1);
    expect(JSON.parse(other).run).toMatchObject({ name: 'stderr', state: 'Failed' });
    await expectStored('stderr');
  });

  it('is no failure of a report', async () => {
    const args = ['report', '-o', 'json', ...dataDir];
    expect(await withReaderGone(args, '', 'stdout', 'after the first piece')).toEqual({
      exitCode: 0,
      other: '',
    });
  });
});

// macOS has no such device.
it.skipIf(!existsSync('/dev/full'))('says that stdout cannot be written, as on a full disk', async () => {
  const full = openSync('/dev/full', 'w');
  onTestFinished(() => closeSync(full));
  const child = spawn(
    process.execPath,
    [BATCHTEST_PROGRAM, 'validate', 'examples/compression/batchtest.yaml'],
    {
      cwd: REPOSITORY,
      stdio: ['ignore', full, 'pipe'],
    },
  );
  const [stderr, exitCode] = await Promise.all([
    text(child.stderr ?? Readable.from([])),
    new Promise<number | null>((resolve) => child.once('close', resolve)),
  ]);
  expect({ exitCode, stderr }).toEqual({
    exitCode: 3,
    stderr: 'stdout cannot be written: ENOSPC: no space left on device, write\n',
  });
});

describe('a reader of what prune has deleted that leaves', () => {
  let server: PostgresServer;
  beforeAll(async () => {
    server = await startPostgresServer();
  });
  afterAll(() => server?.stop());

  const pruneUnread = (
    { pruneArguments, environment }: EndedRuns,
    when: 'at the start' | 'after the first piece',
  ) => withReaderGone(pruneArguments, '', 'stdout', when, environment);

  it.each([['at the start'], ['after the first piece']] as const)(
    'keeps nothing from being deleted: %s',
    async (when) => {
      const runs = await endedRuns(server, 'local', 'kubernetes', 'local');
      expect(await pruneUnread(runs, when)).toEqual({ exitCode: 0, other: '' });
      expect(await runs.stored()).toEqual([]);
    },
  );

  it('hides neither that the output of the last cannot be removed', async () => {
    const runs = await endedRuns(server, 'kubernetes', 'kubernetes', 'local');
    runs.keepOutput();
    const { exitCode, other } = await pruneUnread(runs, 'at the start');
    expect(exitCode, other).toBe(3);
    expect(other).toContain('stays, because its output cannot be removed');
    expect(await runs.stored()).toEqual(runs.uids.slice(2));
  });

  it('nor that the store refuses one', async () => {
    const runs = await endedRuns(server, 'kubernetes', 'kubernetes', 'local');
    const [, second = ''] = runs.uids;
    await runs.refuseToDelete(second);
    const { exitCode, other } = await pruneUnread(runs, 'at the start');
    expect(exitCode, other).toBe(3);
    expect(other).toContain(`delete run ${second}`);
    expect(await runs.stored()).toEqual([second]);
  });
});
