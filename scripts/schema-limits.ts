import type { CelRule, StructuralSchema } from '../src/api/v1alpha1/structural-schema.ts';

/** What a value must keep, as sentences. */
export function limitsOf(schema: StructuralSchema): readonly string[] {
  const { enum: words, pattern, items, additionalProperties } = schema;
  const listKeys = schema['x-kubernetes-list-map-keys'];
  return [
    ...(words === undefined ? [] : [`${words.map((word) => `\`${word}\``).join(', ')}.`]),
    ...range(schema.minimum, schema.maximum, ''),
    ...range(schema.minLength, schema.maxLength, ' characters'),
    ...range(schema.minItems ?? schema.minProperties, schema.maxItems ?? schema.maxProperties, ' entries'),
    ...(listKeys === undefined ? [] : [`No \`${listKeys.join('` and `')}\` twice.`]),
    ...(schema['x-kubernetes-list-type'] === 'set' ? ['No value twice.'] : []),
    ...(pattern === undefined ? [] : [`Pattern: \`${pattern}\`.`]),
    ...ownRules(schema).map(ruleText),
    ...each(items),
    ...each(additionalProperties),
  ];
}

/** Rules about the value itself, not about one of its fields. */
export const ownRules = (schema: StructuralSchema): readonly CelRule[] =>
  (schema['x-kubernetes-validations'] ?? []).filter(({ fieldPath }) => fieldPath === undefined);

export const ruleText = ({ message }: CelRule): string => `Rule: ${message}.`;

function each(schema: StructuralSchema | undefined): readonly string[] {
  const limits = schema === undefined ? [] : limitsOf(schema);
  return limits.length === 0 ? [] : [`Each: ${limits.join(' ')}`];
}

function range(least: number | undefined, most: number | undefined, unit: string): readonly string[] {
  if (least === undefined && most === undefined) return [];
  if (most === undefined) return [unit !== '' && least === 1 ? 'Not empty.' : `At least ${least}${unit}.`];
  if (least === undefined || (least === 0 && unit !== '')) return [`At most ${most}${unit}.`];
  return [`${least} to ${most}${unit}.`];
}
