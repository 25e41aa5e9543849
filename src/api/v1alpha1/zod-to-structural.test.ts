import { expect, it } from 'vitest';
import * as z from 'zod';
import { structuralFromZod } from './zod-to-structural.ts';

it('turns an object with defaults and bounds into its structural schema', () => {
  const schema = z.strictObject({
    parallelism: z.int().min(0).max(10).default(1).describe('How many.'),
    generation: z.int(),
    names: z.array(z.string().min(1)).max(3).optional(),
    labels: z.record(z.string(), z.string()).optional(),
  });
  expect(structuralFromZod(schema)).toEqual({
    type: 'object',
    required: ['generation'],
    properties: {
      parallelism: {
        type: 'integer',
        format: 'int32',
        minimum: 0,
        maximum: 10,
        default: 1,
        description: 'How many.',
      },
      generation: { type: 'integer', format: 'int64' },
      names: { type: 'array', maxItems: 3, items: { type: 'string', minLength: 1 } },
      labels: { type: 'object', additionalProperties: { type: 'string' } },
    },
  });
});

it('turns a string or an integer into int-or-string, with the pattern of the string', () => {
  const schema = z
    .union([
      z
        .string()
        .regex(/^[0-9]+$/)
        .max(4),
      z.int(),
    ])
    .meta({ 'x-kubernetes-int-or-string': true });
  expect(structuralFromZod(schema)).toEqual({
    'x-kubernetes-int-or-string': true,
    pattern: '^[0-9]+$',
    maxLength: 4,
  });
});

it('keeps CEL rules', () => {
  const rules = [{ rule: 'self > 0', message: 'must be positive' }];
  expect(structuralFromZod(z.int().meta({ 'x-kubernetes-validations': rules }))).toMatchObject({
    'x-kubernetes-validations': rules,
  });
});

it.each([
  ['a union of objects', z.union([z.strictObject({ a: z.string() }), z.strictObject({ b: z.string() })])],
  ['an unknown value', z.unknown()],
  ['a floating-point number', z.number()],
  ['a misspelt CEL rule', z.int().meta({ 'x-kubernetes-validations': [{ rule: 'true', mesage: 'x' }] })],
])('refuses %s, which a CRD cannot express', (_what, schema) => {
  expect(() => structuralFromZod(schema)).toThrow();
});
