import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import { LineCounter, parse } from 'yaml';
import { pythonWith } from '../../test/tools/python-environment.ts';
import { readDocument } from '../api/v1alpha1/manifest-document.ts';
import { reportYaml } from './report-yaml.ts';

const FIRST_INSTALLATION_MS = 15 * 60_000;
const REQUIREMENTS = fileURLToPath(new URL('../../test/tools/pyyaml/requirements.txt', import.meta.url));

let python = '';
beforeAll(async () => {
  python = await pythonWith(REQUIREMENTS);
}, FIRST_INSTALLATION_MS);

/** As PyYAML reads it; what it has that JSON has not is told as its name in Python. */
const readByPython = (text: string): unknown =>
  JSON.parse(
    execFileSync(
      python,
      ['-c', 'import json, sys, yaml; json.dump(yaml.safe_load(sys.stdin), sys.stdout, default=repr)'],
      { input: text, encoding: 'utf8', env: { ...process.env, PYTHONUTF8: '1' } },
    ),
  );

/** As the validation of manifests reads it, which refuses what kubectl would read differently. */
function readForKubectl(text: string): unknown {
  const result = readDocument(text, new LineCounter());
  return result.ok ? result.document.value : result.problems.map(({ message }) => message);
}

const WORDS = ['y', 'Y', 'yes', 'Yes', 'NO', 'n', 'N', 'no', 'on', 'On', 'ON', 'off', 'OFF', 'true', 'False'];
const NUMBERS = [
  '0',
  '-1',
  '1_000',
  '1_000.5',
  '1.5',
  '.5_0',
  '+.5',
  '1e5',
  'e1',
  '1.',
  '.',
  '_1',
  '.inf',
  '.NaN',
];
const BASES = ['010', '0o17', '0O17', '0x1F', '0XFF_FF', '-0x10', '0b11', '0B11', '09'];
const TIMES = [
  '1:30',
  '190:20:30',
  '-1:30',
  '1:30.5',
  '2024-01-01',
  '2024-1-1 10:00:00',
  '2024-01-01T10:00:00.123Z',
];
const SIGNS = [
  '',
  '=',
  '<<',
  '~',
  'null',
  'Null',
  '-',
  '- a',
  '?',
  ':',
  'a: b',
  'a #b',
  '#',
  '&a',
  '*a',
  '!a',
  '%a',
  '@a',
  '`a',
];
const SPACES = [
  ' ',
  '\t',
  'a\tb',
  ' a',
  'a ',
  '\n',
  ' \n',
  '\n \n',
  'a\n\tb\n\n',
  ' a\nb',
  '1\n2',
  '=\n',
  '\u0085',
];
const TEXTS = [
  'lru',
  'zstd-19',
  'no more',
  'yes: no',
  '日本',
  'naïve',
  "it's",
  '"a"',
  '\\n',
  '👩‍🚀',
  '1.4.2',
  '0x1g',
];
const STRINGS = [...WORDS, ...NUMBERS, ...BASES, ...TIMES, ...SIGNS, ...SPACES, ...TEXTS];

const REPORT = {
  values: STRINGS,
  named: Object.fromEntries(STRINGS.map((name, position) => [name, position])),
  numbers: [0, -1, 0.1, 1e-7, -1e-7, 1.5e-7, 5e-324, 1e21, -2e22, 1.5e300, 1e20, 123_456.789],
};

describe('a report as YAML', () => {
  it.each([
    ['YAML 1.2', (text: string): unknown => parse(text)],
    ['YAML 1.1', (text: string): unknown => parse(text, { version: '1.1' })],
    ['YAML 1.1 with its merge keys', (text: string): unknown => parse(text, { version: '1.1', merge: true })],
    ['PyYAML', readByPython],
    ['kubectl', readForKubectl],
  ])('reads as the same value for %s', (_, read) => {
    expect(read(reportYaml(REPORT))).toEqual(REPORT);
  });

  it('has quotes only where they are needed', () => {
    const report = {
      run: {
        name: 'checkout-cache',
        startedAt: '2026-11-24T10:00:00.123Z',
        message: 'exit code 1: no such file',
      },
      matrix: [{ variant: 'on', parameters: { CACHE: 'lru', WORKERS: '4', n: 'no' }, rank: 1, score: null }],
      failures: [{ message: '2 errors\non: off' }],
    };
    expect(reportYaml(report)).toBe(`run:
  name: checkout-cache
  startedAt: "2026-11-24T10:00:00.123Z"
  message: "exit code 1: no such file"
matrix:
  - variant: "on"
    parameters:
      CACHE: lru
      WORKERS: "4"
      "n": "no"
    rank: 1
    score: null
failures:
  - message: |-
      2 errors
      on: off
`);
  });
});
