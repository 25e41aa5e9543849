import { expect, it } from 'vitest';
import { LineCounter } from 'yaml';
import { readDocument } from './manifest-document.ts';

/** Of a text without a mistake. */
function documentOf(text: string) {
  const result = readDocument(text, new LineCounter());
  if (!result.ok) throw new Error(result.problems.map(({ message }) => message).join('\n'));
  return result.document;
}

it('finds what is within an alias where its anchor is, and the alias itself where it is', () => {
  const text = 'a: &a {x: [1, yes please]}\nb: *a';
  const document = documentOf(text);
  expect(document.placeOf(['b', 'x', 1])).toEqual({ offset: text.indexOf('yes'), spelling: 'yes please' });
  expect(document.placeOf(['b'])).toEqual({ offset: text.indexOf('*a'), spelling: undefined });
});
