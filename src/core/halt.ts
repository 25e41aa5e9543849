import { targetsText } from '../comparison/target.ts';
import type { RunEnd } from './plan.ts';
import type { RunControls } from './run.ts';
import type { ReadonlyRunLedger } from './run-ledger.ts';

/** Why nothing of a run may run now. */
export interface Halt {
  /** Written into the attempts that it ends; one CamelCase word. */
  readonly reason:
    | 'RunCancelled'
    | 'RunDeleted'
    | 'TargetMet'
    | 'InvalidSpec'
    | 'TooManyFailedVariants'
    | 'DeadlineExceeded'
    | 'RunSuspended';
  /** A sentence for a person, without a full stop. */
  readonly message: string;
  /** How the run ends once nothing of it runs any more; undefined when it only waits. */
  readonly end: RunEnd | undefined;
}

/** Of a run that its user has suspended. */
export const SUSPENDED: Halt = {
  reason: 'RunSuspended',
  message: 'the run is suspended (spec.suspend)',
  end: undefined,
};

/**
 * The one place that decides whether a run is stopped before it is complete; undefined when it may go on. A level, not an event: it is asked
 * on every look, and a run whose deadline is extended before everything has ended goes on.
 */
export function haltOf(
  ledger: ReadonlyRunLedger,
  controls: Pick<RunControls, 'cancel' | 'invalidSpec' | 'maxFailedVariants' | 'deadlineAt' | 'suspended'>,
  now: number,
): Halt | undefined {
  const { counts, variantCounts } = ledger;
  const done = `${counts.succeeded + counts.failed} of ${counts.total} trials done`;
  const halt = (reason: Halt['reason'], message: string, end: Omit<RunEnd, 'message'>): Halt => ({
    reason,
    message,
    end: { ...end, message: `${message}, with ${done}` },
  });

  switch (controls.cancel) {
    case 'Requested':
      return halt('RunCancelled', 'cancelled', { state: 'Cancelled', reason: 'CancelRequested' });
    case 'Deleted':
      return halt('RunDeleted', 'the BatchTest was deleted', { state: 'Cancelled', reason: 'Deleted' });
    case undefined:
  }
  // Before what may come later: once they are met they stay met, so the run ends in one way.
  if (ledger.targetMetBy !== undefined && counts.pending + counts.active + counts.skipped > 0)
    return halt('TargetMet', targetMessage(ledger), { state: 'Complete', reason: 'TargetMet' });
  const { invalidSpec, maxFailedVariants, deadlineAt } = controls;
  // What else the object says is not known then.
  if (invalidSpec !== undefined)
    return halt('InvalidSpec', `the run cannot go on as its object is now (${invalidSpec})`, {
      state: 'Failed',
      reason: 'InvalidSpec',
    });
  if (maxFailedVariants !== undefined && variantCounts.failed > maxFailedVariants)
    return halt(
      'TooManyFailedVariants',
      `${variantCounts.failed} ${variantCounts.failed === 1 ? 'variant' : 'variants'} failed, more than spec.maxFailedVariants (${maxFailedVariants}) allows`,
      { state: 'Failed', reason: 'TooManyFailedVariants' },
    );
  if (deadlineAt !== undefined && now >= deadlineAt)
    return halt('DeadlineExceeded', 'the run was active for longer than spec.activeDeadlineSeconds', {
      state: 'Failed',
      reason: 'DeadlineExceeded',
    });
  return controls.suspended ? SUSPENDED : undefined;
}

/** Which variant meets which targets, as a sentence without a full stop; the run has such a variant. */
export const targetMessage = ({ targetMetBy = '', definition }: ReadonlyRunLedger): string =>
  `${targetMetBy} meets the target: ${targetsText(definition.manifest.spec.objective)}`;
