import type { PrunedRun, PruneSelection, ResultStore } from './result-store.ts';

/** What came of deleting runs. */
export interface RunDeletion {
  readonly deleted: readonly PrunedRun[];
  /** The first; undefined when there was none. */
  readonly failure: unknown;
}

/**
 * Deletes the runs that are due, one after the other. What keeps one from being deleted keeps no other from it, but for a store that does not answer any more: what
 * has become of that, the other runs do not have to find out one by one.
 * @param mayDelete asked before each; resolves to false for one that is to stay
 * @throws what the store answers when it cannot tell what is due, or its role may delete nothing, which is told where there is nothing to delete as well
 */
export async function deleteDueRuns(
  store: Pick<ResultStore, 'pruneRuns' | 'deleteRuns' | 'ping'>,
  selection: Omit<PruneSelection, 'dryRun'>,
  mayDelete: (run: PrunedRun) => Promise<boolean> = async () => true,
): Promise<RunDeletion> {
  const due = await store.pruneRuns({ ...selection, dryRun: true });
  await store.deleteRuns([]);
  const deleted: PrunedRun[] = [];
  let failure: unknown;
  for (const run of due) {
    try {
      if (!(await mayDelete(run))) continue;
      const [gone] = await store.deleteRuns([run.uid]);
      // Otherwise somebody else was first.
      if (gone !== undefined) deleted.push(run);
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
