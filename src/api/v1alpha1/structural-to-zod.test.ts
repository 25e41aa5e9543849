import { expect, it } from 'vitest';
import type { StructuralSchema } from './structural-schema.ts';
import { zodFromStructural } from './structural-to-zod.ts';

const port: StructuralSchema = {
  type: 'object',
  required: ['name'],
  properties: {
    name: { type: 'string' },
    number: { 'x-kubernetes-int-or-string': true, pattern: '^[0-9]+m?$' },
    protocol: { type: 'string', enum: ['TCP', 'UDP'] },
    labels: { type: 'object', additionalProperties: { type: 'string' } },
    weight: { type: 'integer' },
  },
};
const schema: StructuralSchema = {
  type: 'object',
  properties: {
    ports: {
      type: 'array',
      minItems: 1,
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': ['name'],
      items: port,
    },
    finalizers: { type: 'array', 'x-kubernetes-list-type': 'set', items: { type: 'string' } },
    enabled: { type: 'boolean' },
  },
};
const pathsRefused = (value: unknown): string[] =>
  (zodFromStructural(schema).safeParse(value).error?.issues ?? []).map(({ path }) => path.join('.'));

it.each([
  {},
  { ports: [{ name: 'a' }, { name: 'b', number: 8 }] },
  { ports: [{ name: 'a', number: '8m', protocol: 'UDP', labels: { 'any/name': 'x' }, weight: 3 }] },
  { finalizers: ['a', 'b'], enabled: false },
])('accepts %j as it is', (value) => {
  expect(zodFromStructural(schema).parse(value)).toEqual(value);
});

it.each([
  ['an unknown field', { ports: [{ name: 'a', nmae: 'b' }] }, 'ports.0'],
  ['a missing field', { ports: [{ number: 1 }] }, 'ports.0.name'],
  ['a wrong type', { enabled: 'yes' }, 'enabled'],
  ['a fraction for an integer', { ports: [{ name: 'a', weight: 0.5 }] }, 'ports.0.weight'],
  ['a fraction for int-or-string', { ports: [{ name: 'a', number: 0.5 }] }, 'ports.0.number'],
  ['a string against its pattern', { ports: [{ name: 'a', number: 'x' }] }, 'ports.0.number'],
  ['another value of an enumeration', { ports: [{ name: 'a', protocol: 'tcp' }] }, 'ports.0.protocol'],
  ['a number in a map of strings', { ports: [{ name: 'a', labels: { b: 1 } }] }, 'ports.0.labels.b'],
  ['a key that is there twice', { ports: [{ name: 'a' }, { name: 'b' }, { name: 'a' }] }, 'ports.2.name'],
  ['an entry that is there twice', { finalizers: ['a', 'a'] }, 'finalizers.1'],
  ['too short a list', { ports: [] }, 'ports'],
  ['a list for an object', [], ''],
])('refuses %s and names its place', (_what, value, path) => {
  expect(pathsRefused(value)).toEqual([path]);
});
