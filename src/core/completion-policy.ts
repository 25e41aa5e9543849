import { type Halt, targetMessage } from './halt.ts';
import type { RunEnd } from './plan.ts';
import type { ReadonlyRunLedger } from './run-ledger.ts';

/**
 * Why the run is over; undefined while it is not. A run is over only when nothing of it is live any more, so that its end is also
 * the promise that no program of it runs. Unless something halts the run, all variants are run, whatever the others did.
 * @param live attempts that still take a slot
 */
export function evaluateCompletion(
  ledger: ReadonlyRunLedger,
  halt: Halt | undefined,
  live: number,
): RunEnd | undefined {
  const { counts, variantCounts } = ledger;
  if (ledger.end !== undefined || live > 0 || counts.active > 0) return undefined;
  if (ledger.unansweredStarts.size > 0) return undefined;
  // It may be committed already, and nothing may start any more.
  if (ledger.ending !== undefined) return ledger.ending;
  // What is due was not run: that takes a reason to end the run all the same.
  if (ledger.due > 0) return halt?.end;
  return variantCounts.failed === 0 ? completeEnd(ledger) : failedEnd(ledger);
}

function completeEnd(ledger: ReadonlyRunLedger): RunEnd {
  const { total, succeeded, skipped } = ledger.counts;
  if (skipped === 0)
    return {
      state: 'Complete',
      reason: 'AllTrialsSucceeded',
      message: total === 1 ? 'its one trial succeeded' : `all ${total} trials succeeded`,
    };
  const done = `${succeeded} of ${total} trials succeeded, ${skipped} ${skipped === 1 ? 'was' : 'were'} skipped`;
  if (ledger.targetMetBy !== undefined)
    return { state: 'Complete', reason: 'TargetMet', message: `${targetMessage(ledger)}; ${done}` };
  const { stoppedVariants } = ledger;
  return {
    state: 'Complete',
    reason: 'StoppedEarly',
    message: `${stoppedVariants} ${stoppedVariants === 1 ? 'variant was' : 'variants were'} stopped early; ${done}`,
  };
}

function failedEnd(ledger: ReadonlyRunLedger): RunEnd {
  const { counts, variantCounts } = ledger;
  const onlyInfrastructure = ledger.failures.get('Infrastructure') === counts.failed;
  const target = ledger.targetMetBy === undefined || counts.skipped === 0 ? '' : `; ${targetMessage(ledger)}`;
  return {
    state: 'Failed',
    reason: onlyInfrastructure ? 'InfrastructureFailed' : 'VariantsFailed',
    message: `${variantCounts.failed} of ${variantCounts.total} variants failed (${describeFailures(ledger)})${target}`,
  };
}

/** How a run ends that was to end like this, when what all its trials read has changed meanwhile: nothing that it measured can be compared. */
export const endOfChangedData = (end: RunEnd, whatChanged: string): RunEnd => ({
  state: 'Failed',
  reason: 'SharedDataChanged',
  message: `${whatChanged}; what was measured cannot be compared (${end.message})`,
});

const describeFailures = (ledger: ReadonlyRunLedger): string =>
  [...ledger.failures]
    .map(([outcome, trials]) => `${trials} ${trials === 1 ? 'trial' : 'trials'} ${outcome}`)
    .join(', ');

/** How a run ends whose object is gone though it was not over. */
export const END_OF_DELETED: RunEnd = {
  state: 'Cancelled',
  reason: 'Deleted',
  message: 'the BatchTest was deleted while it ran',
};
