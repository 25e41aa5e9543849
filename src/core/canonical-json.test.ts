import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonicalJson } from './canonical-json.ts';

describe('canonicalJson', () => {
  it.each([
    {
      of: 'an object, whatever the order of its keys',
      value: { b: 1, a: { d: 2, c: 3 } },
      text: '{"a":{"c":3,"d":2},"b":1}',
    },
    { of: 'a list, whose order matters', value: [2, 1, [{ b: 1, a: 2 }]], text: '[2,1,[{"a":2,"b":1}]]' },
    { of: 'members that are undefined', value: { a: undefined, b: [undefined] }, text: '{"b":[null]}' },
    { of: 'no value', value: undefined, text: 'null' },
    { of: 'text that needs escapes', value: { '"': '\n\u0000' }, text: '{"\\"":"\\n\\u0000"}' },
    {
      of: 'a key that is no prototype',
      value: JSON.parse('{"__proto__":{"a":1}}'),
      text: '{"__proto__":{"a":1}}',
    },
  ])('writes $of', ({ value, text }) => {
    expect(canonicalJson(value)).toBe(text);
  });

  it('writes JSON that reads back as the same value', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(JSON.parse(canonicalJson(value))).toEqual(JSON.parse(JSON.stringify(value)));
      }),
    );
  });

  it('writes the same text for the same members in any order', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (value) => {
        const reversed = Object.fromEntries(Object.entries(value).reverse());
        expect(canonicalJson(reversed)).toBe(canonicalJson(value));
      }),
    );
  });
});
