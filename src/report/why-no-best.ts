import { canBeCompared } from '../comparison/comparable-run.ts';
import type { RunReport } from './run-report.ts';

/** Why a report names no best variant; the end of a sentence. */
export function whyNoBest({ run, matrix }: RunReport): string {
  if (!canBeCompared(run.reason ?? undefined))
    return 'its shared data changed, so what was measured cannot be compared';
  if (run.trials.succeeded === 0)
    return run.state === 'Running' ? 'no trial has succeeded yet' : 'no trial succeeded';
  if (matrix.length === 0) return 'none was named, and the results cannot be read';
  if (matrix.some(({ stoppedAtLook, score }) => stoppedAtLook !== null && score !== null))
    return 'every variant that was not stopped early has a failed trial';
  return matrix.some(({ trials }) => trials.failed === 0)
    ? 'the variants without a failed trial have no result'
    : 'every variant has a failed trial';
}
