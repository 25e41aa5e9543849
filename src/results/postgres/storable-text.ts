/** Characters (UTF-16 code units) kept of a text that a program or a cluster wrote: 8 Ki. */
export const TEXT_LIMIT = 8_192;

const REPLACEMENT = '\ufffd';

/**
 * The text as Postgres can store it: NUL characters and unpaired surrogates, which it cannot, become U+FFFD, and what is longer
 * than {@link TEXT_LIMIT} is cut there and ends with an ellipsis.
 */
export function storableText(text: string): string {
  const cut = text.length > TEXT_LIMIT ? `${text.slice(0, TEXT_LIMIT - 1)}…` : text;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: NUL is what is looked for
  return cut.replace(/\u0000|\p{Surrogate}/gu, REPLACEMENT);
}

/**
 * JSON text that a jsonb column can store, with the same replacements in every key and string; nothing is cut. `__proto__` is a
 * key like any other. Of keys that the replacements make equal, the last one stays.
 */
export function storableJson(value: unknown): string {
  // JSON.stringify writes these characters, and no others of that kind, as escapes. An escaped backslash is skipped as a pair.
  return JSON.stringify(value).replace(/\\(?:u0000|ud[89a-f][0-9a-f]{2}|.)/g, (sequence) =>
    sequence.length === 2 ? sequence : REPLACEMENT,
  );
}
