import { errorCode } from '../error-code.ts';
import type { ArtifactToVerify } from '../results/verification.ts';
import { type ArtifactStore, ArtifactUnreadableError, type OpenedArtifact } from './artifact-store.ts';
import { digestOf } from './file-digest.ts';

/** Larger files are not read back: 16 GiB. A result may name whatever is in a store. */
const SIZE_LIMIT_BYTES = 16 * 1_024 ** 3;

export type Verdict =
  | {
      readonly kind: 'Read';
      readonly state: 'Verified' | 'Mismatch' | 'Missing';
      readonly reason: string | undefined;
    }
  /** `mayComeRight`: reading it later may go well. */
  | { readonly kind: 'Unread'; readonly reason: string; readonly mayComeRight: boolean };

/**
 * Reads an artifact back and says what that came to. Nothing that was read is told but whether it is what the result says: a result may name a file that is not
 * its program's.
 */
export async function verdictOn(
  artifact: Pick<ArtifactToVerify, 'uri' | 'size' | 'sha256'>,
  stores: readonly ArtifactStore[],
  signal: AbortSignal,
): Promise<Verdict> {
  const store = stores.find((candidate) => candidate.holds(artifact.uri));
  if (store === undefined) return read('Missing', 'not in a configured artifact store');
  try {
    const opened = await store.open(artifact.uri, signal);
    if (opened === undefined) return read('Missing', 'there is no such file');
    try {
      return await compared(artifact, opened, signal);
    } finally {
      opened.stream.destroy();
    }
  } catch (error) {
    if (error instanceof ArtifactUnreadableError)
      return { kind: 'Unread', reason: error.message, mayComeRight: true };
    throw error;
  }
}

async function compared(
  { size, sha256 }: Pick<ArtifactToVerify, 'size' | 'sha256'>,
  opened: OpenedArtifact,
  signal: AbortSignal,
): Promise<Verdict> {
  if (size !== undefined && opened.size !== size)
    return read('Mismatch', `its size is not the ${size} bytes that the result tells`);
  if (sha256 === undefined) return read('Verified', 'it is there; the result tells no SHA-256 to compare');
  if (opened.size > SIZE_LIMIT_BYTES) {
    const reason = `it is larger than the ${SIZE_LIMIT_BYTES / 1_024 ** 3} GiB that are read back`;
    return { kind: 'Unread', reason, mayComeRight: false };
  }
  const digest = await digestOf(opened.stream, signal).catch((error: unknown) => {
    // However the stream words that it was aborted.
    signal.throwIfAborted();
    // The message of an error may name keys and hosts.
    const why = errorCode(error) ?? (error instanceof Error ? error.name : 'unknown error');
    throw new ArtifactUnreadableError(`it could not be read to its end (${why})`, { cause: error });
  });
  return digest.sha256 === sha256
    ? read('Verified')
    : read('Mismatch', 'its SHA-256 is not the one that the result tells');
}

const read = (state: 'Verified' | 'Mismatch' | 'Missing', reason?: string): Verdict => ({
  kind: 'Read',
  state,
  reason,
});
