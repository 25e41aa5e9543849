import type { ResultStore, RunSummary, StoredRun } from '../results/result-store.ts';
import { hasRun, runsDirectoryOf } from '../runner/runs-directory.ts';
import { UsageError } from './failure.ts';
import { storedRun } from './stored-run.ts';

/** Interrupted runs older than this many others are not looked for. */
const LOOKED_AT = 1_000;

/**
 * The interrupted local run that a person names.
 * @param reference UID, the beginning of one, or name
 * @throws UsageError when there is none
 */
export async function interruptedRun(store: ResultStore, reference: string): Promise<StoredRun> {
  // A newer run of the same name may be over.
  const [found] = await interruptedRuns(store, reference);
  if (found !== undefined) return storedRun(store, found.uid);
  const stored = await storedRun(store, reference);
  if (stored.isInterrupted) return stored;
  const { uid, state, engine } = stored;
  const why =
    state !== 'Running' ? `is over (${state})` : engine === 'local' ? 'is under way' : "is a cluster's";
  throw new UsageError(`run ${uid} cannot be resumed: it ${why}`);
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
  const runs = await interruptedRuns(store, name);
  const runsDirectory = runsDirectoryOf(dataDirectory);
  const found = runs.find(({ uid }) => hasRun(runsDirectory, uid));
  if (found !== undefined) return storedRun(store, found.uid);
  const [elsewhere] = runs;
  if (elsewhere !== undefined)
    throw new UsageError(
      `run ${elsewhere.uid} (${elsewhere.name}) was interrupted, but is not of the data directory ${dataDirectory}: resume it where it began, with its --data-dir; or here by its UID: --resume ${elsewhere.uid}`,
    );
  // Says why that of the name cannot be.
  if (name !== undefined) return interruptedRun(store, name);
  throw new UsageError('no local run was interrupted; batchtest list shows what is there');
}

/** The newest first. */
const interruptedRuns = async (
  store: ResultStore,
  name: string | undefined,
): Promise<readonly RunSummary[]> =>
  (await store.listRuns({ limit: LOOKED_AT })).filter(
    (run) => run.isInterrupted && (name === undefined || run.name === name),
  );
