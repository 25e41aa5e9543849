import type { IncomingMessage } from 'node:http';

/** Bytes of a body that nobody wants that are read all the same, so that its sender gets to read the answer: a connection that is closed before is reset. */
const DISCARD_LIMIT_BYTES = 16 * 1_024 * 1_024;
/** How long that may take: a sender who is refused must not hold a connection for as long as one whose result is wanted. */
const DISCARD_PATIENCE_MS = 5_000;

/** Reads a request's body. `TooLarge` as soon as it is known to be longer than the limit; the rest has not been read then. */
export async function readBody(
  request: IncomingMessage,
  limitBytes: number,
  wantBody: () => void,
): Promise<Buffer | 'TooLarge'> {
  if (isAnnouncedLonger(request, limitBytes)) return 'TooLarge';
  wantBody();
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request.iterator({ destroyOnReturn: false })) {
    length += chunk.length;
    if (length > limitBytes) return 'TooLarge';
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, length);
}

const isAnnouncedLonger = ({ headers }: IncomingMessage, limitBytes: number): boolean =>
  Number(headers['content-length'] ?? 0) > limitBytes;

/** Reads what is left of a body, up to a bound of bytes and of time, and keeps nothing of it. Never rejects. */
export async function discardBody(request: IncomingMessage): Promise<void> {
  let patience: NodeJS.Timeout | undefined;
  const lost = new Promise<void>((resolve) => {
    patience = setTimeout(resolve, DISCARD_PATIENCE_MS);
  });
  await Promise.race([discardedToItsEnd(request), lost]);
  clearTimeout(patience);
}

async function discardedToItsEnd(request: IncomingMessage): Promise<void> {
  let length = 0;
  try {
    for await (const chunk of request.iterator({ destroyOnReturn: false })) {
      length += chunk.length;
      if (length > DISCARD_LIMIT_BYTES) return;
    }
  } catch {
    // Its sender has hung up, and reads no answer either.
  }
}
