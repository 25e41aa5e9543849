import type { BatchTest } from '../api/v1alpha1/schema.ts';
import { haltOf } from '../core/halt.ts';
import type { RunControls, RunDefinition } from '../core/run.ts';
import type { ReadonlyRunLedger } from '../core/run-ledger.ts';
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

/** What is wanted of a run, and by which manifest. */
export interface WantedOfRun extends Pick<RunControls, 'cancel'>, Partial<Pick<RunControls, 'invalidSpec'>> {
  readonly manifest: BatchTest;
}

/**
 * What is wanted of a run now. Of an object that cannot be read only that is known, so the run is ended by the manifest that it was opened with.
 */
export function wantedOf(desired: DesiredRun, definition: RunDefinition): WantedOfRun {
  if (desired.kind === 'Runnable') return { manifest: desired.manifest, cancel: desired.cancel };
  return {
    manifest: definition.manifest,
    cancel: desired.deletedAt === undefined ? undefined : 'Deleted',
    // A line per mistake, in a sentence.
    invalidSpec: desired.message.replaceAll('\n', '; '),
  };
}

/** What can end attempts that go on, of what is wanted of a run. */
export interface EndWish {
  readonly what: string;
  /** Since when this process knows of it, in milliseconds since the epoch. */
  readonly since: number;
}

/** The wish before while it is still the same, so that it is known how old it is. */
export function endWishOf(
  before: EndWish | undefined,
  wanted: WantedOfRun,
  ledger: ReadonlyRunLedger,
  now: number,
): EndWish {
  const what = whatEnds(wanted, ledger, now);
  return before?.what === what ? before : { what, since: now };
}

/**
 * Also what is stored can ask for an end: that the targets are met, that a variant has failed, or that one is stopped early, by which a start without an answer is
 * undone. The run's deadline is as old as it says. What makes no difference, such as the parallelism of a run that is cancelled, is left out: each edit of it would
 * begin the wait anew.
 */
function whatEnds(
  { manifest: { spec }, cancel, invalidSpec }: WantedOfRun,
  ledger: ReadonlyRunLedger,
  now: number,
): string {
  // Who deletes what is cancelled wants the same of its attempts.
  if (cancel !== undefined) return 'cancel';
  const { suspend: suspended, parallelism, scaleDownPolicy, maxFailedVariants } = spec;
  const halt = haltOf(
    ledger,
    { cancel, invalidSpec, suspended, maxFailedVariants, deadlineAt: undefined },
    now,
  );
  const { givenUpVariants, stoppedVariants } = ledger;
  return halt?.reason ?? JSON.stringify([parallelism, scaleDownPolicy, givenUpVariants, stoppedVariants]);
}

/** What a user wants now of a run, as a decision takes it. */
export function controlsOf(
  { manifest: { spec }, cancel, invalidSpec }: WantedOfRun,
  {
    activeSince,
    endWish,
    postponement,
    ledger,
  }: Pick<ActiveRun, 'activeSince' | 'endWish' | 'postponement' | 'ledger'>,
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
    invalidSpec,
    suspended: spec.suspend,
    deadlineAt:
      activeSince === undefined || activeDeadlineSeconds === undefined
        ? undefined
        : activeSince + activeDeadlineSeconds * 1_000,
    seenUntil: engine.seenUntil(ledger.definition, now),
    wantedSince: endWish?.since ?? 0,
    unseenRetryMs: isLocal ? UNSEEN_RETRY_MS.local : UNSEEN_RETRY_MS.cluster,
    startBudget: startBudget(postponement, ledger.startsUnderWay.size, now),
    postponed: postponement?.explanation,
  };
}
