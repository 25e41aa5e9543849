import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { aBatchTest, aTemplate, type BatchTestOptions } from '../../test/builders/batch-test.ts';
import { InvalidBatchTestError } from './errors.ts';
import { expandVariants, type Variant } from './variants.ts';

const expand = (options: BatchTestOptions): readonly Variant[] => expandVariants(aBatchTest(options).spec);
const names = (variants: readonly Variant[]) => variants.map(({ name }) => name);
const only = (options: BatchTestOptions): Variant => {
  const [variant, ...others] = expand(options);
  if (variant === undefined || others.length > 0) throw new Error('not exactly one variant');
  return variant;
};

const lru = { name: 'today', parameters: { CACHE: 'lru', WORKERS: '4' } };
/** What a matrix may hold that is awkward in a name. */
const AWKWARD = [
  '',
  ' ',
  '-',
  'a-b',
  'a',
  'b-c',
  '\n',
  '\u202e',
  '\u2028',
  '\u0085',
  '🦀'.repeat(40),
  'x'.repeat(200),
];

describe('the identity of a variant', () => {
  const { id } = only({ variants: [lru] });

  it('is 16 hexadecimal digits', () => {
    expect(id).toMatch(/^[0-9a-f]{16}$/);
  });

  it.each([
    { change: 'its name', options: { variants: [{ ...lru, name: 'another' }] } },
    {
      change: 'the order of its parameters',
      options: { variants: [{ name: 'today', parameters: { WORKERS: '4', CACHE: 'lru' } }] },
    },
    { change: 'the name of the BatchTest', options: { name: 'another', variants: [lru] } },
    { change: 'the number of repetitions', options: { variants: [lru], repetitions: 7, parallelism: 3 } },
    {
      change: 'being a combination of a matrix',
      options: {
        variants: [],
        matrix: {
          parameters: [
            { name: 'WORKERS', values: ['4'] },
            { name: 'CACHE', values: ['lru'] },
          ],
        },
      },
    },
  ])('does not depend on $change', ({ options }) => {
    expect(only(options).id).toBe(id);
  });

  it.each([
    { change: 'a value', options: { variants: [{ ...lru, parameters: { CACHE: 'arc', WORKERS: '4' } }] } },
    { change: 'one parameter fewer', options: { variants: [{ ...lru, parameters: { CACHE: 'lru' } }] } },
    {
      change: 'where one value ends and the next begins',
      options: { variants: [{ ...lru, parameters: { CACHE: 'lru","WORKERS":"4', WORKERS: '' } }] },
    },
    { change: 'the image', options: { variants: [lru], template: aTemplate('example.com/bench:2') } },
  ])('changes with $change', ({ options }) => {
    expect(only(options).id).not.toBe(id);
  });

  it('does not depend on the place in the list', () => {
    const others = [{ name: 'x' }, { name: 'y', parameters: { A: '1' } }];
    const ids = (list: NonNullable<BatchTestOptions['variants']>) =>
      new Map(expand({ variants: list }).map((variant) => [variant.name, variant.id]));
    expect(ids([...others, lru])).toEqual(ids([lru, ...others].reverse()));
  });
});

