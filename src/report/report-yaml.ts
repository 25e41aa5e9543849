import { Document, Scalar, visit } from 'yaml';
import { escapeUnprintables, hasUnprintables } from './printable.ts';

/** A report, or another value object that is all JSON, as YAML; it reads as the same value as {@link reportJson}'s. Harmless on a terminal, whatever names and logs hold. */
export function reportYaml(report: object): string {
  // By way of JSON, so that the two cannot differ.
  const document = new Document(JSON.parse(JSON.stringify(report)), { aliasDuplicateObjects: false });
  visit(document, {
    Scalar(_, scalar) {
      if (typeof scalar.value === 'string' && hasUnprintables(scalar.value))
        scalar.type = Scalar.QUOTE_DOUBLE;
    },
  });
  return escapeUnprintables(document.toString({ lineWidth: 0 }), codePointEscape);
}

const codePointEscape = (character: string): string =>
  `\\U${(character.codePointAt(0) ?? 0).toString(16).padStart(8, '0')}`;
