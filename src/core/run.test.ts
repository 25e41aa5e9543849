import { expect, it } from 'vitest';
import { aBatchTest } from '../../test/builders/batch-test.ts';
import { aRun } from '../../test/builders/run.ts';
import { InvalidBatchTestError } from './errors.ts';
import { defineRun, runAsBegun, runGoingOn } from './run.ts';

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

it('goes on as it was begun, whatever the order of the lists of its object, and with what may be changed as it is now', () => {
  const uid = '6f1c8a52-0000-4000-8000-000000000001';
  const parameters = [...matrix.parameters, { name: 'SIZE', values: ['1', '2'] }];
  const env = [
    { name: 'A', value: '1' },
    { name: 'B', value: '2' },
  ];
  const aManifest = (order: <T>(list: readonly T[]) => T[], spec: object) =>
    aBatchTest({
      variants: 3,
      matrix: { parameters: order(parameters) },
      template: { spec: { containers: [{ name: 'test', image: 'test:1', env: order(env) }] } },
      spec,
    });
  const begun = defineRun(
    aManifest((list) => [...list], { parallelism: 1 }),
    { uid, engine: 'kubernetes' },
  );
  const described = defineRun(
    aManifest((list) => list.toReversed(), { parallelism: 7, local: { command: ['now'], args: [] } }),
    { uid, engine: 'kubernetes' },
  );
  const ids = (run: typeof begun) => run.variants.map(({ id, name }) => `${id} ${name}`);
  expect(ids(described)).not.toEqual(ids(begun));
  const goingOn = runGoingOn(described, begun);
  const { parallelism, local } = described.manifest.spec;
  expect(goingOn).toEqual({
    ...begun,
    manifest: { ...begun.manifest, spec: { ...begun.manifest.spec, parallelism, local } },
  });
  // What an earlier version has stored lacks what it did not know.
  const { results: _, ...earlier } = begun.manifest.spec;
  const stored = { ...begun.manifest, spec: earlier } as typeof begun.manifest;
  expect(runGoingOn(described, { ...begun, manifest: stored })).toEqual(goingOn);
});
