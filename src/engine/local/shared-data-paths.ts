import { resolve } from 'node:path';
import type { BatchTest } from '../../api/v1alpha1/schema.ts';

/** Where the entries of `spec.sharedData` are on this machine, by name; those without `local` are not among them. */
export const sharedDataPaths = (
  { spec }: BatchTest,
  manifestDirectory: string,
): ReadonlyMap<string, string> =>
  new Map(
    (spec.sharedData ?? []).flatMap(({ name, local }) =>
      local === undefined ? [] : [[name, resolve(manifestDirectory, local)] as const],
    ),
  );
