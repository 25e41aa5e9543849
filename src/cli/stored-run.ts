import type { ResultStore, RunScope, StoredRun } from '../results/result-store.ts';
import { UsageError } from './failure.ts';

/**
 * What is stored of the run that a person means.
 * @param reference UID, the beginning of one, or a name; undefined: the newest run
 * @param scope where a run that is named is looked for
 * @throws UsageError when there is none
 */
export async function storedRun(
  store: ResultStore,
  reference: string | undefined,
  scope: RunScope = {},
): Promise<StoredRun> {
  const [newest] = reference === undefined ? await store.listRuns({ limit: 1 }) : [];
  const found = reference === undefined ? newest : await store.findRun(reference, scope);
  if (found === undefined)
    throw new UsageError(
      reference === undefined
        ? 'no run is stored yet; start one with: batchtest run FILE'
        : `${noRunNamed(reference, scope)}; batchtest list shows what is there`,
    );
  const stored = await store.loadRun(found.uid);
  if (stored === undefined) throw new UsageError('the run was removed while it was read');
  return stored;
}

const noRunNamed = (reference: string, { engine, namespace }: RunScope): string =>
  `no stored ${engine === undefined ? '' : `${engine} `}run has the UID or name ${JSON.stringify(reference)}${namespace === undefined ? '' : ` in the namespace ${namespace}`}`;
