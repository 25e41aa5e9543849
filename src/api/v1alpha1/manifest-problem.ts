/** One mistake in a manifest, and where it is. */
export interface ManifestProblem {
  /** Name of the file, or of whatever the manifest came from. */
  readonly source: string;
  /** From 1; undefined in a manifest that was never text. */
  readonly line: number | undefined;
  /** From 1; undefined in a manifest that was never text. */
  readonly column: number | undefined;
  /** For example `spec.matrix.parameters[0].values[2]`; empty when the problem is the document as a whole. */
  readonly path: string;
  readonly message: string;
}

/** For example `batchtest.yaml:12:18: spec.parallelism: expected an integer from 0 to 10000, got "six"`. */
export function formatProblem({ source, line, column, path, message }: ManifestProblem): string {
  const place = line === undefined ? source : `${source}:${line}:${column}`;
  return printable(`${place}: ${path === '' ? '' : `${path}: `}${message}`);
}

/** A path as people write it; a key that is no plain word is quoted: `metadata.labels["example.com/team"]`. */
export function formatPath(path: readonly PropertyKey[]): string {
  return path
    .map((part) => {
      if (typeof part === 'number') return `[${part}]`;
      const name = String(part);
      return /^[A-Za-z_][A-Za-z0-9_-]*$/.test(name) ? `.${name}` : `[${quoted(name)}]`;
    })
    .join('')
    .replace(/^\./, '');
}

const MAX_QUOTED_LENGTH = 60;

/** The text in double quotes, escaped, and cut when it is long. */
export function quoted(text: string): string {
  const characters = [...text.slice(0, 2 * MAX_QUOTED_LENGTH)];
  const cut = characters.length > MAX_QUOTED_LENGTH || text.length > 2 * MAX_QUOTED_LENGTH;
  return printable(JSON.stringify(cut ? `${characters.slice(0, MAX_QUOTED_LENGTH).join('')}…` : text));
}

/** The text without characters that could move a terminal's cursor or hide what is written. */
function printable(text: string): string {
  return text.replace(
    /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu,
    (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`,
  );
}
