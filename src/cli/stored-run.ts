import type { ResultStore, StoredRun } from '../results/result-store.ts';
import { UsageError } from './failure.ts';

/**
 * What is stored of the run that a person means.
 * @param reference UID, the beginning of one, or a name; undefined: the newest run
 * @param namespace only a run of this namespace of a cluster
 * @throws UsageError when there is none
 */
export async function storedRun(
  store: ResultStore,
  reference: string | undefined,
  namespace?: string,
): Promise<StoredRun> {
  const [newest] = reference === undefined ? await store.listRuns({ limit: 1 }) : [];
  const found = reference === undefined ? newest : await store.findRun(reference, namespace);
  if (found === undefined)
    throw new UsageError(
      reference === undefined
        ? 'no run is stored yet; start one with: batchtest run FILE'
        : `no stored run has the UID or name ${JSON.stringify(reference)}${namespace === undefined ? '' : ` in the namespace ${namespace}`}; batchtest list shows what is there`,
    );
  const stored = await store.loadRun(found.uid);
  if (stored === undefined) throw new UsageError('the run was removed while it was read');
  return stored;
}
