import { createHash } from 'node:crypto';
import type { Readable } from 'node:stream';

/** What the bytes of a file come to. */
export interface FileDigest {
  /** Lower-case hexadecimal. */
  readonly sha256: string;
  /** Bytes. */
  readonly size: number;
}

/**
 * Reads a stream to its end.
 * @throws what the stream fails with, and the signal's reason when it is aborted before
 */
export async function digestOf(stream: Readable, signal?: AbortSignal): Promise<FileDigest> {
  const hash = createHash('sha256');
  let size = 0;
  try {
    for await (const chunk of stream) {
      signal?.throwIfAborted();
      hash.update(chunk);
      size += chunk.length;
    }
  } finally {
    stream.destroy();
  }
  return { sha256: hash.digest('hex'), size };
}
