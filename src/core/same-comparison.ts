import { type BatchTest, IMMUTABLE_FIELDS } from '../api/v1alpha1/schema.ts';
import { canonicalJson } from './canonical-json.ts';

/** `local` may change in a cluster, which ignores it; locally it is what is run. */
const FIELDS = [...IMMUTABLE_FIELDS, 'local'] as const;

/** The fields in which two BatchTests differ that keep a local run of the one from going on with the other; none when it can. */
export const changedComparison = (before: BatchTest, after: BatchTest): readonly string[] => [
  // The run keeps its name, by which its workflow and its attempts are named as well.
  ...(before.metadata.name === after.metadata.name ? [] : ['metadata.name']),
  ...FIELDS.filter((field) => textOf(before.spec[field]) !== textOf(after.spec[field])).map(
    (field) => `spec.${field}`,
  ),
];

const textOf = (value: unknown): string => (value === undefined ? '' : canonicalJson(value));
