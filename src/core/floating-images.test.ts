import { describe, expect, it } from 'vitest';
import { aTemplate } from '../../test/builders/batch-test.ts';
import { aRun } from '../../test/builders/run.ts';
import { defineRun } from './run.ts';

const { manifest } = aRun();
const define = (image: string, reusePolicy: 'Never' | 'Succeeded', engine: 'local' | 'kubernetes') =>
  defineRun(
    { ...manifest, spec: { ...manifest.spec, reusePolicy, template: aTemplate(image) } },
    { uid: 'a', engine },
  );

describe('a run that takes over results', () => {
  it.each(['bench', 'bench:latest', 'registry:5000/bench', 'registry:5000/bench:latest'])(
    'is refused when its image may have changed since: %s',
    (image) => {
      expect(() => define(image, 'Succeeded', 'kubernetes')).toThrow(
        /containers\[0\]\.image: .*version or a digest/,
      );
      expect(() => define(image, 'Never', 'kubernetes')).not.toThrow();
      expect(() => define(image, 'Succeeded', 'local')).not.toThrow();
    },
  );

  it.each(['bench:1.4.2', 'registry:5000/bench:1', `bench@sha256:${'0'.repeat(64)}`])(
    'is taken when its image is named for good: %s',
    (image) => {
      expect(() => define(image, 'Succeeded', 'kubernetes')).not.toThrow();
    },
  );
});
