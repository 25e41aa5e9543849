import { existsSync } from 'node:fs';
import { access, constants, realpath } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { createDirectory, unusable } from '../results/postgres/embedded/prepare-directories.ts';

/** Where the local runs of a data directory leave what their programs write: a folder for each, named by its UID. */
export const runsDirectoryOf = (dataDirectory: string): string => resolve(dataDirectory, 'runs');

/** True for a run that has begun, or gone on, with the data directory of these runs. */
export const hasRun = (runsDirectory: string, uid: string): boolean => existsSync(join(runsDirectory, uid));

/**
 * Creates the folder of the runs, and gives its real path: the programs of a run are found again by it, however the data directory is named then.
 * @throws EmbeddedPostgresError when it cannot be created or written
 */
export async function prepareRunsDirectory(dataDirectory: string): Promise<string> {
  const directory = runsDirectoryOf(dataDirectory);
  try {
    await createDirectory(directory, undefined);
    await access(directory, constants.W_OK | constants.X_OK);
    return await realpath(directory);
  } catch (error) {
    throw unusable(
      dataDirectory,
      error,
      'Choose another: what the programs of local runs write is kept there, whichever database has the results',
    );
  }
}
