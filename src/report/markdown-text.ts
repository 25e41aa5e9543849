import { printable } from './printable.ts';
import { cutMiddle } from './text-width.ts';

/** Text that means nothing to Markdown when it is between backticks, in a table or not. */
const PLAIN_CODE = /^[^\s|`\\<>&](?:[^|`\\<>&\r\n]*[^\s|`\\<>&])?$/;

/**
 * Text of a user as inline code of at most `width` columns. Nothing in it is taken for Markdown or HTML, and in code GitHub looks for no
 * `@name`, no `#12` and no address, so that nobody is notified. Safe inside a cell of a table.
 */
export function markdownCode(text: string, width: number): string {
  const shown = cutMiddle(printable(text), width);
  if (shown === '') return '<code> </code>';
  return PLAIN_CODE.test(shown) ? `\`${shown}\`` : `<code>${entities(shown)}</code>`;
}

/** Text of several lines as a block of code: nothing in it is taken for Markdown or HTML. */
export const markdownBlock = (lines: readonly string[]): string =>
  `<pre>${lines.map((line) => escapedHtml(printable(line))).join('\n')}</pre>`;

/** By CommonMark a character reference never stands for structure: an escaped `|`, `*` or backtick is that character and nothing else. */
const entities = (text: string): string =>
  text.replace(/[^\p{L}\p{N}\p{M}\p{So} (),/=-]/gu, (character) => `&#${character.codePointAt(0)};`);

const escapedHtml = (text: string): string =>
  text.replace(/[&<>]/g, (character) => `&#${character.codePointAt(0)};`);
