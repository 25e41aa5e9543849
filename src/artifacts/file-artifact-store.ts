import { realpath } from 'node:fs/promises';
import { basename, dirname, join, normalize, sep } from 'node:path';
import { pathOfFileUri } from '../core/file-uri.ts';
import { type ArtifactStore, ArtifactUnreadableError, type OpenedArtifact } from './artifact-store.ts';
import { openRegularFile } from './regular-file.ts';

const NOT_THERE: readonly unknown[] = ['ENOENT', 'ENOTDIR'];

/** Reads the regular files below one folder of this machine, as `file:` URIs name them. No link leads out of it. */
export class FileArtifactStore implements ArtifactStore {
  readonly #root: string;

  /** @param root absolute */
  constructor(root: string) {
    this.#root = normalize(root);
  }

  holds(uri: string): boolean {
    return this.#pathOf(uri) !== undefined;
  }

  async open(uri: string, signal: AbortSignal): Promise<OpenedArtifact | undefined> {
    signal.throwIfAborted();
    const path = this.#pathOf(uri);
    if (path === undefined) return undefined;
    try {
      const folder = await realpath(dirname(path));
      if (!isBelow(join(folder, basename(path)), await realpath(this.#root))) return undefined;
      const file = await openRegularFile(join(folder, basename(path)));
      return file === undefined
        ? undefined
        : { size: file.size, stream: file.handle.createReadStream({ signal }) };
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? error.code : undefined;
      if (NOT_THERE.includes(code)) return undefined;
      throw new ArtifactUnreadableError(`the file cannot be read (${code ?? 'unknown error'})`, {
        cause: error,
      });
    }
  }

  #pathOf(uri: string): string | undefined {
    const path = pathOfFileUri(uri);
    return path !== undefined && isBelow(normalize(path), this.#root) ? normalize(path) : undefined;
  }
}

const isBelow = (path: string, root: string): boolean =>
  path.startsWith(root.endsWith(sep) ? root : root + sep);
