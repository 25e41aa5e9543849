import type { ResultStore, StoredRun } from '../results/result-store.ts';
import { hasRun, runsDirectoryOf } from '../runner/runs-directory.ts';
import { UsageError } from './failure.ts';
import { storedRun } from './stored-run.ts';

/**
 * The interrupted local run that a person names. A UID means one run, wherever that began; a name is looked for in this data directory alone.
 * @param reference UID, the beginning of one, or name
 * @throws UsageError when there is none
 */
export async function interruptedRun(
  store: ResultStore,
  reference: string,
  dataDirectory: string,
): Promise<StoredRun> {
  const found = await store.findRun(reference);
  const isByUid = found !== undefined && found.name !== reference;
  return isByUid
    ? refuseUnlessInterrupted(await storedRun(store, found.uid))
    : newestInterruptedRun(store, reference, dataDirectory);
}

/**
 * The newest interrupted local run of this data directory. In the same database there may be those of other machines, which have what their programs need.
 * @param name only a run of the BatchTest of this name; undefined: of any
 * @throws UsageError when there is none
 */
export async function newestInterruptedRun(
  store: ResultStore,
  name: string | undefined,
  dataDirectory: string,
): Promise<StoredRun> {
  const runs = (await store.interruptedRuns()).filter((run) => name === undefined || run.name === name);
  const runsDirectory = runsDirectoryOf(dataDirectory);
  const found = runs.find(({ uid }) => hasRun(runsDirectory, uid));
  if (found !== undefined) return storedRun(store, found.uid);
  const [elsewhere] = runs;
  if (elsewhere !== undefined)
    throw new UsageError(
      `run ${elsewhere.uid} (${elsewhere.name}) was interrupted, but is not of the data directory ${dataDirectory}: resume it where it began, with its --data-dir; or here by its UID: --resume ${elsewhere.uid}`,
    );
  // Says why that of the name cannot be.
  if (name !== undefined) return refuseUnlessInterrupted(await storedRun(store, name));
  throw new UsageError('no local run was interrupted; batchtest list shows what is there');
}

/** @throws UsageError which says why the run is none that could be resumed */
function refuseUnlessInterrupted(stored: StoredRun): StoredRun {
  if (stored.isInterrupted) return stored;
  const { uid, state, engine } = stored;
  const why =
    state !== 'Running' ? `is over (${state})` : engine === 'local' ? 'is under way' : "is a cluster's";
  throw new UsageError(`run ${uid} cannot be resumed: it ${why}`);
}
