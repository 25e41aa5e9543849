import type { PrunedRun, ResultStore } from './result-store.ts';

/** What came of deleting runs. */
export interface RunDeletion {
  readonly deleted: readonly PrunedRun[];
  /** The first; undefined when there was none. */
  readonly failure: unknown;
}

/**
 * Deletes one run after the other. What keeps one from being deleted keeps no other from it, but for a store that does not answer any more: what has become of
 * that, the other runs do not have to find out one by one.
 * @param deleteRun resolves to false when it has deleted nothing
 */
export async function deleteEach(
  runs: readonly PrunedRun[],
  deleteRun: (run: PrunedRun) => Promise<boolean>,
  store: Pick<ResultStore, 'ping'>,
): Promise<RunDeletion> {
  const deleted: PrunedRun[] = [];
  let failure: unknown;
  for (const run of runs) {
    try {
      if (await deleteRun(run)) deleted.push(run);
    } catch (error) {
      failure ??= error;
      if (!(await answers(store))) break;
    }
  }
  return { deleted, failure };
}

const answers = (store: Pick<ResultStore, 'ping'>): Promise<boolean> =>
  store.ping().then(
    () => true,
    () => false,
  );
