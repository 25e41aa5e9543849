import { resolve } from 'node:path';
import type { ResultStore } from '../results/result-store.ts';
import { type Environment, resultStoreFrom, userDataDirectory } from '../runner/presets.ts';
import { openResultStore } from '../runner/result-store.ts';
import type { DataDirectoryFlag } from './common-options.ts';

/** The data directory of this call: the flag, else that of the user. */
export const dataDirectoryOf = ({ dataDir }: DataDirectoryFlag, environment: Environment): string =>
  dataDir === undefined ? userDataDirectory(environment) : resolve(dataDir);

/** Opens the result store for the time of `use`. */
export async function withResultStore<T>(
  flags: DataDirectoryFlag,
  environment: Environment,
  use: (store: ResultStore) => Promise<T>,
): Promise<T> {
  const store = await openResultStore(
    resultStoreFrom(environment, () => dataDirectoryOf(flags, environment)),
  );
  try {
    return await use(store);
  } finally {
    await store.close();
  }
}
