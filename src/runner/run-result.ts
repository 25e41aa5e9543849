import { comparisonMatrix } from '../comparison/comparison-matrix.ts';
import type { RunEnd } from '../core/plan.ts';
import type { StoredRun } from '../results/result-store.ts';
import type { RunResult } from './runner.ts';

/** The result of a run from what is stored of it. The run is over. */
export function runResult(stored: StoredRun): RunResult {
  const matrix = comparisonMatrix(stored);
  return {
    uid: stored.uid,
    end: endOf(stored),
    bestVariantName: matrix.find(({ rank }) => rank === 1)?.variant,
    comparisonMatrix: matrix,
    stored,
    unread: undefined,
  };
}

function endOf({ uid, state, reason, message }: StoredRun): RunEnd {
  if (state === 'Running' || reason === undefined) throw new Error(`run ${uid} is not over`);
  return { state, reason, message: message ?? '' };
}
