import { expect, it } from 'vitest';
import { LineCounter, parse } from 'yaml';
import { readDocument } from './manifest-document.ts';

/** Of a text without a mistake. */
function documentOf(text: string) {
  const result = readDocument(text, new LineCounter());
  if (!result.ok) throw new Error(result.problems.map(({ message }) => message).join('\n'));
  return result.document;
}

it.each([
  ['aliases of scalars, lists and objects', 'a: &a 1\nb: &b [*a, x]\nc: &c {d: *b}\ne: [*a, *b, *c, *c]'],
  ['the last anchor of a name before an alias', 'a: &x 1\nb: *x\nc: &x 2\nd: [*x, *x]'],
  ['an alias as a name', 'a: &a b\n*a : c'],
  ['names that are no text', '1: a\ntrue: b\n1.5: c\n? \n: d\n'],
  ['what is merged gives way to what follows', 'a: &a {x: 1, w: 2}\nb: {<<: *a, x: 3}'],
  ['what is merged gives way to what is there', 'a: &a {x: 1, w: 2}\nb: {x: 3, <<: *a}'],
  ['a list that is merged, the first first', 'a: &a {x: 1}\nb: &b {x: 2, w: 3}\nc: {<<: [*a, *b, {z: 4}]}'],
  ['an alias of a list that is merged', 'l: &l [{x: 1}, {x: 2, w: 3}]\nc: {<<: *l}'],
  ['merges of merges', 'a: &a {x: 1}\nb: &b {<<: *a, w: 2}\nc: {<<: *b, z: 3}'],
  ['an anchor in what is merged', 'a: {<<: &m {x: &x 1}}\nb: *m\nc: *x'],
  ['a merge key that is quoted', '"<<": {a: 1}'],
  ['fields that hold nothing', 'a:\nb: {c, d: }\ne: [~, x]'],
  [
    'scalars of all kinds',
    'a: [1, 0x1F, 0o17, 1e3, .inf, -.5, true, null, "1", \'2\', 2024-01-01]\nb: |\n  c\n  d\n',
  ],
])('gives the value that the library gives of %s', (_, text) => {
  expect(documentOf(text).value).toEqual(parse(text, { merge: true }));
});

it('finds what is within an alias where its anchor is, and the alias itself where it is', () => {
  const text = 'a: &a {x: [1, yes please]}\nb: *a';
  const document = documentOf(text);
  expect(document.placeOf(['b', 'x', 1])).toEqual({ offset: text.indexOf('yes'), spelling: 'yes please' });
  expect(document.placeOf(['b'])).toEqual({ offset: text.indexOf('*a'), spelling: undefined });
});
