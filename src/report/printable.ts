import { stripVTControlCharacters } from 'node:util';

/**
 * Control characters, invisible format characters (among them those that turn the direction of text), halves of surrogate pairs and
 * line separators. The zero-width joiner stays: emoji are made with it.
 */
const UNPRINTABLE = /(?!\u200d)[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;
// One test for the common case: a name of plain letters.
const PLAIN = /^[\x20-\x7e]*$/;

/**
 * Text of a user or of a test program as it may be shown on a terminal: colours and other terminal sequences are taken out, every
 * other control or invisible character is spelled out (`\n`, `\x1b`, `\u{202e}`). The result is one line and moves no cursor.
 */
export function printable(text: string): string {
  if (PLAIN.test(text)) return text;
  return stripVTControlCharacters(text).replace(UNPRINTABLE, spelledOut);
}

/** Text of several lines as one printable line, its lines joined by ` ↵ `. */
export function printableLine(text: string): string {
  return stripVTControlCharacters(text)
    .split(/[\r\n\u2028\u2029]+/)
    .map((line) => printable(line.replaceAll('\t', ' ').trim()))
    .filter((line) => line !== '')
    .join(' ↵ ');
}

/**
 * The document with each unprintable character but line breaks and tabs replaced by what `escaped` gives for it. For formats in which
 * they can only be inside of double-quoted strings, where an escape means the same character.
 */
export function escapeUnprintables(document: string, escaped: (character: string) => string): string {
  return document.replace(UNPRINTABLE, (character) => (isLayout(character) ? character : escaped(character)));
}

/** True when the text has a character that {@link escapeUnprintables} replaces. */
export const hasUnprintables = (text: string): boolean =>
  !PLAIN.test(text) && (text.match(UNPRINTABLE) ?? []).some((character) => !isLayout(character));

const isLayout = (character: string): boolean => character === '\n' || character === '\t';

const NAMED: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

function spelledOut(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  return NAMED[character] ?? (code < 0x100 ? `\\x${hexadecimal(code, 2)}` : `\\u{${hexadecimal(code, 4)}}`);
}

const hexadecimal = (code: number, digits: number): string => code.toString(16).padStart(digits, '0');
