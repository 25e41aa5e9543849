import { LineCounter } from 'yaml';
import type * as z from 'zod';
import { API_VERSION, KIND } from './constants.ts';
import { batchTestStructuralSchema } from './crd.ts';
import { readDocument, type TextProblem } from './manifest-document.ts';
import { formatPath, type ManifestProblem } from './manifest-problem.ts';
import * as wording from './manifest-wording.ts';
import { type BatchTest, batchTestSchema, objectMetaSchema, type PodTemplate } from './schema.ts';
import { type BatchTestStatus, batchTestStatusSchema, type Condition, conditionSchema } from './status.ts';
import type { StructuralSchema } from './structural-schema.ts';
import { structuralFromZod } from './zod-to-structural.ts';

export { formatProblem, type ManifestProblem } from './manifest-problem.ts';

export type ManifestResult =
  | { readonly ok: true; readonly batchTest: BatchTest }
  | { readonly ok: false; readonly problems: readonly ManifestProblem[] };

/** `ignoredFields`: where the fields were that were left out, such as `spec.comparison.later`. */
export type ServedManifestResult =
  | { readonly ok: true; readonly batchTest: BatchTest; readonly ignoredFields: readonly string[] }
  | Extract<ManifestResult, { readonly ok: false }>;

/**
 * Reads and validates a manifest: one BatchTest in YAML or JSON. A manifest that is refused has at least one problem;
 * they come in the order of the text. `sourceName` is the file's name, for the problems. Never throws for a user's mistake.
 */
export function parseManifest(text: string, sourceName: string): ManifestResult {
  const lines = new LineCounter();
  const refused = (problems: readonly TextProblem[]): ManifestResult => ({
    ok: false,
    problems: [...problems]
      .sort((a, b) => a.offset - b.offset)
      .map((problem) => placed(problem, lines, sourceName)),
  });

  const read = readDocument(text, lines);
  if (!read.ok) return refused(read.problems);
  const { document } = read;
  const result = validate(document.value, (path) => document.placeOf(path).spelling);
  if (result.ok) return result;
  return refused(
    result.problems.map(({ path, message, atName }) => {
      const { offset } = atName ? document.placeOfName(path) : document.placeOf(path);
      return { path, message, offset };
    }),
  );
}

/**
 * A mistake that only a closer look finds, in a manifest that was read from this text: with its place there.
 * @param path of the field that is wrong
 */
export function problemInManifest(
  text: string,
  sourceName: string,
  { path, message }: { readonly path: readonly PropertyKey[]; readonly message: string },
): ManifestProblem {
  const lines = new LineCounter();
  const read = readDocument(text, lines);
  const offset = read.ok ? read.document.placeOf(path).offset : 0;
  return placed({ offset, path, message }, lines, sourceName);
}

function placed({ offset, path, message }: TextProblem, lines: LineCounter, source: string): ManifestProblem {
  const { line, col } = lines.linePos(offset);
  return { source, line, column: col, path: formatPath(path), message };
}

/** Validates a manifest that is an object already; as `parseManifest`, but its problems have no line. */
export function validateManifest(manifest: unknown, sourceName: string): ManifestResult {
  const endless = pathToItself(manifest);
  const result: Validation =
    endless === undefined
      ? validate(manifest, () => undefined)
      : { ok: false, problems: [{ path: endless, message: wording.heldByItself }] };
  if (result.ok) return result;
  const problems = result.problems.map(({ path, message }) => ({
    source: sourceName,
    line: undefined,
    column: undefined,
    path: formatPath(path),
    message,
  }));
  return { ok: false, problems };
}

/** What variants come of, beside the template: without a part of it they would be others, or run something else than those of the version that knows it. */
const KNOWN_AS_A_WHOLE = ['variants', 'matrix', 'sharedData'] as const;

/**
 * Validates the manifest of an object that an API server has. Its resource may be that of a later version, whose defaults are in the object though nobody asked
 * for them: fields of the spec that this version does not know are left out, as API clients do. Those of the pod template stay, because a variant's identity
 * hashes it, and whether they mean something is for the API server to say, which gets the pod. With one in anything else that variants come of the manifest is
 * refused. See docs/decisions/0026-fields-of-a-later-version.md.
 */
