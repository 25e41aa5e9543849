import type { Readable } from 'node:stream';

/** A file that is being read back. Whoever opened it reads the stream to its end, or destroys it. */
export interface OpenedArtifact {
  /** Bytes, as the store tells them. */
  readonly size: number;
  readonly stream: Readable;
}

/**
 * Where artifacts are kept. It reads only what its administrator let it read, whatever a result names. Every implementation passes
 * artifact-store.testsuite.ts.
 */
export interface ArtifactStore {
  /** True for a URI that is this store's to read; nothing else is ever opened. */
  holds(uri: string): boolean;
  /**
   * Opens a file for reading; undefined when there is no such file.
   * @throws ArtifactUnreadableError when it cannot be read now, or not by this process
   */
  open(uri: string, signal: AbortSignal): Promise<OpenedArtifact | undefined>;
}

/** A file may be there, and cannot be read now. The message is a sentence for a person, without credentials. */
export class ArtifactUnreadableError extends Error {
  override readonly name = 'ArtifactUnreadableError';
}
