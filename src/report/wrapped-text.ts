import { cutEnd, graphemes, textWidth } from './text-width.ts';

/**
 * The text as at most `most` lines of at most `width` columns, broken between words; a word wider than a line is broken wherever the
 * line ends. Where the lines do not suffice, the last one ends in `…`. Text on one line in, so line breaks in it are not looked for.
 */
export function wrappedText(text: string, width: number, most: number): readonly string[] {
  const lines: string[] = [];
  let rest = text.trim();
  while (rest !== '' && lines.length < most - 1) {
    const line = firstLine(rest, width);
    lines.push(line.trimEnd());
    rest = rest.slice(line.length).trimStart();
  }
  return rest === '' ? lines : [...lines, cutEnd(rest, width)];
}

/** As much of the beginning as fits: whole words if one does, else whole characters, but never nothing. */
function firstLine(text: string, width: number): string {
  let used = 0;
  let end = 0;
  let afterWord = 0;
  for (const part of graphemes(text)) {
    if (part === ' ') afterWord = end;
    used += textWidth(part);
    if (used > width && end > 0) return text.slice(0, part === ' ' || afterWord === 0 ? end : afterWord);
    end += part.length;
  }
  return text;
}
