import { type ResultStore, ResultStoreUnavailableError } from '../results/result-store.ts';
import { deleteDueRuns } from '../results/run-deletion.ts';
import type { Logger } from '../telemetry/logger.ts';

const INTERVAL_MS = 60 * 60_000;
/** Not in the first moments of a leader, which has more urgent things to do. */
const FIRST_AFTER_MS = 5_000;

/** Which results are deleted, and when. */
export interface Retention {
  /** How long they stay after the end of their run; undefined: for ever. */
  readonly retentionMs: number | undefined;
  /** `All` for every namespace. */
  readonly namespaces: readonly string[] | 'All';
  /** Milliseconds since the epoch, by a clock that may be trusted with what cannot be taken back. */
  readonly now: () => number;
}

/**
 * Deletes the results of the cluster's runs in these namespaces that ended longer ago than `retentionMs`, once an hour; nothing when that is undefined. Results of
 * other operators and of local runs, which have files as well, may be in the same database, and are left to those. A store that is away is tried again the
 * next time.
 */
export function startRetention(
  store: Pick<ResultStore, 'pruneRuns' | 'deleteRuns' | 'ping'>,
  { retentionMs, namespaces, now }: Retention,
  logger: Logger,
): { stop(): void } {
  if (retentionMs === undefined) return { stop: () => {} };
  let isStopped = false;
  const prune = async (): Promise<void> => {
    try {
      const endedBefore = new Date(now() - retentionMs);
      const { deleted, failure } = await deleteDueRuns(store, {
        endedBefore,
        workflowId: undefined,
        keep: 0,
        engine: 'kubernetes',
        namespaces,
      });
      if (deleted.length > 0) logger.info({ runs: deleted.length, endedBefore }, 'results were deleted');
      if (failure !== undefined) throw failure;
    } catch (error) {
      // The store was closed meanwhile: the next leader goes on.
      if (isStopped) return;
      if (error instanceof ResultStoreUnavailableError)
        logger.warn({ reason: error.message }, 'results were not deleted, or not all of them');
      else logger.error({ err: error }, 'results were not deleted, or not all of them');
    }
  };
  // An hour after the last time has ended: to delete much takes long, and is not begun twice.
  let timer: NodeJS.Timeout;
  const pruneAfter = (ms: number): void => {
    timer = setTimeout(async () => {
      await prune();
      if (!isStopped) pruneAfter(INTERVAL_MS);
    }, ms);
  };
  pruneAfter(FIRST_AFTER_MS);
  return {
    stop: () => {
      isStopped = true;
      clearTimeout(timer);
    },
  };
}
