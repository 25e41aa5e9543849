import type { RunControls } from '../core/run.ts';
import type { DesiredRun } from '../engine/run-source.ts';
import type { ActiveRun } from './active-run.ts';
import { startBudget } from './postponement.ts';

/** What a user wants now of a run, as a decision takes it. */
export function controlsOf(
  { manifest: { spec }, cancel }: Pick<Extract<DesiredRun, { kind: 'Runnable' }>, 'manifest' | 'cancel'>,
  { activeSince, postponement, ledger }: Pick<ActiveRun, 'activeSince' | 'postponement' | 'ledger'>,
  now: number,
): RunControls {
  const { activeDeadlineSeconds } = spec;
  return {
    parallelism: spec.parallelism,
    scaleDownPolicy: spec.scaleDownPolicy,
    maxPending: spec.maxPending,
    trialDeadlineSeconds: spec.trialDeadlineSeconds,
    trialStartDeadlineSeconds: spec.trialStartDeadlineSeconds,
    maxFailedVariants: spec.maxFailedVariants,
    // A local attempt that has ended is nothing but memory: its output stays in its files.
    podCleanupPolicy: ledger.definition.engine === 'local' ? 'Always' : spec.podCleanupPolicy,
    cancel,
    suspended: spec.suspend,
    deadlineAt:
      activeSince === undefined || activeDeadlineSeconds === undefined
        ? undefined
        : activeSince + activeDeadlineSeconds * 1_000,
    startBudget: startBudget(postponement, ledger.startsUnderWay.size, now),
    postponed: postponement?.explanation,
  };
}