describe('the variants of a BatchTest', () => {
  const cacheAndWorkers = {
    parameters: [
      { name: 'CACHE', values: ['none', 'lru', 'arc'] },
      { name: 'WORKERS', values: ['2', '8'] },
    ],
  };

  it('are the combinations of the matrix, the last parameter varying fastest', () => {
    const variants = expand({ variants: [], matrix: cacheAndWorkers });
    expect(names(variants)).toEqual(['none-2', 'none-8', 'lru-2', 'lru-8', 'arc-2', 'arc-8']);
    expect(variants[3]?.parameters).toEqual({ CACHE: 'lru', WORKERS: '8' });
  });

  it.each([
    { exclude: [{ CACHE: 'none', WORKERS: '8' }], left: ['none-2', 'lru-2', 'lru-8', 'arc-2', 'arc-8'] },
    { exclude: [{ CACHE: 'none' }, { WORKERS: '8' }], left: ['lru-2', 'arc-2'] },
    { exclude: [{ WORKERS: '3' }], left: ['none-2', 'none-8', 'lru-2', 'lru-8', 'arc-2', 'arc-8'] },
  ])('are not those that match $exclude', ({ exclude, left }) => {
    expect(names(expand({ variants: [], matrix: { ...cacheAndWorkers, exclude } }))).toEqual(left);
  });

  it('are the explicit ones first, and an explicit name stands for its combination', () => {
    const variants = expand({
      variants: [lru, { name: 'production', parameters: { WORKERS: '8', CACHE: 'lru' } }],
      matrix: cacheAndWorkers,
    });
    expect(names(variants)).toEqual(['today', 'production', 'none-2', 'none-8', 'lru-2', 'arc-2', 'arc-8']);
  });

  it('give an explicit variant its name, and the combination that would have it another', () => {
    const variants = expand({ variants: [{ name: 'lru-2' }], matrix: cacheAndWorkers });
    const combination = variants.find(
      ({ parameters }) => parameters.CACHE === 'lru' && parameters.WORKERS === '2',
    );
    expect(combination?.name).toBe(`lru-2-${combination?.id.slice(0, 8)}`);
  });

  it('are told apart where their values, joined, read the same', () => {
    const matrix = {
      parameters: [
        { name: 'A', values: ['x-y', 'x'] },
        { name: 'B', values: ['z', 'y-z'] },
      ],
    };
    const variants = expand({ variants: [], matrix });
    expect(names(variants)[0]).toBe('x-y-z');
    expect(new Set(names(variants))).toHaveProperty('size', 4);
  });

  it('are refused when two explicit ones would run the same thing', () => {
    const twins = [lru, { name: 'twin', parameters: { WORKERS: '4', CACHE: 'lru' } }];
    expect(() => expand({ variants: twins })).toThrow(
      new InvalidBatchTestError(
        ['spec', 'variants', 1],
        '"twin" has the same parameters as "today": they would run the same thing',
      ),
    );
  });

  it('are refused when every combination is excluded', () => {
    const matrix = { parameters: [{ name: 'A', values: ['x', 'y'] }], exclude: [{ A: 'x' }, { A: 'y' }] };
    expect(() => expand({ variants: [], matrix })).toThrow(
      /^spec\.matrix\.exclude: excludes every combination/,
    );
  });

  it('are refused when explicit ones have taken every name that a combination may have', () => {
    const matrix = { parameters: [{ name: 'A', values: ['x'] }] };
    const { id } = only({ variants: [], matrix });
    const thieves = (...taken: string[]) => ({
      matrix,
      variants: taken.map((name) => ({ name, parameters: { NAME: name } })),
    });
    expect(names(expand(thieves('x', `x-${id.slice(0, 8)}`))).at(-1)).toBe(`x-${id}`);
    expect(() => expand(thieves('x', `x-${id.slice(0, 8)}`, `x-${id}`))).toThrow(InvalidBatchTestError);
  });

  it('have unique names that the schema would accept, whatever their values', () => {
    const values = fc.uniqueArray(
      fc
        .oneof(fc.constantFrom(...AWKWARD), fc.string({ unit: 'grapheme', maxLength: 30 }))
        .filter((value) => !value.includes('\0')),
      { minLength: 1, maxLength: 4 },
    );
    fc.assert(
      fc.property(values, values, (a, b) => {
        const matrix = {
          parameters: [
            { name: 'A', values: a },
            { name: 'B', values: b },
          ],
        };
        const variants = expand({ variants: [], matrix });
        expect(variants).toHaveLength(a.length * b.length);
        expect(new Set(names(variants)).size).toBe(variants.length);
        // Throws when a name is not one that a user could have given.
        aBatchTest({ variants: variants.map(({ name, parameters }) => ({ name, parameters })) });
      }),
    );
  });

  it('may be 10,000', () => {
    const values = Array.from({ length: 100 }, (_, index) => String(index));
    const matrix = {
      parameters: [
        { name: 'A', values },
        { name: 'B', values },
      ],
    };
    const variants = expand({ variants: [], matrix });
    expect(new Set(variants.map(({ id }) => id)).size).toBe(10_000);
  });
});
