import type { BatchTestSpec } from '../api/v1alpha1/schema.ts';
import { InvalidBatchTestError } from './errors.ts';

/**
 * Results are taken over from a run with the same template, which says little when it names an image by a tag that moves. Only for a cluster: locally
 * no image is run.
 * @throws InvalidBatchTestError when `spec.reusePolicy` is Succeeded and an image has no tag, or `latest`
 */
export function refuseFloatingImages({ reusePolicy, template }: BatchTestSpec): void {
  if (reusePolicy !== 'Succeeded') return;
  for (const [index, { image = '' }] of template.spec.containers.entries())
    if (isFloating(image))
      throw new InvalidBatchTestError(
        ['spec', 'template', 'spec', 'containers', index, 'image'],
        `${JSON.stringify(image)} has no tag, or latest, so it may be another image than that of an earlier run: spec.reusePolicy Succeeded needs a version or a digest`,
      );
}

const isFloating = (image: string): boolean => !/@|:[^/]*$/.test(image) || /:latest$/.test(image);
