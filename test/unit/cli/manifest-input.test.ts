import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { aDataDirectory, runCommand } from './command-line.ts';

const folder = mkdtempSync(join(tmpdir(), 'batchtest-manifests-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const MANIFEST = `apiVersion: batchtest.dev/v1alpha1
kind: BatchTest
metadata: {name: one}
spec:
  variants: [{name: only}]
  template: {spec: {containers: [{name: test, image: none, command: ["true"]}]}}
  objective: {metrics: [{name: m, goal: maximize}]}
`;

const fileOf = (name: string, content: string | Uint8Array): string => {
  const file = join(folder, name);
  writeFileSync(file, content);
  return file;
};

describe('where a manifest comes from', () => {
  it('can be standard input, whose relative paths are those of the working directory', async () => {
    expect(await runCommand(['validate', '-'], { input: MANIFEST })).toEqual({
      exitCode: 0,
      stdout: 'stdin: valid: 1 variant × 1 repetition = 1 trial\n',
      stderr: '',
    });
  });

  it.each([
    ['a file that does not exist', join(folder, 'missing.yaml'), 'there is no such file'],
    ['a path through a file', join(fileOf('a-file', ''), 'x.yaml'), 'there is no such file'],
    ['a directory', folder, 'is a directory; give a manifest file, or - for standard input'],
  ])('is refused when it is %s, with exit code 2, before anything is started', async (_, file, problem) => {
    const data = aDataDirectory();
    const ended = await runCommand(['run', file, '--data-dir', data.path]);
    expect(ended).toEqual({ exitCode: 2, stdout: '', stderr: `${file}: ${problem}\n` });
    expect(readdirSync(data.path)).toEqual([]);
    data.remove();
  });

  it.each([
    [
      'a baseline that is no variant',
      MANIFEST.replace('  objective', '  comparison:\n    baseline: other\n  objective'),
      '8:15: spec.comparison.baseline: "other" is not a variant: there are "only"',
    ],
    [
      'variants that are the same',
      MANIFEST.replace('{name: only}', '{name: only}, {name: twin}'),
      '5:28: spec.variants[1]: "twin" has the same parameters as "only": they would run the same thing',
    ],
  ])(
    'is refused with file, line and column for what only its variants tell: %s',
    async (_, text, problem) => {
      const file = fileOf('closer-look.yaml', text);
      for (const command of ['validate', 'run', 'parity']) {
        const ended = await runCommand([command, file]);
        expect(ended, command).toEqual({ exitCode: 2, stdout: '', stderr: `${file}:${problem}\n` });
      }
    },
  );

  it.each([
    ['broken.yaml', 'kind: BatchTest\nmetadata:\n  name: x\n   bad: [1\n', '3:9: invalid YAML: '],
    ['unclosed.yaml', 'kind: BatchTest\nspec: {a: 1\n', '3:1: invalid YAML: '],
    ['broken.json', '{"kind": "BatchTest",\n "spec": {"a": }}', '2:'],
    ['two.yaml', `${MANIFEST}---\n${MANIFEST}`, '9:1: there are 2 documents in this file'],
    ['empty.yaml', '', '1:1: is empty; expected a BatchTest'],
    ['binary.yaml', new Uint8Array([0xff, 0xfe, 0x00, 0x01]), '1:1: '],
  ])('is refused with file, line and column when it is unreadable: %s', async (name, content, place) => {
    const file = fileOf(name, content);
    const { exitCode, stdout, stderr } = await runCommand(['run', file]);
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
    expect(stderr).toContain(`${file}:${place}`);
    expect(stderr).not.toMatch(/^\s+at /m);
  });

  it('is refused when only a cluster has what its program is to read, before anything is started', async () => {
    const data = aDataDirectory();
    const input = MANIFEST.replace('name: test,', 'name: test, envFrom: [{secretRef: {name: s}}],');
    expect(await runCommand(['run', '-', '--quiet', '--data-dir', data.path], { input })).toEqual({
      exitCode: 2,
      stdout: '',
      stderr:
        'spec.template.spec.containers[0].envFrom[0] cannot be read locally: give its variables values in spec.local.env\n',
    });
    expect(readdirSync(data.path)).toEqual([]);
    data.remove();
  });

  it('is refused when two of its variants are the same, before anything is started', async () => {
    const data = aDataDirectory();
    const input = MANIFEST.replace('{name: only}', '{name: one}, {name: other}');
    const { exitCode, stdout, stderr } = await runCommand(['run', '-', '--data-dir', data.path], { input });
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
    expect(stderr).toMatch(/^stdin:5:27: spec\.variants\[1\]: .*\n$/);
    expect(readdirSync(data.path)).toEqual([]);
    data.remove();
  });

  it('is asked for when it is not given, with where to read more', async () => {
    expect(await runCommand(['run'])).toEqual({
      exitCode: 2,
      stdout: '',
      stderr: "error: missing required argument 'file'\n(batchtest run --help tells more)\n",
    });
  });
});