export function validateServedManifest(
  manifest: Readonly<Record<string, unknown>>,
  sourceName: string,
): ServedManifestResult {
  const unknown: (readonly PropertyKey[])[] = [];
  const spec = withoutUnknownFields(manifest.spec, servedSpecSchema(), ['spec'], unknown);
  const result = validateManifest({ ...manifest, spec }, sourceName);
  if (!result.ok) return result;
  const ignored = unknown.filter(([, field]) => field !== 'template');
  return {
    ok: true,
    batchTest:
      ignored.length === unknown.length ? result.batchTest : withTemplateOf(manifest, result.batchTest),
    ignoredFields: ignored.map(formatPath),
  };
}

/**
 * A status as an API server has it, without the fields, values and conditions that only a later version knows; undefined when there is none. One of them must
 * not hide the rest: a run whose end cannot be read would be begun again.
 */
export function servedStatus(status: unknown): BatchTestStatus | undefined {
  const known = withoutUnknownFields(status, manifestSchema().properties?.status, ['status'], []);
  if (!isObject(known)) return undefined;
  const fields: Readonly<Record<string, z.ZodType>> = batchTestStatusSchema.shape;
  const readable = Object.entries(known).filter(([name, value]) => fields[name]?.safeParse(value).success);
  const conditions = Array.isArray(known.conditions) ? known.conditions.filter(isCondition) : [];
  return { ...Object.fromEntries(readable), ...(conditions.length === 0 ? {} : { conditions }) };
}

const isCondition = (value: unknown): value is Condition => conditionSchema.safeParse(value).success;

/** The schema by which fields of a spec are left out: any is left where all have to be known, for the validation to refuse. */
function servedSpecSchema(): StructuralSchema {
  const spec = manifestSchema().properties?.spec;
  const left = KNOWN_AS_A_WHOLE.map((field): [string, StructuralSchema] => [field, {}]);
  return { ...spec, properties: { ...spec?.properties, ...Object.fromEntries(left) } };
}

function withTemplateOf(manifest: unknown, { spec, ...batchTest }: BatchTest): BatchTest {
  const served = withoutEmptyFields(manifest, manifestSchema());
  // What was validated, with fields that this version does not know.
  const template = valueAt(served, ['spec', 'template']) as PodTemplate;
  return { ...batchTest, spec: { ...spec, template } };
}

/** A problem is at the value of a field, or at its name when that is what is wrong. */
interface FieldProblem {
  readonly path: readonly PropertyKey[];
  readonly message: string;
  readonly atName?: boolean;
}

type Validation =
  | { readonly ok: true; readonly batchTest: BatchTest }
  | { readonly ok: false; readonly problems: readonly FieldProblem[] };

/** `spellingOf` tells how the source spells the scalar at a path. */
function validate(
  manifest: unknown,
  spellingOf: (path: readonly PropertyKey[]) => string | undefined,
): Validation {
  const schema = manifestSchema();
  const value = withoutEmptyFields(manifest, schema);
  const foundAt = (path: readonly PropertyKey[]): wording.FoundValue => ({
    value: valueAt(value, path),
    spelling: spellingOf(path),
  });
  if (!isObject(value))
    return { ok: false, problems: [{ path: [], message: wording.notAnObject(foundAt([])) }] };

  const result = batchTestSchema.safeParse(value, { error: () => wording.UNWORDED });
  if (result.success) return { ok: true, batchTest: result.data };
  const { issues } = result.error;
  // In an object of another kind every further field would be unknown.
  const anotherKind = issues.filter(({ path }) => path[0] === 'kind' && Object.hasOwn(value, 'kind'));
  return {
    ok: false,
    problems: distinct(
      (anotherKind.length > 0 ? anotherKind : issues).flatMap((issue) => problemsOf(issue, schema, foundAt)),
    ),
  };
}

/** Without what is said of the same field twice: a number that is too large for its field is too large for an integer as well. */
function distinct(problems: readonly FieldProblem[]): readonly FieldProblem[] {
  const bySaying = new Map(
    problems.map((problem) => [`${formatPath(problem.path)}: ${problem.message}`, problem]),
  );
  return [...bySaying.values()];
}

