import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { storableJson, storableText, TEXT_LIMIT } from './storable-text.ts';

const anyText = fc.string({
  unit: fc.oneof(fc.constantFrom('\0', '\\', 'u0000', '"', '\ud800', '\udfff', '\u001f'), fc.string()),
});
const UNSTORABLE = /\0|\p{Surrogate}/u;

describe('storableText', () => {
  it('leaves an ordinary text alone', () => {
    const text = 'a "b" \\u0000 \n\t 🦀 \u0001';
    expect(storableText(text)).toBe(text);
  });

  it('gives no text that Postgres cannot store, and changes only those characters', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        const stored = storableText(text);
        expect(stored).not.toMatch(UNSTORABLE);
        expect([...stored]).toHaveLength([...text].length);
        expect(storableText(stored)).toBe(stored);
      }),
    );
  });

  it('cuts a long text, also in the middle of a surrogate pair', () => {
    expect(storableText('x'.repeat(TEXT_LIMIT))).toBe('x'.repeat(TEXT_LIMIT));
    for (const long of ['🦀'.repeat(TEXT_LIMIT), `x${'🦀'.repeat(TEXT_LIMIT)}`]) {
      const stored = storableText(long);
      expect(stored).toHaveLength(TEXT_LIMIT);
      expect(stored.endsWith('…')).toBe(true);
      expect(stored).not.toMatch(UNSTORABLE);
    }
  });
});

describe('storableJson', () => {
  it('gives the JSON of the same value with every key and string made storable', () => {
    fc.assert(
      fc.property(fc.dictionary(anyText, fc.array(anyText)), (value) => {
        const expected = Object.fromEntries(
          Object.entries(value).map(([key, texts]) => [storableText(key), texts.map(storableText)]),
        );
        expect(JSON.parse(storableJson(value))).toEqual(expected);
        expect(storableJson(value)).not.toMatch(/(?<!\\)(\\\\)*\\u0000/);
      }),
    );
  });
});
