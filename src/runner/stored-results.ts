import type { RunParity, RunParityOptions } from '../parity/run-parity.ts';
import { runParity } from '../parity/run-parity.ts';
import { type RunComparison, runComparison } from '../report/run-comparison.ts';
import { type RunReport, runReport } from '../report/run-report.ts';
import { LISTED_MESSAGES, type ListedMessage } from '../results/outbox.ts';
import type {
  PrunedRun,
  PruneSelection,
  ResultStore,
  RunSummary,
  StoredRun,
} from '../results/result-store.ts';
import { NoSuchRunError } from './errors.ts';

/** How many runs are listed unless it is said. */
const LISTED = 20;

/**
 * What is stored of runs: those of this runner and every other in its result store. A run is named by its UID, at least the first six characters of
 * it, or the name of its BatchTest, which is its newest run. Methods reject with ResultStoreUnavailableError when the store cannot be reached, and with
 * EmbeddedPostgresError or SchemaTooNewError when it cannot be opened.
 */
export class StoredResults {
  readonly #store: () => Promise<ResultStore>;

  /** @param store opens the result store, or gives the one that is open */
  constructor(store: () => Promise<ResultStore>) {
    this.#store = store;
  }

  /** The newest runs first; at most 20 unless `limit` says otherwise. */
  async list({
    limit = LISTED,
    workflowId,
  }: {
    readonly limit?: number;
    readonly workflowId?: string;
  } = {}): Promise<readonly RunSummary[]> {
    const store = await this.#store();
    return store.listRuns({ limit, ...(workflowId === undefined ? {} : { workflowId }) });
  }

  /** Everything stored of a run; undefined when there is none. */
  async load(run: string): Promise<StoredRun | undefined> {
    const store = await this.#store();
    const found = await store.findRun(run);
    return found === undefined ? undefined : store.loadRun(found.uid);
  }

  /**
   * The report of a run, over or not: what `batchtest report -o json` prints.
   * @throws NoSuchRunError
   */
  async report(run: string): Promise<RunReport> {
    return runReport(await this.#found(run));
  }

  /**
   * How a run differs from another, usually an earlier one: what `batchtest report --compare -o json` prints.
   * @throws NoSuchRunError
   */
  async compare(run: string, against: string): Promise<RunComparison> {
    return runComparison(runReport(await this.#found(run)), runReport(await this.#found(against)));
  }

  /**
   * Whether two finished runs are the same: what `batchtest parity RUN1 RUN2 -o json` prints.
   * @throws NoSuchRunError also when one of them is not over
   */
  async parity(first: string, second: string, options?: RunParityOptions): Promise<RunParity> {
    const [one, other] = [await this.#found(first), await this.#found(second)];
    for (const { uid, name, state } of [one, other])
      if (state === 'Running') throw new NoSuchRunError(`run ${uid} (${name}) is not over`);
    return runParity(one, other, options);
  }

  /** Deletes runs that ended long ago with everything stored of them, or only tells which. The oldest first. Output files of local trials stay. */
  async prune(selection: PruneSelection): Promise<readonly PrunedRun[]> {
    return (await this.#store()).pruneRuns(selection);
  }

  /** What follows from stored results and is not done: verification and notifications. The oldest first, at most 1,000. */
  async undelivered({
    deadOnly = false,
  }: {
    readonly deadOnly?: boolean;
  } = {}): Promise<readonly ListedMessage[]> {
    return (await this.#store()).outbox.list({ deadOnly, limit: LISTED_MESSAGES });
  }

  /** Has dead messages handled again, all of them without ids, by the operator or the next local run. Returns the ids of those that were dead. */
  async redeliver(ids?: readonly number[]): Promise<readonly number[]> {
    return (await this.#store()).outbox.retry(ids);
  }

  async #found(run: string): Promise<StoredRun> {
    const stored = await this.load(run);
    if (stored === undefined)
      throw new NoSuchRunError(`no stored run has the UID or name ${JSON.stringify(run)}`);
    return stored;
  }
}
