import type { ResultStore, StoredRun } from '../results/result-store.ts';
import { UsageError } from './failure.ts';
import { storedRun } from './stored-run.ts';

/** Interrupted runs older than this many others are not looked for. */
const LOOKED_AT = 1_000;

/**
 * The interrupted local run that is to be resumed.
 * @param reference UID, the beginning of one, or name; undefined: the newest one
 * @throws UsageError when there is none
 */
export async function interruptedRun(store: ResultStore, reference: string | undefined): Promise<StoredRun> {
  const runs = await store.listRuns({ limit: LOOKED_AT });
  // A newer run of the same name may be over.
  const found = runs.find(
    ({ name, isInterrupted }) => isInterrupted && (reference === undefined || name === reference),
  );
  if (found !== undefined) return storedRun(store, found.uid);
  if (reference === undefined)
    throw new UsageError('no local run was interrupted; batchtest list shows what is there');
  const stored = await storedRun(store, reference);
  if (stored.isInterrupted) return stored;
  const { uid, state, engine } = stored;
  const why =
    state !== 'Running' ? `is over (${state})` : engine === 'local' ? 'is under way' : "is a cluster's";
  throw new UsageError(`run ${uid} cannot be resumed: it ${why}`);
}
