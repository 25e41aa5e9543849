import { defineRun } from '../core/run.ts';
import type { ResultStore, StoredRun } from '../results/result-store.ts';

/**
 * Ends a local run from another process. The process that runs it is asked to, and ends its trials; one whose process has gone is ended here.
 * @returns what was done, as a sentence
 */
export async function cancelLocalRun(
  store: ResultStore,
  { uid, name, manifest, directory }: StoredRun,
): Promise<string> {
  const hold = await store.holdRun(uid);
  if (hold === undefined) {
    const verdict = await store.requestCancel(uid);
    return verdict === 'Requested'
      ? `run ${uid} (${name}) is being ended by the process that runs it`
      : `run ${uid} (${name}) is over`;
  }
  try {
    const { fence, end, trials } = await store.openRun(
      defineRun(manifest, { uid, engine: 'local', directory }),
    );
    if (end !== undefined) return `run ${uid} (${name}) is over: ${end.state}`;
    const done = trials.filter(({ phase }) => phase !== 'Pending').length;
    await store.finishRun(uid, fence, {
      state: 'Cancelled',
      reason: 'CancelRequested',
      message: `cancelled after its process had gone, with ${done} of ${trials.length} trials done`,
    });
    return `run ${uid} (${name}) is cancelled; its process had gone before`;
  } finally {
    await hold.release();
  }
}
