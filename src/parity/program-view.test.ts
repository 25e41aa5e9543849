import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { aBatchTest } from '../../test/builders/batch-test.ts';
import type { BatchTest, BatchTestManifest } from '../api/v1alpha1/schema.ts';
import { expandVariants } from '../core/variants.ts';
import { type ProgramDifference, programDifferences } from './program-differences.ts';
import { type ProgramView, programView, UNKNOWN } from './program-view.ts';

type Container = NonNullable<BatchTestManifest['spec']['template']['spec']>['containers'][number];

const manifestOf = (
  container: Partial<Container>,
  local?: BatchTest['spec']['local'],
  parameters: Record<string, string> = { CACHE: 'lru' },
): BatchTest =>
  aBatchTest({
    variants: [{ name: 'lru', parameters }],
    template: { spec: { containers: [{ name: 'test', image: 'bench:1', ...container }] } },
    spec: local === undefined ? {} : { local },
  });

function viewsOf(manifest: BatchTest): readonly [local: ProgramView, pod: ProgramView] {
  const [variant] = expandVariants(manifest.spec);
  if (variant === undefined) throw new Error('there is no variant');
  const trial = { variant, repetition: 0 };
  return [programView('local', manifest, trial), programView('kubernetes', manifest, trial)];
}

const differences = (manifest: BatchTest): readonly ProgramDifference[] =>
  programDifferences(...viewsOf(manifest));

describe('a program that both engines start', () => {
  it('sees the same: parameters, expanded arguments, declared variables, the result file', () => {
    const manifest = manifestOf({
      command: ['bench', '--cache=$(CACHE)'],
      args: ['--out=$(BATCHTEST_RESULT_FILE)', '$$(CACHE)', '$(NOBODY)'],
      env: [
        { name: 'MODE', value: 'cache-$(CACHE)' },
        { name: 'TWICE', value: '$(MODE)-$(MODE)' },
        { name: 'CACHE', value: 'never seen' },
      ],
    });
    const [local, pod] = viewsOf(manifest);
    expect(programDifferences(local, pod)).toEqual([]);
    expect(local.args).toEqual(['--out=/result', '$(CACHE)', '$(NOBODY)']);
    expect(Object.fromEntries(pod.environment)).toMatchObject({
      CACHE: 'lru',
      TWICE: 'cache-lru-cache-lru',
      BATCHTEST_VARIANT: 'lru',
      BATCHTEST_RESULT_FILE: '/result',
    });
  });

  it('sees the same whatever the values hold', () => {
    const text = fc.string({ unit: fc.constantFrom('$', '(', ')', 'A', 'B', ' ', '"', '\n'), maxLength: 12 });
    fc.assert(
      fc.property(text, text, text, (parameter, declared, arg) => {
        const manifest = manifestOf(
          { command: ['x'], args: [arg], env: [{ name: 'B', value: declared }] },
          undefined,
          { A: parameter },
        );
        expect(differences(manifest)).toEqual([]);
      }),
    );
  });
});

const TOKEN = { name: 'TOKEN', valueFrom: { secretKeyRef: { name: 's', key: 'k' } } };

describe('what spec.local changes', () => {
  const cases: readonly (readonly [
    string,
    Partial<Container>,
    BatchTest['spec']['local'],
    readonly ProgramDifference[],
  ])[] = [
    [
      'nothing, when it says the same',
      { command: ['a'], args: ['b'] },
      { command: ['a', 'b'], args: [] },
      [],
    ],
    [
      'another command',
      { command: ['a'] },
      { command: ['b'] },
      [{ kind: 'Command', name: null, how: 'Differs' }],
    ],
    [
      'the command of an image, which cannot be known',
      { args: ['--x'] },
      { command: ['b'] },
      [{ kind: 'Command', name: null, how: 'Unknown' }],
    ],
    [
      'other arguments for the image',
      { args: ['--x'] },
      { command: ['b'], args: ['--y'] },
      [
        { kind: 'Command', name: null, how: 'Unknown' },
        { kind: 'Arguments', name: null, how: 'Differs' },
      ],
    ],
    [
      'other arguments',
      { command: ['a'], args: ['--x'] },
      { args: ['--y'] },
      [{ kind: 'Arguments', name: null, how: 'Differs' }],
    ],
    [
      'a variable that no pod has',
      { command: ['a'] },
      { env: { EXTRA: '1' } },
      [{ kind: 'Variable', name: 'EXTRA', how: 'OnlyFirst' }],
    ],
    [
      'the value of a variable',
      { command: ['a'], env: [{ name: 'MODE', value: 'slow' }] },
      { env: { MODE: 'fast' } },
      [{ kind: 'Variable', name: 'MODE', how: 'Differs' }],
    ],
    [
      'a variable whose value is a Secret',
      { command: ['a'], env: [TOKEN] },
      { env: { TOKEN: 'mine' } },
      [{ kind: 'Variable', name: 'TOKEN', how: 'Unknown' }],
    ],
    [
      'a word of the arguments that refers to a Secret',
      { command: ['a'], args: ['--token=$(TOKEN)', '--fast'], env: [TOKEN] },
      { env: { TOKEN: 'mine' } },
      [
        { kind: 'Arguments', name: null, how: 'Unknown' },
        { kind: 'Variable', name: 'TOKEN', how: 'Unknown' },
      ],
    ],
    [
      'a word of the command that refers to a Secret',
      { command: ['a', '$(TOKEN)'], env: [TOKEN] },
      { env: { TOKEN: 'mine' } },
      [
        { kind: 'Command', name: null, how: 'Unknown' },
        { kind: 'Variable', name: 'TOKEN', how: 'Unknown' },
      ],
    ],
    [
      'another word beside one that refers to a Secret',
      { command: ['a'], args: ['--token=$(TOKEN)', '--fast'], env: [TOKEN] },
      { args: ['--token=$(TOKEN)', '--slow'], env: { TOKEN: 'mine' } },
      [
        { kind: 'Arguments', name: null, how: 'Differs' },
        { kind: 'Variable', name: 'TOKEN', how: 'Unknown' },
      ],
    ],
    [
      'nothing in a word that only looks as if it referred to a Secret',
      { command: ['a'], args: ['$$(TOKEN)'], env: [TOKEN] },
      { args: ['$$(OTHER)'], env: { TOKEN: 'mine' } },
      [
        { kind: 'Arguments', name: null, how: 'Differs' },
        { kind: 'Variable', name: 'TOKEN', how: 'Unknown' },
      ],
    ],
    [
      'a variable that may come from a whole Secret, and what refers to it',
      {
        command: ['a'],
        args: ['$(TOKEN)'],
        env: [{ name: 'HEADER', value: 'Bearer $(TOKEN)' }],
        envFrom: [{ secretRef: { name: 's' } }],
      },
      { env: { TOKEN: 'mine' } },
      [
        { kind: 'Arguments', name: null, how: 'Unknown' },
        { kind: 'Variable', name: 'HEADER', how: 'Unknown' },
        { kind: 'Variable', name: 'TOKEN', how: 'Unknown' },
      ],
    ],
  ];
  it.each(cases)('%s', (_, container, local, expected) => {
    expect(differences(manifestOf(container, local))).toEqual(expected);
  });

  it('tells of no value that only the cluster knows, nor of what is made of it', () => {
    const [, pod] = viewsOf(
      manifestOf({
        env: [TOKEN, { name: 'HEADER', value: 'Bearer $(TOKEN)' }],
      }),
    );
    expect(pod.environment.get('TOKEN')).toBe(UNKNOWN);
    expect(pod.environment.get('HEADER')).toBe(UNKNOWN);
  });
});
