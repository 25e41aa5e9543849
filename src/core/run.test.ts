import { expect, it } from 'vitest';
import { aBatchTest } from '../../test/builders/batch-test.ts';
import { aRun } from '../../test/builders/run.ts';
import { InvalidBatchTestError } from './errors.ts';
import { defineRun, runAsBegun } from './run.ts';

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

it('is the same when it is told from what is stored of it', () => {
  const manifest = aBatchTest({ variants: 3, matrix, repetitions: 4 });
  const run = defineRun(manifest, { uid: '6f1c8a52-0000-4000-8000-000000000001', engine: 'kubernetes' });
  expect(runAsBegun(run, undefined)).toEqual(run);
  const stopped = run.variants.map((variant) => ({ ...variant, stoppedAtLook: 1 }));
  expect(runAsBegun({ ...run, variants: stopped }, undefined)).toEqual(run);
});
