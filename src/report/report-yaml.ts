import { Document, Scalar, type ScalarTag, visit } from 'yaml';
import { escapeUnprintables, hasUnprintables } from './printable.ts';

/**
 * A report, or another value object that is all JSON, as YAML; it reads as the same value as {@link reportJson}'s, whether the reader
 * follows YAML 1.2, or 1.1 as kubectl and PyYAML do. Harmless on a terminal, whatever names and logs hold.
 */
export function reportYaml(report: object): string {
  // By way of JSON, so that the two cannot differ.
  const document = new Document(JSON.parse(JSON.stringify(report)), {
    aliasDuplicateObjects: false,
    // Quotes the words that stand for something else in YAML 1.1, such as `on`.
    compat: 'yaml-1.1',
    customTags: (tags) => [NUMBER_WITHOUT_POINT, ...tags],
  });
  visit(document, {
    Scalar(_, scalar) {
      if (typeof scalar.value === 'string' && needsQuotes(scalar.value)) scalar.type = Scalar.QUOTE_DOUBLE;
    },
  });
  return escapeUnprintables(document.toString({ lineWidth: 0 }), codePointEscape);
}

/** Without quotes, readers of YAML 1.1 see numbers, times and more in text that does not begin with a letter, each other ones, and cannot read a tab. */
const BEGINS_WITH_LETTER = /^\p{L}[^\t]*$/u;

/** Text of several lines can be a block, in which nothing stands for something else; but the library loses spaces of one that is blank. */
const isBlock = (text: string): boolean => text.includes('\n') && text.trim() !== '';

const needsQuotes = (text: string): boolean =>
  hasUnprintables(text) || !(isBlock(text) || BEGINS_WITH_LETTER.test(text));

const WITHOUT_POINT = /^(-?\d+)(e[-+]\d+)$/;

/** A number with an exponent has a point in YAML 1.1: `1e-7` is text there. */
const NUMBER_WITHOUT_POINT: ScalarTag = {
  tag: 'tag:yaml.org,2002:float',
  default: true,
  test: WITHOUT_POINT,
  identify: (value) => typeof value === 'number' && WITHOUT_POINT.test(String(value)),
  resolve: Number,
  stringify: ({ value }) => String(value).replace(WITHOUT_POINT, '$1.0$2'),
};

const codePointEscape = (character: string): string =>
  `\\U${(character.codePointAt(0) ?? 0).toString(16).padStart(8, '0')}`;
