import { expect, it } from 'vitest';
import { closestName } from './spelling.ts';

const fields = ['parallelism', 'repetitions', 'variants', 'template', 'env'];

it.each([
  ['repetition', 'repetitions'],
  ['paralellism', 'parallelism'],
  ['Template', 'template'],
  ['evn', undefined],
  ['en', 'env'],
  ['suspend', undefined],
  ['x'.repeat(100_000), undefined],
])('for %.20s suggests %s', (name, suggestion) => {
  expect(closestName(name, fields)).toBe(suggestion);
});

it('prefers the nearest of several', () => {
  expect(closestName('values', ['valueFrom', 'value', 'volumes'])).toBe('value');
});