function problemsOf(
  issue: z.core.$ZodIssue,
  schema: StructuralSchema,
  foundAt: (path: readonly PropertyKey[]) => wording.FoundValue,
): FieldProblem[] {
  const place = schemaAt(schema, issue.path);
  if (issue.code === 'unrecognized_keys')
    return issue.keys.map((key) => ({
      path: [...issue.path, key],
      message: wording.unknownField(key, Object.keys(place.properties ?? {})),
      atName: true,
    }));
  const message = wording.wrongValue(issue, foundAt(issue.path), place);
  return [{ path: issue.path, message, atName: issue.code === 'invalid_key' }];
}

let cachedManifestSchema: StructuralSchema | undefined;

/** The structural schema of a manifest: the CRD's, and what the API server itself requires of the rest. */
function manifestSchema(): StructuralSchema {
  cachedManifestSchema ??= withManifestHeader(batchTestStructuralSchema());
  return cachedManifestSchema;
}

function withManifestHeader(schema: StructuralSchema): StructuralSchema {
  return {
    ...schema,
    properties: {
      ...schema.properties,
      apiVersion: { type: 'string', enum: [API_VERSION] },
      kind: { type: 'string', enum: [KIND] },
      metadata: structuralFromZod(objectMetaSchema),
    },
  };
}

/**
 * The value without fields that hold nothing (`args:` and no more), as the API server drops them. In a map of free names an
 * empty entry stays, and is refused: the API server would silently lose a parameter.
 */
function withoutEmptyFields(value: unknown, schema: StructuralSchema | undefined): unknown {
  if (Array.isArray(value)) return value.map((entry) => withoutEmptyFields(entry, schema?.items));
  if (!isObject(value)) return value;
  const fields = Object.entries(value).flatMap(([name, field]): [string, unknown][] => {
    const property = schema?.properties?.[name];
    if (field === null && property !== undefined) return [];
    return [[name, withoutEmptyFields(field, property ?? schema?.additionalProperties)]];
  });
  return Object.fromEntries(fields);
}

/**
 * The value without the fields that its schema does not have. What is no object where there should be one is left to whoever validates it.
 * @param path where the value is
 * @param unknown gets the paths of the fields that were left out
 */
function withoutUnknownFields(
  value: unknown,
  schema: StructuralSchema | undefined,
  path: readonly PropertyKey[],
  unknown: (readonly PropertyKey[])[],
): unknown {
  if (Array.isArray(value))
    return value.map((entry, index) => withoutUnknownFields(entry, schema?.items, [...path, index], unknown));
  if (!isObject(value)) return value;
  const { properties, additionalProperties } = schema ?? {};
  const fields = Object.entries(value).flatMap(([name, field]): [string, unknown][] => {
    const fieldPath = [...path, name];
    if (properties === undefined)
      return [[name, withoutUnknownFields(field, additionalProperties, fieldPath, unknown)]];
    if (Object.hasOwn(properties, name))
      return [[name, withoutUnknownFields(field, properties[name], fieldPath, unknown)]];
    unknown.push(fieldPath);
    return [];
  });
  return Object.fromEntries(fields);
}

/** The path to the first object or list that is among its own holders. An object of a program may have one; text that had one was refused by its aliases. */
function pathToItself(value: unknown, holders: ReadonlySet<unknown> = new Set()): PropertyKey[] | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  if (holders.has(value)) return [];
  const among = new Set([...holders, value]);
  for (const [name, field] of Object.entries(value)) {
    const rest = pathToItself(field, among);
    if (rest !== undefined) return [Array.isArray(value) ? Number(name) : name, ...rest];
  }
  return undefined;
}

function schemaAt(schema: StructuralSchema, path: readonly PropertyKey[]): StructuralSchema {
  return path.reduce<StructuralSchema>(
    (place, part) =>
      (typeof part === 'number' ? place.items : place.properties?.[String(part)]) ??
      place.additionalProperties ??
      {},
    schema,
  );
}

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>((holder, part) => {
    if (Array.isArray(holder)) return holder[Number(part)];
    return isObject(holder) && Object.hasOwn(holder, part) ? holder[String(part)] : undefined;
  }, value);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
