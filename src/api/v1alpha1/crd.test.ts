import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { ConditionType } from './constants.ts';
import { batchTestCrd, batchTestStructuralSchema } from './crd.ts';
import type { StructuralSchema } from './structural-schema.ts';

/** Every schema in a schema, with its path. */
function* schemasIn(
  schema: StructuralSchema,
  path: string,
): Generator<[path: string, schema: StructuralSchema]> {
  yield [path, schema];
  for (const [name, property] of Object.entries(schema.properties ?? {}))
    yield* schemasIn(property, `${path}.${name}`);
  if (schema.additionalProperties !== undefined) yield* schemasIn(schema.additionalProperties, `${path}.*`);
  if (schema.items !== undefined) yield* schemasIn(schema.items, `${path}[]`);
}

const schemas = [...schemasIn(batchTestStructuralSchema(), 'BatchTest')];
const pathsWhere = (isSo: (schema: StructuralSchema) => boolean): string[] =>
  schemas.filter(([, schema]) => isSo(schema)).map(([path]) => path);

describe('the CRD', () => {
  it('is what is committed', async () => {
    const committed = await readFile(
      new URL('../../../crds/batchtest.dev_batchtests.yaml', import.meta.url),
      'utf8',
    );
    expect(parse(committed)).toEqual(JSON.parse(JSON.stringify(batchTestCrd())));
  });

  it('fits into the annotation of a client-side apply, with a quarter to spare', () => {
    expect(Buffer.byteLength(JSON.stringify(batchTestCrd()))).toBeLessThan(262_144 * 0.75);
  });

  it('uses no keyword that a structural schema may not have', () => {
    const text = JSON.stringify(batchTestStructuralSchema());
    for (const keyword of ['$ref', 'allOf', 'anyOf', 'oneOf', 'not', 'propertyNames', '$schema'])
      expect(text).not.toContain(`"${keyword}":`);
  });

  it('gives every value a type', () => {
    expect(
      pathsWhere((schema) => schema.type === undefined && !schema['x-kubernetes-int-or-string']),
    ).toEqual([]);
  });

  it('describes every field of its own', () => {
    // The API server describes these three itself, and Kubernetes documents the pod template.
    const isElsewhere = (path: string) =>
      /^BatchTest\.(apiVersion|kind|metadata|spec\.template\..*)$/.test(path) || /(\[\]|\.\*)$/.test(path);
    expect(
      pathsWhere((schema) => (schema.description ?? '') === '').filter((path) => !isElsewhere(path)),
    ).toEqual([]);
  });

  it('lets every object have either fields or free names', () => {
    expect(
      pathsWhere((schema) => schema.properties !== undefined && schema.additionalProperties !== undefined),
    ).toEqual([]);
  });

  it('requires the keys of every list that is a map, so that none needs a default', () => {
    const keysNotRequired = pathsWhere((schema) =>
      (schema['x-kubernetes-list-map-keys'] ?? []).some((key) => !schema.items?.required?.includes(key)),
    );
    expect(keysNotRequired).toEqual([]);
  });

  it('fills no default into the template, whose hash identifies a variant', () => {
    const defaults = pathsWhere((schema) => schema.default !== undefined);
    expect(defaults).toContain('BatchTest.spec.parallelism');
    expect(defaults.filter((path) => path.startsWith('BatchTest.spec.template'))).toEqual([]);
  });

  it('states integers as Kubernetes does, without the bounds of a JavaScript number', () => {
    expect(pathsWhere((schema) => schema.type === 'integer' && schema.format === undefined)).toEqual([]);
    expect(pathsWhere((schema) => Math.abs(schema.maximum ?? 0) >= Number.MAX_SAFE_INTEGER)).toEqual([]);
  });

  it('writes patterns that Go understands as well as JavaScript', () => {
    expect(pathsWhere((schema) => /\\u|\(\?[=!<]/.test(schema.pattern ?? ''))).toEqual([]);
  });

  it('says of the column State what kubectl may show there', () => {
    const columns = batchTestCrd().spec.versions.flatMap((version) => version.additionalPrinterColumns);
    const told = columns.find(({ name }) => name === 'State')?.description.match(/[A-Z]\w+/g);
    // That of the result store is the last one, and another is always true.
    const shown = Object.values(ConditionType).filter((type) => type !== ConditionType.ResultStoreAvailable);
    expect(told?.toSorted()).toEqual(shown.toSorted());
  });
});
