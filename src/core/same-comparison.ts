import { type BatchTest, IMMUTABLE_FIELDS } from '../api/v1alpha1/schema.ts';
import { canonicalJson } from './canonical-json.ts';

/** The fields that may not change while a run is under way and in which two BatchTests differ; none when one can go on with the other's run. */
export const changedComparison = (before: BatchTest, after: BatchTest): readonly string[] =>
  IMMUTABLE_FIELDS.filter((field) => textOf(before.spec[field]) !== textOf(after.spec[field])).map(
    (field) => `spec.${field}`,
  );

const textOf = (value: unknown): string => (value === undefined ? '' : canonicalJson(value));
