import { expect, it } from 'vitest';
import { aRun } from '../../test/builders/run.ts';
import { InvalidBatchTestError } from './errors.ts';

const matrix = { parameters: [{ name: 'CACHE', values: ['lru', 'arc'] }] };

it('may compare with a variant that the matrix makes', () => {
  const spec = { comparison: { baseline: 'lru' } };
  expect(aRun({ variants: [], matrix, spec }).manifest.spec.comparison.baseline).toBe('lru');
});

it('refuses a baseline that is no variant, and says which there are', () => {
  const define = () => aRun({ variants: 1, matrix, spec: { comparison: { baseline: 'none' } } });
  expect(define).toThrow(InvalidBatchTestError);
  expect(define).toThrow('spec.comparison.baseline: "none" is not a variant: there are "a", "lru", "arc"');
  const many = () => aRun({ variants: 12, spec: { comparison: { baseline: 'x' } } });
  expect(many).toThrow('"j" and 2 more');
});
