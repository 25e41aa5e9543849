import { defineRun, type RunControls, type RunDefinition } from '../../src/core/run.ts';
import type { Trial } from '../../src/core/trial.ts';
import { aBatchTest, type BatchTestOptions } from './batch-test.ts';

export interface RunOptions extends BatchTestOptions {
  readonly uid?: string;
}

/**
 * A run of a BatchTest. Its trials start in the order in which they are listed, repetition by repetition, so that a test can be read
 * without knowing the seed; `trial.test.ts` is about the order of a real run.
 */
export function aRun(options: RunOptions = {}): RunDefinition {
  const run = defineRun(aBatchTest(options), {
    uid: options.uid ?? '6f1c8a52-0000-4000-8000-000000000001',
    engine: 'kubernetes',
  });
  return { ...run, trials: inListedOrder(run) };
}

const inListedOrder = ({ variants, manifest }: RunDefinition): readonly Trial[] =>
  Array.from({ length: manifest.spec.repetitions }, (_, repetition) =>
    variants.map((variant) => ({ variant, repetition })),
  ).flat();

/** What the user of the run wants: at first what its manifest says. */
export const controlsOf = ({ manifest: { spec } }: RunDefinition): RunControls => ({
  parallelism: spec.parallelism,
  scaleDownPolicy: spec.scaleDownPolicy,
  maxPending: spec.maxPending,
  trialDeadlineSeconds: spec.trialDeadlineSeconds,
  trialStartDeadlineSeconds: spec.trialStartDeadlineSeconds,
  maxFailedVariants: spec.maxFailedVariants,
  podCleanupPolicy: spec.podCleanupPolicy,
  cancel: undefined,
  invalidSpec: undefined,
  suspended: spec.suspend,
  deadlineAt: undefined,
  seenUntil: Number.POSITIVE_INFINITY,
  wantedSince: 0,
  unseenRetryMs: 1_000,
  startBudget: Number.POSITIVE_INFINITY,
  removalDelayMs: 0,
  postponed: undefined,
});
