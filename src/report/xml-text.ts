import { escapeUnprintables } from './printable.ts';

/** What XML 1.0 allows as a character (section 2.2) is all but these: they cannot be written at all, not even as references. */
const ILLEGAL = /[^\t\n\r\u{20}-\u{d7ff}\u{e000}-\u{fffd}\u{10000}-\u{10ffff}]/gu;

const REFERENCES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
};

/**
 * Text as the content of an element of XML 1.0. Characters that XML cannot hold are left out; those that would move the cursor of a
 * terminal, or turn the direction of text, are references.
 */
export function xmlText(text: string): string {
  const escaped = text.replace(ILLEGAL, '').replace(/[&<>"]/g, (character) => REFERENCES[character] ?? '');
  return escapeUnprintables(escaped, characterReference);
}

/** Text as the value of an attribute in double quotes: a parser would make spaces of line breaks and tabs that are not references. */
const xmlAttributeText = (text: string): string => xmlText(text).replace(/[\t\n]/g, characterReference);

/** Attributes with a space before each. */
export const xmlAttributes = (attributes: Readonly<Record<string, string | number>>): string =>
  Object.entries(attributes)
    .map(([name, value]) => ` ${name}="${xmlAttributeText(String(value))}"`)
    .join('');

const characterReference = (character: string): string => `&#${character.codePointAt(0)};`;
