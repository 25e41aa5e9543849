import { createHash, type Hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readdir, readlink, realpath, stat } from 'node:fs/promises';
import { sep } from 'node:path';

/** The data holds what cannot be read as data: a device, a socket, a FIFO. */
export class NotDataError extends Error {
  override readonly name = 'NotDataError';
}

/**
 * SHA-256 of a file, or of a folder with all that is in it: names, contents, and where links lead. Links are followed, since programs follow them; one that leads
 * nowhere, or back into a folder that it is in, counts by its target alone, and one to a folder that was read already by which of them that was: else packages that link to each
 * other would be read once for each way that leads to them. Neither times nor permissions count. Contents are streamed: what is held is the names of one
 * folder at a time and its parents', and where each folder is.
 * @throws NotDataError; what Node throws when something cannot be read; the signal's reason
 */
export async function treeDigest(path: string, signal: AbortSignal): Promise<string> {
  const hash = createHash('sha256');
  await addEntry(hash, Buffer.from(path), [], new Map(), signal);
  return hash.digest('hex');
}

/**
 * Paths are bytes throughout: a name need not be UTF-8, and there is nothing of the name that it would be decoded to.
 * @param parents real paths of the folders that this entry is in, each byte of them as a character
 * @param read numbers of the folders that were read, in their order, by real path
 */
async function addEntry(
  hash: Hash,
  path: Buffer,
  parents: readonly string[],
  read: Map<string, number>,
  signal: AbortSignal,
): Promise<void> {
  signal.throwIfAborted();
  const status = await stat(path).catch((error: unknown) => ofDanglingLink(path, error));
  if (Buffer.isBuffer(status)) return note(hash, 'link', status);
  if (status.isFile()) {
    note(hash, 'file', Buffer.from(await fileDigest(path, signal)));
    return;
  }
  if (!status.isDirectory()) throw new NotDataError(`${path} is neither a file nor a folder`);
  const real = (await realpath(path, BYTES)).toString('latin1');
  if (parents.includes(real)) return note(hash, 'link', await readlink(path, BYTES));
  const before = read.get(real);
  if (before !== undefined) return note(hash, 'same', Buffer.from(String(before)));
  read.set(real, read.size);
  const names = inOrder(await readdir(path, BYTES));
  note(hash, 'folder', Buffer.from(String(names.length)));
  for (const name of names) {
    note(hash, 'name', name);
    await addEntry(hash, Buffer.concat([path, SEPARATOR, name]), [...parents, real], read, signal);
  }
}

const BYTES = { encoding: 'buffer' } as const;
const SEPARATOR = Buffer.from(sep);

/** In the order of their texts, which the digests of runs that are resumed have; by their bytes those that are the same text. */
const inOrder = (names: readonly Buffer[]): readonly Buffer[] =>
  names
    .map((bytes) => ({ bytes, text: bytes.toString() }))
    .sort((one, other) =>
      one.text === other.text ? one.bytes.compare(other.bytes) : one.text < other.text ? -1 : 1,
    )
    .map(({ bytes }) => bytes);

/** Each part with its length before it, so that no two trees give the same text. */
function note(hash: Hash, kind: 'file' | 'folder' | 'link' | 'name' | 'same', text: Buffer): void {
  hash.update(`${kind} ${text.length} `).update(text).update('\n');
}

async function fileDigest(path: Buffer, signal: AbortSignal): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path, { signal })) hash.update(chunk);
  return hash.digest('hex');
}

/** Where a link leads that leads nowhere, or in a circle. */
async function ofDanglingLink(path: Buffer, error: unknown): Promise<Buffer> {
  return readlink(path, BYTES).catch(() => {
    throw error;
  });
}
