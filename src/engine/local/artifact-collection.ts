import { type Dirent, readdirSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { digestOf } from '../../artifacts/file-digest.ts';
import { mediaTypeOf } from '../../artifacts/media-type.ts';
import { openRegularFile } from '../../artifacts/regular-file.ts';
import type { CollectedArtifacts, CollectedFile } from '../../core/attempt.ts';
import { fileUriOf } from '../../core/file-uri.ts';
import { errorCode } from './system-error.ts';

/** Files of one attempt. */
const FILES_LIMIT = 256;
/** Of all files of one attempt together: 1 GiB. They are read twice, while they are tracked and while they are verified. */
const TOTAL_BYTES_LIMIT = 1_024 ** 3;
/** Files and folders that are looked at: a program may make any number of empty folders. */
const ENTRIES_LIMIT = 4_096;

/**
 * The regular files below a directory, with their digests; links and everything else are no artifacts. Nothing is waited for when there is nothing, which is
 * what most programs make.
 * @param directory absolute
 */
export function collectArtifacts(directory: string): CollectedArtifacts | Promise<CollectedArtifacts> {
  const uri = `${fileUriOf(directory)}/`;
  const nothing: CollectedArtifacts = { kind: 'Files', directory: uri, files: [] };
  try {
    const entries = readdirSync(directory, { withFileTypes: true });
    if (entries.length === 0) return nothing;
    return collect(directory, uri, entries).catch(unreadable);
  } catch (error) {
    // Its program is free to remove it.
    return errorCode(error) === 'ENOENT' ? nothing : unreadable(error);
  }
}

async function collect(
  directory: string,
  uri: string,
  entries: readonly Dirent[],
): Promise<CollectedArtifacts> {
  const found = await findFiles(directory, entries);
  if (typeof found === 'string') return refused('ArtifactsTooMany', found);
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

/** Paths below the directory in their order, or why there are too many. */
async function findFiles(directory: string, entries: readonly Dirent[]): Promise<readonly string[] | string> {
  const files: string[] = [];
  const folders: { readonly path: string; readonly entries: readonly Dirent[] }[] = [{ path: '', entries }];
  let seen = 0;
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    for (const entry of folder.entries) {
      seen += 1;
      if (seen > ENTRIES_LIMIT)
        return `there are more than ${ENTRIES_LIMIT} files and folders in $BATCHTEST_ARTIFACTS_DIR`;
      const path = folder.path + entry.name;
      if (entry.isFile()) files.push(path);
      if (files.length > FILES_LIMIT)
        return `there are more than ${FILES_LIMIT} files in $BATCHTEST_ARTIFACTS_DIR, which is the limit`;
      if (entry.isDirectory()) {
        const inside = await readdir(join(directory, path), { withFileTypes: true });
        folders.push({ path: `${path}/`, entries: inside });
      }
    }
  }
  return files.sort();
}

const refused = (reason: string, message: string): CollectedArtifacts => ({
  kind: 'Refused',
  reason,
  message,
});

/** Such as a file that its program took the right to read from. */
const unreadable = (error: unknown): CollectedArtifacts =>
  refused(
    'ArtifactsUnreadable',
    `the files in $BATCHTEST_ARTIFACTS_DIR cannot be read (${errorCode(error) ?? error})`,
  );
