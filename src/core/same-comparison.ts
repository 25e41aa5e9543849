import { type BatchTest, IMMUTABLE_FIELDS } from '../api/v1alpha1/schema.ts';
import { canonicalJson } from './canonical-json.ts';

/** The fields in which two BatchTests differ that keep a local run of the one from going on with the other; none when it can. */
export const changedComparison = (before: BatchTest, after: BatchTest): readonly string[] => [
  // The run keeps its name, by which its workflow and its attempts are named as well.
  ...(before.metadata.name === after.metadata.name ? [] : ['metadata.name']),
  ...IMMUTABLE_FIELDS.filter((field) => textOf(before.spec[field]) !== textOf(after.spec[field])).map(
    (field) => `spec.${field}`,
  ),
  ...(textOf(programOf(before)) === textOf(programOf(after)) ? [] : ['spec.local']),
];

/** What is run locally: that may change in a cluster, which ignores it. Where it is run may be another place now, as the manifest may. */
function programOf({ spec: { local } }: BatchTest): unknown {
  if (local === undefined) return undefined;
  const { workingDir: _, ...program } = local;
  return program;
}

const textOf = (value: unknown): string => (value === undefined ? '' : canonicalJson(value));
