import * as z from 'zod';
import type { CelRule, StructuralSchema } from './structural-schema.ts';

type JsonSchema = z.core.JSONSchema.BaseSchema;

const MAX_INT32 = 2 ** 31 - 1;

/** Keywords that mean the same in a CRD. */
const SAME_IN_A_CRD = [
  'description',
  'default',
  'enum',
  'pattern',
  'format',
  'minLength',
  'maxLength',
  'minItems',
  'maxItems',
  'minProperties',
  'maxProperties',
  'required',
  'x-kubernetes-list-type',
  'x-kubernetes-list-map-keys',
  'x-kubernetes-map-type',
  'x-kubernetes-preserve-unknown-fields',
] as const satisfies readonly (keyof StructuralSchema)[];

/** Keywords that are translated below, or that a CRD neither needs nor allows. */
const HANDLED_KEYWORDS: ReadonlySet<string> = new Set([
  ...SAME_IN_A_CRD,
  'type',
  'properties',
  'additionalProperties',
  'items',
  'anyOf',
  'minimum',
  'maximum',
  'x-kubernetes-int-or-string',
  'x-kubernetes-validations',
  '$schema',
  'propertyNames',
]);

/**
 * The structural schema of what a zod schema accepts as input. Refinements are not in it: each is written as CEL in the
 * schema's metadata as well. Throws when the zod schema says something that a CRD cannot.
 */
export function structuralFromZod(schema: z.ZodType): StructuralSchema {
  return structural(z.toJSONSchema(schema, { target: 'openapi-3.0', io: 'input', unrepresentable: 'any' }));
}

function structural(schema: JsonSchema): StructuralSchema {
  const unknown = Object.keys(schema).filter((keyword) => !HANDLED_KEYWORDS.has(keyword));
  if (unknown.length > 0)
    throw new Error(`a CRD has no equivalent of ${unknown.join(', ')} in ${excerpt(schema)}`);
  const same: StructuralSchema = Object.fromEntries(
    SAME_IN_A_CRD.flatMap((keyword) => (schema[keyword] === undefined ? [] : [[keyword, schema[keyword]]])),
  );
  return { ...same, ...typeOf(schema), ...children(schema), ...celRules(schema) };
}

function typeOf(schema: JsonSchema): StructuralSchema {
  if (schema['x-kubernetes-int-or-string'] === true) {
    const text = (schema.anyOf ?? []).find((option) => option.type === 'string');
    return {
      'x-kubernetes-int-or-string': true,
      ...(text?.pattern !== undefined && { pattern: text.pattern }),
      ...(text?.maxLength !== undefined && { maxLength: text.maxLength }),
    };
  }
  switch (schema.type) {
    case 'integer':
      return integer(schema);
    case 'object':
    case 'array':
    case 'string':
    case 'boolean':
      return { type: schema.type };
    default:
      throw new Error(`a CRD cannot express the type of ${excerpt(schema)}`);
  }
}

// zod bounds an integer by what a JavaScript number can hold; Kubernetes says the same with a format.
function integer({ minimum, maximum, format }: JsonSchema): StructuralSchema {
  return {
    type: 'integer',
    format: format ?? (maximum !== undefined && maximum <= MAX_INT32 ? 'int32' : 'int64'),
    ...(minimum !== undefined && minimum !== Number.MIN_SAFE_INTEGER && { minimum }),
    ...(maximum !== undefined && maximum !== Number.MAX_SAFE_INTEGER && { maximum }),
  };
}

function children({ properties, additionalProperties, items }: JsonSchema): StructuralSchema {
  return {
    ...(properties && {
      properties: Object.fromEntries(
        Object.entries(properties).map(([name, property]) => [name, structural(subschema(property))]),
      ),
    }),
    // An object with fields refuses others by pruning; the two keywords exclude each other in a CRD.
    ...(typeof additionalProperties === 'object' &&
      properties === undefined && { additionalProperties: structural(additionalProperties) }),
    ...(items && { items: structural(subschema(items)) }),
  };
}

function subschema(schema: boolean | JsonSchema | readonly (boolean | JsonSchema)[]): JsonSchema {
  if (typeof schema === 'boolean' || 'length' in schema)
    throw new Error(`not one schema: ${excerpt(schema)}`);
  return schema;
}

const celRuleSchema: z.ZodType<CelRule[]> = z.array(
  z.strictObject({
    rule: z.string(),
    message: z.string(),
    messageExpression: z.string().exactOptional(),
    reason: z.enum(['FieldValueInvalid', 'FieldValueForbidden', 'FieldValueDuplicate']).exactOptional(),
    fieldPath: z.string().exactOptional(),
  }),
);

function celRules(schema: JsonSchema): StructuralSchema {
  const rules = schema['x-kubernetes-validations'];
  return rules === undefined ? {} : { 'x-kubernetes-validations': celRuleSchema.parse(rules) };
}

function excerpt(value: unknown): string {
  return JSON.stringify(value).slice(0, 200);
}
