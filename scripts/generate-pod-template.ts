/**
 * Inlines core/v1 PodTemplateSpec, as an API server publishes it, into the structural schema that a CRD needs.
 *
 *     kubectl get --raw /openapi/v3/api/v1 > core-v1.json
 *     tsx scripts/generate-pod-template.ts core-v1.json
 *
 * (The copy in the Kubernetes repository, api/openapi-spec/v3/api__v1_openapi.json, lacks the enumerations.)
 * test/integration/crd.test.ts compares the committed file with the API server that the tests run.
 *
 * What differs from the API server's own type, and why:
 * - No defaults. A variant's identity is a hash of its template, so the stored template must equal the one in the file;
 *   the API server fills the defaults in when the pod is created.
 * - `metadata`, here and in a volume's claim template, has labels and annotations only: that is all Kubernetes accepts.
 * - A container's `ports` are one atomic list: `protocol`, a key of the map that they are in core/v1, would need a default.
 * - An image pull secret must have its name, the key of its list, which core/v1 defaults to the empty string.
 * - A quantity is a string or an integer: a CRD has no type for "string or any number", so 0.5 must be quoted.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import * as z from 'zod';
import type { StructuralSchema } from '../src/api/v1alpha1/structural-schema.ts';

const ROOT = 'io.k8s.api.core.v1.PodTemplateSpec';
const OBJECT_META = 'io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta';
const QUANTITY = 'io.k8s.apimachinery.pkg.api.resource.Quantity';
const INT_OR_STRING = 'io.k8s.apimachinery.pkg.util.intstr.IntOrString';

/** As controller-gen writes it for a Quantity: the grammar in k8s.io/apimachinery/pkg/api/resource/quantity.go. */
const QUANTITY_PATTERN =
  '^(\\+|-)?(([0-9]+(\\.[0-9]*)?)|(\\.[0-9]+))(([KMGTPE]i)|[numkMGTPE]|([eE](\\+|-)?(([0-9]+(\\.[0-9]*)?)|(\\.[0-9]+))))?$';

/** Longer first sentences are left out: the CRD must stay well under what client-side apply can store in an annotation. */
const MAX_DESCRIPTION_LENGTH = 250;

const openApiSchema = z.object({
  $ref: z.string().optional(),
  allOf: z.array(z.object({ $ref: z.string() })).optional(),
  type: z.enum(['object', 'array', 'string', 'integer', 'number', 'boolean']).optional(),
  format: z.string().optional(),
  description: z.string().optional(),
  required: z.array(z.string()).optional(),
  enum: z.array(z.string()).optional(),
  get properties() {
    return z.record(z.string(), openApiSchema).optional();
  },
  get items() {
    return openApiSchema.optional();
  },
  get additionalProperties() {
    return openApiSchema.optional();
  },
  'x-kubernetes-list-type': z.enum(['atomic', 'set', 'map']).optional(),
  'x-kubernetes-list-map-keys': z.array(z.string()).optional(),
  'x-kubernetes-map-type': z.enum(['atomic', 'granular']).optional(),
});
type OpenApiSchema = z.infer<typeof openApiSchema>;

const openApiDocument = z.object({ components: z.object({ schemas: z.record(z.string(), openApiSchema) }) });

/** The structural schema of core/v1 PodTemplateSpec in an OpenAPI v3 document. Throws when the document is another one. */
export function podTemplateFromOpenApi(document: unknown): StructuralSchema {
  const { schemas } = openApiDocument.parse(document).components;

  function named(name: string): StructuralSchema {
    if (name === QUANTITY) return { 'x-kubernetes-int-or-string': true, pattern: QUANTITY_PATTERN };
    if (name === INT_OR_STRING) return { 'x-kubernetes-int-or-string': true };
    const schema = schemas[name];
    if (schema === undefined) throw new Error(`the OpenAPI document has no schema ${name}`);
    return name === OBJECT_META ? labelsAndAnnotations(inline(schema)) : inline(schema);
  }

  function inline(schema: OpenApiSchema): StructuralSchema {
    const description = shortDescription(schema.description);
    const described = description === undefined ? {} : { description };
    const reference = schema.$ref ?? schema.allOf?.[0]?.$ref;
    if (reference !== undefined) {
      const { description: _ofTheType, ...target } = named(reference.slice(reference.lastIndexOf('/') + 1));
      return { ...described, ...target };
    }
    if (schema.type === undefined)
      throw new Error(`a schema has no type: ${JSON.stringify(schema).slice(0, 200)}`);
    return {
      ...described,
      type: schema.type,
      ...(schema.format && { format: schema.format }),
      ...(schema.enum && { enum: schema.enum }),
      ...(schema.required && { required: schema.required }),
      ...(schema['x-kubernetes-map-type'] && { 'x-kubernetes-map-type': schema['x-kubernetes-map-type'] }),
      ...(schema.properties && {
        properties: Object.fromEntries(
          Object.entries(schema.properties).map(([name, property]) => [name, inline(property)]),
        ),
      }),
      ...(schema.additionalProperties && { additionalProperties: inline(schema.additionalProperties) }),
      ...(schema.items && list(schema, withoutDescription(inline(schema.items)))),
    };
  }

  return withoutDescription(named(ROOT));
}

/** `items` and how the list is merged; see the differences listed above. */
function list(schema: OpenApiSchema, items: StructuralSchema): StructuralSchema {
  const type = schema['x-kubernetes-list-type'];
  const keys = schema['x-kubernetes-list-map-keys'];
  if (type !== 'map' || keys === undefined) return { ...(type && { 'x-kubernetes-list-type': type }), items };
  if (keys.includes('protocol')) return { 'x-kubernetes-list-type': 'atomic', items };
  return {
    'x-kubernetes-list-type': 'map',
    'x-kubernetes-list-map-keys': keys,
    items: { ...items, required: [...new Set([...(items.required ?? []), ...keys])] },
  };
}

function labelsAndAnnotations(objectMeta: StructuralSchema): StructuralSchema {
  const { labels, annotations } = objectMeta.properties ?? {};
  if (labels === undefined || annotations === undefined)
    throw new Error('ObjectMeta has no labels or no annotations');
  return { type: 'object', properties: { labels, annotations } };
}

function withoutDescription({ description: _dropped, ...schema }: StructuralSchema): StructuralSchema {
  return schema;
}

function shortDescription(text: string | undefined): string | undefined {
  const [firstSentence] = text?.replace(/\s+/g, ' ').match(/^.+?\.(?= |$)/) ?? [];
  return firstSentence !== undefined && firstSentence.length <= MAX_DESCRIPTION_LENGTH
    ? firstSentence
    : undefined;
}

async function main(openApiFile: string | undefined): Promise<void> {
  if (openApiFile === undefined) throw new Error('usage: generate-pod-template.ts <OpenAPI v3 of core/v1>');
  const schema = podTemplateFromOpenApi(JSON.parse(await readFile(openApiFile, 'utf8')));
  const output = new URL('../src/api/v1alpha1/pod-template.generated.ts', import.meta.url);
  await writeFile(
    output,
    [
      '// Generated by scripts/generate-pod-template.ts from the OpenAPI v3 of core/v1. Do not edit.',
      "import type { StructuralSchema } from './structural-schema.ts';",
      '',
      '/** core/v1 PodTemplateSpec as a structural schema; the generator lists how it differs from the original. */',
      `export const corePodTemplateSchema: StructuralSchema = ${JSON.stringify(schema, null, 1)};`,
      '',
    ].join('\n'),
  );
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main(process.argv[2]);
