import type { RunControls } from '../core/run.ts';
import type { Engine } from '../engine/engine.ts';
import type { DesiredRun } from '../engine/run-source.ts';
import type { ActiveRun } from './active-run.ts';
import { startBudget } from './postponement.ts';

/**
 * A cluster spends as much on the deletion of a Job and its pod as on the next ones. When many end together, the slots are all filled within this
 * time if nothing is deleted meanwhile (measured on two cores; see docs/decisions/0018-cleaning-up-gives-way.md).
 */
const REMOVAL_DELAY_MS = 1_000;

/** A cluster that does not answer may take minutes; this process has heard of all that its programs did after another turn of its event loop. */
const UNSEEN_RETRY_MS = { cluster: 1_000, local: 10 };

/** What a user wants now of a run, as a decision takes it. */
export function controlsOf(
  { manifest: { spec }, cancel }: Pick<Extract<DesiredRun, { kind: 'Runnable' }>, 'manifest' | 'cancel'>,
  { activeSince, postponement, ledger }: Pick<ActiveRun, 'activeSince' | 'postponement' | 'ledger'>,
  engine: Pick<Engine, 'seenUntil'>,
  now: number,
): RunControls {
  const { activeDeadlineSeconds } = spec;
  const isLocal = ledger.definition.engine === 'local';
  return {
    parallelism: spec.parallelism,
    scaleDownPolicy: spec.scaleDownPolicy,
    maxPending: spec.maxPending,
    trialDeadlineSeconds: spec.trialDeadlineSeconds,
    trialStartDeadlineSeconds: spec.trialStartDeadlineSeconds,
    maxFailedVariants: spec.maxFailedVariants,
    // A local attempt that has ended is nothing but memory: its output stays in its files.
    podCleanupPolicy: isLocal ? 'Always' : spec.podCleanupPolicy,
    removalDelayMs: isLocal ? 0 : REMOVAL_DELAY_MS,
    cancel,
    suspended: spec.suspend,
    deadlineAt:
      activeSince === undefined || activeDeadlineSeconds === undefined
        ? undefined
        : activeSince + activeDeadlineSeconds * 1_000,
    seenUntil: engine.seenUntil(ledger.definition, now),
    unseenRetryMs: isLocal ? UNSEEN_RETRY_MS.local : UNSEEN_RETRY_MS.cluster,
    startBudget: startBudget(postponement, ledger.startsUnderWay.size, now),
    postponed: postponement?.explanation,
  };
}
