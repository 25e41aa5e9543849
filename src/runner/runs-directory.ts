import { existsSync } from 'node:fs';
import { access, constants, mkdir, realpath, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { createDirectory, unusable } from '../results/postgres/embedded/prepare-directories.ts';

/** Where the local runs of a data directory leave what their programs write: a folder for each, named by its UID. */
export const runsDirectoryOf = (dataDirectory: string): string => resolve(dataDirectory, 'runs');

/** True for a run that has begun, or gone on, with the data directory of these runs. */
export const hasRun = (runsDirectory: string, uid: string): boolean => existsSync(join(runsDirectory, uid));

/** Where a run of a data directory leaves what its programs write. */
export const runDirectoryOf = (dataDirectory: string, uid: string): string =>
  join(runsDirectoryOf(dataDirectory), uid);

/**
 * Creates the folder of the runs, and gives its real path: the programs of a run are found again by it, however the data directory is named then.
 * @throws EmbeddedPostgresError when it cannot be created or written
 */
export const prepareRunsDirectory = (dataDirectory: string): Promise<string> =>
  usable(dataDirectory, async () => {
    const directory = runsDirectoryOf(dataDirectory);
    await createDirectory(directory, undefined);
    await access(directory, constants.W_OK | constants.X_OK);
    return realpath(directory);
  });

/**
 * Creates the folder of a run in that of the runs, which is prepared. By it the next process knows the run as one of this data directory.
 * @param files texts that it is to have, by name
 * @throws EmbeddedPostgresError when it cannot be created or written
 */
export const prepareRunDirectory = (
  dataDirectory: string,
  uid: string,
  files: Readonly<Record<string, string>> = {},
): Promise<void> =>
  usable(dataDirectory, async () => {
    const directory = runDirectoryOf(dataDirectory, uid);
    await mkdir(directory, { recursive: true });
    for (const [name, text] of Object.entries(files)) await writeFile(join(directory, name), text);
  });

async function usable<T>(dataDirectory: string, prepare: () => Promise<T>): Promise<T> {
  try {
    return await prepare();
  } catch (error) {
    throw unusable(
      dataDirectory,
      error,
      'Choose another: what the programs of local runs write is kept there, whichever database has the results',
    );
  }
}
