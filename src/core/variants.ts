import { createHash } from 'node:crypto';
import { Limits } from '../api/v1alpha1/constants.ts';
import type { BatchTestSpec, Comparison } from '../api/v1alpha1/schema.ts';
import { canonicalJson } from './canonical-json.ts';
import { InvalidBatchTestError } from './errors.ts';

/** One named set of parameters. */
export interface Variant {
  /**
   * 16 hexadecimal digits: a hash of what the variant runs, which is its parameters, the pod template and what it mounts. Neither its name nor
   * its place in the list is part of it, so that reordering or renaming variants changes no identity.
   */
  readonly id: string;
  readonly name: string;
  readonly parameters: Readonly<Record<string, string>>;
}

/**
 * The variants of a BatchTest: the explicit ones in their order, then the combinations of the matrix, the last parameter
 * varying fastest. A combination that an explicit variant already stands for keeps the explicit name and is listed once.
 * @throws InvalidBatchTestError when two explicit variants would run the same thing, when nothing is left to run, or when the baseline
 * is not among them.
 */
export function expandVariants(
  spec: Pick<BatchTestSpec, 'variants' | 'matrix' | 'template'> &
    Partial<Pick<BatchTestSpec, 'sharedData'>> & { readonly comparison?: Comparison },
): readonly Variant[] {
  const variants = new Map<string, Variant>();
  const identity = variantIdentity(spec);
  for (const [index, { name, parameters }] of (spec.variants ?? []).entries()) {
    const id = identity(parameters);
    const twin = variants.get(id);
    if (twin)
      throw new InvalidBatchTestError(
        ['spec', 'variants', index],
        `${JSON.stringify(name)} has the same parameters as ${JSON.stringify(twin.name)}: they would run the same thing`,
      );
    variants.set(id, { id, name, parameters });
  }
  const names = new Set([...variants.values()].map((variant) => variant.name));
  for (const parameters of matrixCombinations(spec.matrix)) {
    const id = identity(parameters);
    if (variants.has(id)) continue;
    const name = combinationName(parameters, id, names);
    names.add(name);
    variants.set(id, { id, name, parameters });
  }
  if (variants.size === 0)
    throw new InvalidBatchTestError(
      ['spec', 'matrix', 'exclude'],
      'excludes every combination: nothing is left to run',
    );
  refuseUnknownBaseline(spec.comparison?.baseline, names);
  return [...variants.values()];
}

/** Names of variants that a message lists. */
const NAMES_IN_MESSAGE = 10;

/** Names that come of a matrix are computed, so that no schema can know them. */
function refuseUnknownBaseline(baseline: string | undefined, names: ReadonlySet<string>): void {
  if (baseline === undefined || names.has(baseline)) return;
  const listed = [...names].slice(0, NAMES_IN_MESSAGE).map((name) => JSON.stringify(name));
  const more = names.size > listed.length ? ` and ${names.size - listed.length} more` : '';
  throw new InvalidBatchTestError(
    ['spec', 'comparison', 'baseline'],
    `${JSON.stringify(baseline)} is not a variant: there are ${listed.join(', ')}${more}`,
  );
}

function variantIdentity({
  template,
  sharedData,
}: Pick<BatchTestSpec, 'template'> & Partial<Pick<BatchTestSpec, 'sharedData'>>): (
  parameters: Variant['parameters'],
) => string {
  // The template is the same for all variants and may be large, so it is hashed once.
  const common = createHash('sha256').update(canonicalJson(template));
  if (sharedData !== undefined) common.update(canonicalJson(sharedData));
  const templateDigest = common.digest('hex');
  return (parameters) =>
    createHash('sha256').update(templateDigest).update(canonicalJson(parameters)).digest('hex').slice(0, 16);
}

function* matrixCombinations(matrix: BatchTestSpec['matrix']): Generator<Record<string, string>> {
  if (matrix === undefined) return;
  const { parameters, exclude } = matrix;
  const chosen = parameters.map(() => 0);
  for (;;) {
    const combination = Object.fromEntries(
      parameters.map(({ name, values }, position) => [name, values[chosen[position] ?? 0] ?? '']),
    );
    if (!exclude.some((exclusion) => matches(combination, exclusion))) yield combination;
    let position = parameters.length - 1;
    while (position >= 0 && (chosen[position] ?? 0) + 1 === parameters[position]?.values.length) {
      chosen[position] = 0;
      position -= 1;
    }
    if (position < 0) return;
    chosen[position] = (chosen[position] ?? 0) + 1;
  }
}

const matches = (combination: Record<string, string>, exclusion: Record<string, string>): boolean =>
  Object.entries(exclusion).every(([name, value]) => combination[name] === value);

/** What a variant's name may not hold, as in the schema: control and invisible characters. */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

/**
 * The values joined by `-`; when that is taken, too long or not printable, with the beginning of the identity behind it.
 * @throws InvalidBatchTestError when explicit variants have taken all of these names.
 */
function combinationName(parameters: Record<string, string>, id: string, taken: ReadonlySet<string>): string {
  const joined = Object.values(parameters).join('-');
  const printable = joined.replace(UNPRINTABLE, '_');
  const fits = printable === joined && joined.length > 0 && joined.length <= Limits.nameLength;
  const candidates = [
    fits ? joined : undefined,
    withTail(printable, id.slice(0, 8)),
    withTail(printable, id),
  ];
  const name = candidates.find((candidate) => candidate !== undefined && !taken.has(candidate));
  if (name === undefined)
    throw new InvalidBatchTestError(
      ['spec', 'variants'],
      `have taken the names ${candidates.slice(-2).join(' and ')}, one of which a combination of the matrix needs`,
    );
  return name;
}

/** Cut between characters, never within one. */
const withTail = (text: string, tail: string): string =>
  `${[...text].slice(0, Limits.nameLength - tail.length - 1).join('')}-${tail}`;
