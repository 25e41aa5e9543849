import stringWidth from 'string-width';

// Characters that reports are mostly made of, each one column wide and a character of its own: looking at them one by one would take most of a report's time.
const NARROW = /^[\x20-\x7e±–…↵]*$/;

/** Columns that the text takes on a terminal; an ideograph or an emoji takes two. */
export function textWidth(text: string): number {
  return NARROW.test(text) ? text.length : stringWidth(text);
}

/** The text cut at its end to at most `width` columns, with `…` where something is missing. */
export function cutEnd(text: string, width: number): string {
  if (textWidth(text) <= width) return text;
  if (width < 1) return '';
  return `${NARROW.test(text) ? text.slice(0, width - 1) : head(graphemes(text), width - 1)}…`;
}

/** The text cut in its middle to at most `width` columns: names often differ at the end, and messages say the cause there. */
export function cutMiddle(text: string, width: number): string {
  if (textWidth(text) <= width) return text;
  if (width < 1) return '';
  const tailWidth = Math.floor((width - 1) / 2);
  if (NARROW.test(text))
    return `${text.slice(0, width - 1 - tailWidth)}…${text.slice(text.length - tailWidth)}`;
  const parts = [...graphemes(text)];
  const tail = head(parts.toReversed(), tailWidth, (rest, part) => part + rest);
  return `${head(parts, width - 1 - textWidth(tail))}…${tail}`;
}

function head(
  parts: Iterable<string>,
  width: number,
  join = (rest: string, part: string): string => rest + part,
): string {
  let text = '';
  let used = 0;
  for (const part of parts) {
    used += textWidth(part);
    if (used > width) break;
    text = join(text, part);
  }
  return text;
}

const segmenter = new Intl.Segmenter();

/** The characters as a reader counts them, one after the other: with their accents, emoji of several parts as one. */
export function* graphemes(text: string): Generator<string> {
  if (NARROW.test(text)) yield* text;
  else for (const { segment } of segmenter.segment(text)) yield segment;
}
