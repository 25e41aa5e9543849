import type { CollectedArtifacts } from './attempt.ts';
import { canonicalFileUri } from './file-uri.ts';
import type { ReportedArtifact } from './result-protocol.ts';

type CollectedFiles = Extract<CollectedArtifacts, { kind: 'Files' }>;

/**
 * The artifacts of a result: those that it names, and every other file that the program left in its artifacts directory, by its path there. What the program
 * says of a file stands, so that reading the file back tells when that is wrong; what it does not say is taken from the file.
 */
export function trackedArtifacts(
  reported: readonly ReportedArtifact[],
  collected: CollectedFiles | undefined,
): readonly ReportedArtifact[] {
  if (collected === undefined) return reported;
  const unnamed = new Map(collected.files.map((file) => [file.uri, file]));
  const named = reported.map((artifact): ReportedArtifact => {
    const uri = absoluteUri(artifact.uri, collected.directory);
    const file = unnamed.get(uri);
    unnamed.delete(uri);
    if (file === undefined) return { ...artifact, uri };
    const { sha256, size, mediaType } = file;
    return { sha256, size, mediaType, ...artifact, uri };
  });
  const names = new Set(named.map(({ name }) => name));
  const others = [...unnamed.values()].map(({ path, ...file }) => {
    const name = names.has(path) ? file.uri : path;
    return { name, ...file };
  });
  return [...named, ...others];
}

const SCHEME = /^[a-z][a-z0-9+.-]*:/i;

/** A file may be named by its path below the directory. Nothing is resolved: a name with `..` is no file of the directory. */
function absoluteUri(uri: string, directory: string): string {
  if (SCHEME.test(uri)) return canonicalFileUri(uri);
  return (
    directory +
    uri
      .replace(/^(\.\/)+/, '')
      // Half of a surrogate pair, which is how Python tells a byte that is not UTF-8, can be neither encoded nor stored: it is replaced as in all that is stored.
      .replace(/\p{Surrogate}/gu, '\ufffd')
      .split('/')
      .map(encodeURIComponent)
      .join('/')
  );
}
