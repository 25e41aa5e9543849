import { expect, it } from 'vitest';
import { aBatchTest } from '../../test/builders/batch-test.ts';
import { batchTestStructuralSchema } from '../api/v1alpha1/crd.ts';
import type { StructuralSchema } from '../api/v1alpha1/structural-schema.ts';
import { SPEC_FIELDS, specFieldParity } from './spec-fields.ts';

/** The paths of all fields of a schema that have no fields of their own. */
function leaves(schema: StructuralSchema | undefined, path = ''): readonly string[] {
  if (schema?.items?.properties !== undefined) return leaves(schema.items, `${path}[]`);
  if (schema?.properties === undefined) return [path];
  return Object.entries(schema.properties).flatMap(([name, field]) =>
    leaves(field, path === '' ? name : `${path}.${name}`),
  );
}

it('says of every field of the schema what both engines make of it, and of no other', () => {
  const fields = leaves(batchTestStructuralSchema().properties?.spec).filter(
    (path) => !path.startsWith('template.'),
  );
  expect(Object.keys(SPEC_FIELDS).toSorted()).toEqual(fields.toSorted());
});

it('tells every field that has a value once, also in lists, and none that has none', () => {
  const manifest = aBatchTest({
    variants: 2,
    spec: {
      comparison: { baseline: 'a', gates: [{ metric: 'p95_ms', max: '3' }] },
      failurePolicy: {
        rules: [
          { action: 'Retry', onExitCodes: { operator: 'In', values: [3] } },
          { action: 'Ignore', onExitCodes: { operator: 'In', values: [4] } },
        ],
      },
    },
  });
  const fields = specFieldParity(manifest).map(({ field }) => field);
  expect(fields).toContain('spec.variants[].parameters');
  expect(fields).toContain('spec.comparison.gates[].max');
  expect(fields).toContain('spec.failurePolicy.rules[].action');
  expect(fields).not.toContain('spec.matrix.exclude');
  expect(fields).not.toContain('spec.comparison.gates[].min');
  expect(new Set(fields).size).toBe(fields.length);
});

it('takes from the local engine what it refuses or ignores', () => {
  const manifest = aBatchTest({ spec: { suspend: true, ttlSecondsAfterFinished: 60 } });
  const byField = new Map(specFieldParity(manifest).map((entry) => [entry.field, entry]));
  expect(byField.get('spec.suspend')).toMatchObject({
    local: 'Refused',
    kubernetes: 'Honoured',
    matters: true,
  });
  expect(byField.get('spec.ttlSecondsAfterFinished')).toMatchObject({ local: 'Ignored', matters: false });
  expect(byField.get('spec.podCleanupPolicy')).toMatchObject({ local: 'Ignored', matters: false });
  expect(byField.get('spec.parallelism')).toMatchObject({ local: 'Honoured', note: null });
});
