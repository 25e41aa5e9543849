/** `batchtest parity RUN1 RUN2` on runs of the same command line. */
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { parse } from 'yaml';
import { aDataDirectory, runCommand } from './command-line.ts';

// Several calls of the command line, one after the other.
vi.setConfig({ testTimeout: 120_000 });

const data = aDataDirectory();
afterAll(() => data.remove());
const DATA = ['--data-dir', data.path];

/** Says what its parameter says. */
const manifest = (values: Readonly<Record<string, number>>, repetitions = 2) =>
  JSON.stringify({
    apiVersion: 'batchtest.dev/v1alpha1',
    kind: 'BatchTest',
    metadata: { name: 'sizes' },
    spec: {
      repetitions,
      variants: Object.keys(values).map((name) => ({ name, parameters: { NAME: name } })),
      template: { spec: { containers: [{ name: 'test', image: 'none' }] } },
      local: {
        command: [
          '/bin/sh',
          '-c',
          `case $NAME in ${Object.entries(values)
            .map(([name, value]) => `${name}) X=${value};;`)
            .join(' ')} esac; echo "{\\"metrics\\":{\\"x\\":$X}}" > "$BATCHTEST_RESULT_FILE"`.replaceAll(
            '$',
            '$$$$',
          ),
        ],
      },
      objective: { metrics: [{ name: 'x', goal: 'minimize' }] },
    },
  });

async function aRun(input: string): Promise<string> {
  const { stdout, stderr } = await runCommand(['run', '-', '-o', 'json', '--quiet', ...DATA], { input });
  expect(stderr).toBe('');
  return JSON.parse(stdout).run.uid;
}

const parity = (...args: readonly string[]) => runCommand(['parity', ...args, ...DATA]);

let first: string;
let again: string;
let other: string;
let few: string;
beforeAll(async () => {
  first = await aRun(manifest({ a: 1, b: 2 }));
  again = await aRun(manifest({ a: 1, b: 2 }));
  other = await aRun(manifest({ a: 1, b: 3 }));
  few = await aRun(manifest({ a: 1, b: 2 }, 1));
}, 120_000);

describe('batchtest parity RUN1 RUN2', () => {
  it('is undecided about runs whose program did not run', async () => {
    const missing = manifest({ a: 1 }).replace('/bin/sh', '/nowhere/sh');
    const uids: string[] = [];
    for (let index = 0; index < 2; index += 1) {
      const { stdout } = await runCommand(['run', '-', '-o', 'json', '--quiet', ...DATA], { input: missing });
      uids.push(JSON.parse(stdout).run.uid);
    }
    const { exitCode, stdout } = await parity(...uids);
    expect(stdout).toContain("2 trials came to an end of the program's own in neither run");
    expect(exitCode).toBe(5);
  });

  it('says Same and ends with 0', async () => {
    const { exitCode, stdout, stderr } = await parity(first, again, '--exact', 'x', '--exact-outputs');
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    expect(stdout).toMatch(
      /^first {3}sizes · run [0-9a-f]{8} · local · Complete · started .*\nsecond {2}sizes · .*\n✔ Same: 2 variants and 4 trials\nexact: x, outputs · other metrics within 5 % at a confidence of 0\.95 · /,
    );
  });

  it('says Different, names each kind, and ends with 1, in every format', async () => {
    const table = await parity(first, other);
    expect(table.exitCode).toBe(1);
    expect(table.stdout).toContain('✘ Different: 2 kinds of difference\n');
    expect(table.stdout).toContain('\nCommandDiffers: 2 times\n  variant a: ');
    expect(table.stdout).toContain('\nMetricDiffers of x\n  variant b: 2 and 3, 33.3 % apart\n');
    const json = JSON.parse((await parity(first, other, '-o', 'json')).stdout);
    expect(json).toMatchObject({
      verdict: 'Different',
      first: { uid: first },
      second: { uid: other },
      differences: [
        { kind: 'CommandDiffers', count: 2 },
        { kind: 'MetricDiffers', subject: 'x', count: 1 },
      ],
    });
    expect(parse((await parity(first, other, '-o', 'yaml')).stdout)).toEqual(json);
    const markdown = await parity(first, other, '-o', 'markdown');
    expect(markdown.stdout).toMatch(/^### ✘ Different: 2 kinds of difference\n\n/);
    expect(markdown.stdout).toContain('| MetricDiffers | `x` | 1 | `variant b: 2 and 3, 33.3 % apart` |');
  });

  it('says Undecided and ends with 5 when there are too few trials', async () => {
    const { exitCode, stdout } = await parity(few, few);
    expect(exitCode).toBe(5);
    expect(stdout).toContain('? Undecided: nothing differs for certain, and 1 question is open\n');
    expect(stdout).toContain(
      '  x of 2 variants: too few trials to tell, as of variant a: 1 and 1, 0.0 % apart\n',
    );
    expect((await parity(few, few, '--exact', 'x')).exitCode).toBe(0);
  });

  it('refuses what it cannot compare, and options of the other use', async () => {
    expect(await parity(first, 'nobody')).toMatchObject({
      exitCode: 2,
      stderr: 'no stored run has the UID or name "nobody"; batchtest list shows what is there\n',
    });
    expect(await parity(first, again, '--jobs')).toMatchObject({
      exitCode: 2,
      stderr: '--jobs is about a manifest: batchtest parity FILE\n',
    });
    expect(await runCommand(['parity', '-', '--exact-outputs'], { input: manifest({ a: 1 }) })).toMatchObject(
      {
        exitCode: 2,
        stderr: '--exact-outputs compares two runs: batchtest parity RUN1 RUN2\n',
      },
    );
    expect((await parity(first, again, '--tolerance', 'much')).stderr).toContain(
      'It must be a percentage below 100, such as 5% or 0.5%.',
    );
  });
});
