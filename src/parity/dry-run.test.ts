import { expect, it } from 'vitest';
import { aBatchTest } from '../../test/builders/batch-test.ts';
import { unsupportedLocally } from '../engine/local/unsupported-locally.ts';
import { dryRun } from './dry-run.ts';

const container = {
  name: 'test',
  image: 'bench:1',
  command: ['bench', '--corpus=$(BATCHTEST_SHARED_DATA_CORPUS)'],
};
const corpus = { name: 'corpus', mountPath: '/data', configMap: { name: 'corpus' } };

it('tells everything that the local engine does not support, wherever it is', () => {
  const manifest = aBatchTest({
    template: {
      spec: {
        nodeSelector: { disk: 'ssd' },
        containers: [
          { ...container, args: ['/data/book'], envFrom: [{ secretRef: { name: 's' } }] },
          { name: 'sidecar' },
        ],
      },
    },
    spec: {
      suspend: true,
      ttlSecondsAfterFinished: 1,
      sharedData: [
        corpus,
        { ...corpus, name: 'more', mountPath: '/more' },
        { ...corpus, name: 'third', mountPath: '/data/book', local: 'x' },
      ],
    },
  });
  const { fields } = dryRun(manifest);
  for (const { field, problem } of unsupportedLocally(manifest))
    expect(fields).toContainEqual(expect.objectContaining({ field, note: problem }));
});

it('finds that a program which takes shared data by its variables is told the same', () => {
  const manifest = aBatchTest({
    template: { spec: { containers: [container] } },
    spec: { sharedData: [{ ...corpus, local: 'books' }], results: { push: true } },
  });
  expect(dryRun(manifest)).toMatchObject({ verdict: 'Same', program: [] });
});
