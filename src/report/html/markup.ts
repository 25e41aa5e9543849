import { printable } from '../printable.ts';

/**
 * Markup that may stand in a page as it is. It is made by {@link html}, or of constants of this program: text of users or programs never
 * becomes markup.
 */
export class Markup {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** What may be put into markup: text is escaped, markup is not. */
export type Content = Markup | string | number | readonly Content[];

/** Markup from a template. Attributes in it must be in double quotes. */
export const html = (parts: TemplateStringsArray, ...values: readonly Content[]): Markup =>
  new Markup(parts.reduce((text, part, position) => text + contentText(values[position - 1] ?? '') + part));

function contentText(content: Content): string {
  if (content instanceof Markup) return content.text;
  if (typeof content === 'string') return escapedText(content);
  return typeof content === 'number' ? String(content) : content.map(contentText).join('');
}

const REFERENCES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** Unprintable characters are spelled out: those that turn the direction of text would make a page show what is not there. */
const escapedText = (text: string): string =>
  printable(text).replace(/[&<>"']/g, (character) => REFERENCES[character] ?? '');
