import { describe, expect, it } from 'vitest';
import { printable, printableLine } from './printable.ts';

describe('printable text', () => {
  it.each([
    ['plain names', 'arc-8 (σ=½) 日本語 👩‍🚀', 'arc-8 (σ=½) 日本語 👩‍🚀'],
    ['colours', '\x1b[31mred\x1b[0m', 'red'],
    ['a title that would be set', '\x1b]0;owned\x07name', 'name'],
    ['a sequence hidden in another', '\x1b\x1b[31m[31mx', '\\x1b[31mx'],
    ['a lone escape', 'a\x1b', 'a\\x1b'],
    ['an 8-bit control sequence', 'a\x9b2Jb', 'ab'],
    ['line breaks and tabs', 'a\r\nb\tc', 'a\\r\\nb\\tc'],
    ['a bell', 'a\x07', 'a\\x07'],
    ['text that turns direction', 'a\u202eb', 'a\\u{202e}b'],
    ['an invisible space', 'a\u200bb', 'a\\u{200b}b'],
    ['half of a surrogate pair', 'a\ud800', 'a\\u{d800}'],
    ['tag characters', 'a\u{e0041}', 'a\\u{e0041}'],
  ])('makes %s harmless', (_, text, expected) => {
    expect(printable(text)).toBe(expected);
  });

  it('joins the lines of a message', () => {
    expect(printableLine('exit code 1:\r\n\n  \x1b[1mError\x1b[22m: no\tcache\n')).toBe(
      'exit code 1: ↵ Error: no cache',
    );
  });
});
