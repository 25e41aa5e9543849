import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { textWidth } from './text-width.ts';
import { wrappedText } from './wrapped-text.ts';

describe('wrapped text', () => {
  it.each([
    ['', 10, []],
    ['short', 10, ['short']],
    ['exactly ten', 11, ['exactly ten']],
    ['one two three', 7, ['one two', 'three']],
    ['one two three', 8, ['one two', 'three']],
    ['one two three', 9, ['one two', 'three']],
    ['a longwordwithoutend b', 8, ['a', 'longword', 'without…']],
    ['/a/path/without/blanks', 8, ['/a/path/', 'without/', 'blanks']],
    ['one two three four five six seven', 9, ['one two', 'three', 'four fiv…']],
    ['日本語 日本語', 7, ['日本語', '日本語']],
    ['日本語日本語', 5, ['日本', '語日', '本語']],
  ])('makes of %j at %i columns %j', (text, width, lines) => {
    expect(wrappedText(text, width, 3)).toEqual(lines);
  });

  it('is never wider or longer than asked, loses no letter while it fits, and marks what it cuts', () => {
    const texts = fc.string({ unit: fc.constantFrom('a', 'b', ' ', '日', '👩‍🚀', 'e\u0301') });
    fc.assert(
      fc.property(
        texts,
        fc.integer({ min: 2, max: 20 }),
        fc.integer({ min: 1, max: 4 }),
        (text, width, most) => {
          const lines = wrappedText(text, width, most);
          expect(lines.length).toBeLessThanOrEqual(most);
          for (const line of lines) expect(textWidth(line)).toBeLessThanOrEqual(width);
          const letters = (some: string): string => some.replaceAll(' ', '');
          const shown = letters(lines.join(''));
          if (shown.endsWith('…')) expect(letters(text).startsWith(shown.slice(0, -1))).toBe(true);
          else expect(shown).toBe(letters(text));
        },
      ),
    );
  });
});
