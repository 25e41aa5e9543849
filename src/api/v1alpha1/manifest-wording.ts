/** What a person reads about a mistake in a manifest: one function per kind of mistake. */
import type * as z from 'zod';
import { quoted } from './manifest-problem.ts';
import { closestName } from './spelling.ts';
import type { StructuralSchema } from './structural-schema.ts';

/** Marks an issue that no schema gave a text of its own. */
export const UNWORDED = 'unworded';

/** The value at the place of a problem, and how the file spells it when it is a scalar. */
export interface FoundValue {
  readonly value: unknown;
  readonly spelling?: string | undefined;
}

export const emptyFile = 'is empty; expected a BatchTest';
export const tooLarge = (limitMiB: number): string =>
  `is larger than ${limitMiB} MiB, which no API server accepts`;
export const nestedTooDeeply = (limit: number): string => `is nested more than ${limit} levels deep`;
export const severalDocuments = (count: number): string =>
  `there are ${count} documents in this file; expected one BatchTest per file`;
export const tabIndentation = 'a tab is used for indentation; YAML allows only spaces';
export const repeatedField = (name: string): string => `${quoted(name)} is given twice`;
export const invalidYaml = (detail: string): string => `invalid YAML: ${detail}`;
export const tooManyAliases = (limit: number): string => `has more than ${limit} aliases`;
export const tooLargeWithAliases = (limitMiB: number): string =>
  `comes to more than ${limitMiB} MiB with its aliases filled in, which no API server accepts`;
export const aliasWithoutAnchor = (name: string): string =>
  `the alias *${name} has no anchor &${name} before it`;
export const aliasWithinItself = (name: string): string =>
  `the alias *${name} is within what it stands for, which would have no end`;
export const collectionAsName = 'the name of a field is text, not a list or an object';
export const nothingToMerge = '<< merges objects: expected an object, a list of objects, or an alias of them';
export const heldByItself = 'is an object or a list that holds itself, which would have no end';
export const forbiddenName = (name: string): string => `${quoted(name)} is not allowed as a name`;
export const notAnObject = (found: FoundValue): string =>
  `expected a BatchTest with apiVersion, kind, metadata and spec, got ${describe(found)}`;
export const readDifferentlyByKubectl = (word: string): string =>
  `without quotes, kubectl does not read ${word} as text (it follows YAML 1.1); write ${quoted(word)} in quotes`;

export const octalForKubectl = (digits: string): string =>
  `kubectl reads ${digits} as an octal number (it follows YAML 1.1); write it without leading zeros, or as text in quotes`;

/** `siblings`: the fields that there are at this place. */
export function unknownField(name: string, siblings: readonly string[]): string {
  const meant = closestName(name, siblings);
  if (meant !== undefined) return `unknown field; did you mean ${quoted(meant)}?`;
  return siblings.length > 0 && siblings.length <= 12
    ? `unknown field; expected one of ${siblings.join(', ')}`
    : 'unknown field';
}

/** What is wrong, what was expected and what was found, for any issue but an unknown field. */
export function wrongValue(issue: z.core.$ZodIssue, found: FoundValue, schema: StructuralSchema): string {
  if (issue.code === 'invalid_key') return issue.issues[0]?.message ?? 'invalid name';
  if (issue.code === 'custom') return issue.message;
  if (found.value === undefined) return missing(schema);
  const isSizeWrong = issue.code === 'too_big' || issue.code === 'too_small';
  const expected =
    issue.message === UNWORDED ? `expected ${expectation(schema, isSizeWrong)}` : issue.message;
  if (schema.type === 'string' || schema['x-kubernetes-int-or-string']) {
    const spelling = unquotedSpelling(found);
    if (spelling !== undefined)
      return `${expected}, got the ${typeof found.value} ${spelling}; write ${quoted(spelling)} in quotes`;
  }
  return `${expected}, got ${isSizeWrong ? describeSize(found) : describe(found)}`;
}

function missing(schema: StructuralSchema): string {
  const [only, ...others] = schema.enum ?? [];
  return typeof only === 'string' && others.length === 0
    ? `required, but missing; write ${quoted(only)}`
    : 'required, but missing';
}

/** How the file spells a number or boolean that should have been a string. */
function unquotedSpelling({ value, spelling }: FoundValue): string | undefined {
  return typeof value === 'number' || typeof value === 'boolean' ? (spelling ?? String(value)) : undefined;
}

/** `withSize`: say how long a string or a list may be, too; not worth the words when it is neither. */
function expectation(schema: StructuralSchema, withSize: boolean): string {
  if (schema.enum !== undefined) return schema.enum.map((value) => quoted(String(value))).join(' or ');
  if (schema['x-kubernetes-int-or-string'])
    return schema.pattern === undefined ? 'a string or an integer' : 'a quantity like "500m", "1.5" or "2Gi"';
  switch (schema.type) {
    case 'integer':
      return `an integer${numberRange(schema.minimum, schema.maximum)}`;
    case 'number':
      return 'a number';
    case 'boolean':
      return 'true or false';
    case 'string':
      return `a string${withSize ? sizeRange(schema.minLength, schema.maxLength, 'character') : ''}`;
    case 'array':
      return `a list${withSize ? sizeRange(schema.minItems, schema.maxItems, 'entry') : ''}`;
    case 'object':
      return `an object${withSize ? sizeRange(schema.minProperties, schema.maxProperties, 'entry') : ''}`;
    default:
      return 'another value';
  }
}

function numberRange(min: number | undefined, max: number | undefined): string {
  if (min !== undefined && max !== undefined) return ` from ${min} to ${max}`;
  if (min !== undefined) return ` >= ${min}`;
  return max === undefined ? '' : ` <= ${max}`;
}

type SizeUnit = 'character' | 'entry';

function sizeRange(min: number | undefined, max: number | undefined, unit: SizeUnit): string {
  if (min !== undefined && max !== undefined) return ` of ${min} to ${count(max, unit)}`;
  if (min !== undefined) return ` of at least ${count(min, unit)}`;
  return max === undefined ? '' : ` of at most ${count(max, unit)}`;
}

function count(number: number, unit: SizeUnit): string {
  if (number === 1) return `1 ${unit}`;
  return `${number} ${unit === 'entry' ? 'entries' : 'characters'}`;
}

function describe({ value, spelling }: FoundValue): string {
  if (value === null) return 'nothing (null)';
  if (typeof value === 'string') return quoted(value);
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'a list';
  if (typeof value === 'object') return 'an object';
  return spelling ?? String(value);
}

function describeSize(found: FoundValue): string {
  const { value } = found;
  if (typeof value === 'string' && value !== '') return count([...value].length, 'character');
  if (Array.isArray(value) && value.length > 0) return count(value.length, 'entry');
  if (typeof value === 'object' && value !== null) return count(Object.keys(value).length, 'entry');
  return describe(found);
}
