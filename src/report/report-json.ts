import { escapeUnprintables } from './printable.ts';
/** A report, or another value object that is all JSON, as indented JSON with a final line break. Harmless on a terminal, whatever names and logs hold. */
export function reportJson(report: object): string {
  return `${escapeUnprintables(JSON.stringify(report, null, 2), utf16Escapes)}\n`;
}

/** As {@link reportJson}, on one line: for one document after the other. */
export function reportJsonLine(report: object): string {
  return `${escapeUnprintables(JSON.stringify(report), utf16Escapes)}\n`;
}

/** JSON knows escapes of UTF-16 units only. */
function utf16Escapes(character: string): string {
  return Array.from(
    { length: character.length },
    (_, unit) => `\\u${character.charCodeAt(unit).toString(16).padStart(4, '0')}`,
  ).join('');
}
