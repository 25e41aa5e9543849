import { rm } from 'node:fs/promises';
import { makeWritable } from '../engine/local/writable-folders.ts';
import { errorCode } from '../error-code.ts';
import type { PrunedRun } from '../results/result-store.ts';
import { runDirectoryOf } from '../runner/runs-directory.ts';

/** What a local run is called. A database that others write to as well must not name another folder. */
const RUN_UID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/**
 * Removes what the trials of a local run left on this machine; those of a run that another machine ran are not here.
 * @throws what the file system answers when something of it cannot be removed
 */
export async function removeRunOutput(
  { uid, engine }: Pick<PrunedRun, 'uid' | 'engine'>,
  dataDirectory: string,
): Promise<void> {
  if (engine !== 'local' || !RUN_UID.test(uid)) return;
  const directory = runDirectoryOf(dataDirectory, uid);
  try {
    await remove(directory);
  } catch (error) {
    if (errorCode(error) !== 'EACCES') throw error;
    makeWritable(directory);
    await remove(directory);
  }
}

const remove = (directory: string): Promise<void> => rm(directory, { recursive: true, force: true });
