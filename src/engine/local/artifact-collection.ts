import { type Dirent, lstatSync, readdirSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { digestOf } from '../../artifacts/file-digest.ts';
import { mediaTypeOf } from '../../artifacts/media-type.ts';
import { openRegularFile } from '../../artifacts/regular-file.ts';
import type { CollectedArtifacts, CollectedFile } from '../../core/attempt.ts';
import { fileUriOf } from '../../core/file-uri.ts';
import { errorCode } from '../../error-code.ts';
import { isMachineFailure } from './system-error.ts';

/** Files of one attempt. */
const FILES_LIMIT = 256;
/** Of all files of one attempt together: 1 GiB. They are read twice, while they are tracked and while they are verified. */
const TOTAL_BYTES_LIMIT = 1_024 ** 3;
/** Files and folders that are looked at: a program may make any number of empty folders. */
const ENTRIES_LIMIT = 4_096;

/** Attempts whose files are read at once: each has one open, and hundreds may end together. */
const ATTEMPTS_AT_ONCE = 4;

/** Reads what programs left in their artifacts directories, of a few attempts at a time. */
export class ArtifactCollector {
  #underWay = 0;
  readonly #waiting: (() => void)[] = [];

  /**
   * The regular files below a directory, with their digests; links and everything else are no artifacts. Nothing is waited for when there is nothing, which is
   * what most programs make.
   * @param directory absolute
   * @throws what the system answers when it cannot read now, which says nothing about the files
   */
  collect(directory: string): CollectedArtifacts | Promise<CollectedArtifacts> {
    const uri = `${fileUriOf(directory)}/`;
    const nothing: CollectedArtifacts = { kind: 'Files', directory: uri, files: [] };
    try {
      const entries = readdirSync(directory, { withFileTypes: true });
      if (entries.length === 0) return nothing;
      return this.#inTurn(() => collect(directory, uri, entries)).catch(unreadable);
    } catch (error) {
      // Its program is free to remove it.
      return errorCode(error) === 'ENOENT' ? nothing : unreadable(error);
    }
  }

  async #inTurn<T>(work: () => Promise<T>): Promise<T> {
    if (this.#underWay < ATTEMPTS_AT_ONCE) this.#underWay += 1;
    // Whoever is done leaves its place to the first that waits.
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#underWay -= 1;
      else next();
    }
  }
}

async function collect(
  directory: string,
  uri: string,
  entries: readonly Dirent[],
): Promise<CollectedArtifacts> {
  const found = await findFiles(directory, entries);
  if ('kind' in found) return found;
  const files: CollectedFile[] = [];
  let total = 0;
  for (const path of found) {
    const file = await openRegularFile(join(directory, path));
    if (file === undefined) continue;
    total += file.size;
    if (total > TOTAL_BYTES_LIMIT) {
      await file.handle.close();
      return refused(
        'ArtifactsTooLarge',
        `the files in $BATCHTEST_ARTIFACTS_DIR are larger than ${TOTAL_BYTES_LIMIT / 1_024 ** 2} MiB together`,
      );
    }
    // What the file has grown by since is not read: its process has ended.
    const stream = file.handle.createReadStream({ start: 0, end: Math.max(0, file.size - 1) });
    const digest = await digestOf(stream);
    files.push({
      path,
      uri: fileUriOf(join(directory, path)),
      ...digest,
      mediaType: mediaTypeOf(path),
    });
  }
  return { kind: 'Files', directory: uri, files };
}

/** Paths below the directory in their order, or why they cannot be tracked. */
async function findFiles(
  directory: string,
  entries: readonly Dirent[],
): Promise<readonly string[] | CollectedArtifacts> {
  const files: string[] = [];
  const folders: { readonly path: string; readonly entries: readonly Dirent[] }[] = [{ path: '', entries }];
  let seen = 0;
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    for (const entry of folder.entries) {
      seen += 1;
      if (seen > ENTRIES_LIMIT)
        return refused(
          'ArtifactsTooMany',
          `there are more than ${ENTRIES_LIMIT} files and folders in $BATCHTEST_ARTIFACTS_DIR`,
        );
      const path = folder.path + entry.name;
      if (isNotText(entry.name, join(directory, path)))
        return refused(
          'ArtifactNameNotText',
          `the name of ${path} in $BATCHTEST_ARTIFACTS_DIR is not UTF-8, so no URI can tell of it: give it another name`,
        );
      if (entry.isFile()) files.push(path);
      if (files.length > FILES_LIMIT)
        return refused(
          'ArtifactsTooMany',
          `there are more than ${FILES_LIMIT} files in $BATCHTEST_ARTIFACTS_DIR, which is the limit`,
        );
      if (entry.isDirectory()) {
        const inside = await readdir(join(directory, path), { withFileTypes: true });
        folders.push({ path: `${path}/`, entries: inside });
      }
    }
  }
  return files.sort();
}

/** A name that is not UTF-8 is told with replacement characters, and there is nothing of the name that is told. */
const isNotText = (name: string, path: string): boolean =>
  name.includes('\ufffd') && lstatSync(path, { throwIfNoEntry: false }) === undefined;

/** Why the files of an attempt are not taken. */
export type ArtifactsRefusal =
  | 'ArtifactsTooMany'
  | 'ArtifactsTooLarge'
  | 'ArtifactNameNotText'
  | 'ArtifactsUnreadable';

const refused = (reason: ArtifactsRefusal, message: string): CollectedArtifacts => ({
  kind: 'Refused',
  reason,
  message,
});

/** Such as a file that its program took the right to read from. */
function unreadable(error: unknown): CollectedArtifacts {
  if (isMachineFailure(error)) throw error;
  return refused(
    'ArtifactsUnreadable',
    `the files in $BATCHTEST_ARTIFACTS_DIR cannot be read (${errorCode(error) ?? error})`,
  );
}
