import { type ResultStore, ResultStoreUnavailableError } from '../results/result-store.ts';
import type { Logger } from '../telemetry/logger.ts';

const INTERVAL_MS = 60 * 60_000;
/** Not in the first moments of a leader, which has more urgent things to do. */
const FIRST_AFTER_MS = 5_000;

/**
 * Deletes the results of runs that ended longer ago than `retentionMs`, once an hour; nothing when that is undefined. A store that is away is tried
 * again the next time.
 */
export function startRetention(
  store: Pick<ResultStore, 'pruneRuns'>,
  retentionMs: number | undefined,
  logger: Logger,
): { stop(): void } {
  if (retentionMs === undefined) return { stop: () => {} };
  const prune = async (): Promise<void> => {
    try {
      const endedBefore = new Date(Date.now() - retentionMs);
      const pruned = await store.pruneRuns({ endedBefore, workflowId: undefined, keep: 0, dryRun: false });
      if (pruned.length > 0) logger.info({ runs: pruned.length, endedBefore }, 'results were deleted');
    } catch (error) {
      if (error instanceof ResultStoreUnavailableError)
        logger.warn({ reason: error.message }, 'results were not deleted');
      else logger.error({ err: error }, 'results were not deleted');
    }
  };
  const first = setTimeout(prune, FIRST_AFTER_MS);
  const regular = setInterval(prune, INTERVAL_MS);
  return {
    stop: () => {
      clearTimeout(first);
      clearInterval(regular);
    },
  };
}
