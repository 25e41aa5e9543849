import type { BatchTestSpec } from '../api/v1alpha1/schema.ts';
import { failureActionFor } from './failure-policy.ts';
import type { Judgement } from './outcome.ts';
import { isRetried, retryAt } from './retry-policy.ts';

/** What becomes of a trial after an attempt. */
export type AfterAttempt =
  | { readonly phase: 'Succeeded' }
  /** With `failsVariant` the rest of the variant is not run either. */
  | { readonly phase: 'Failed'; readonly failsVariant: boolean }
  /** Another attempt follows, not before `notBefore` (milliseconds since the epoch). `counts` is whether this one counts toward the limit. */
  | { readonly phase: 'Pending'; readonly notBefore: number; readonly counts: boolean };

/** The attempt that ended. */
interface EndedAttempt {
  readonly name: string;
  /** Counts from 1. */
  readonly attempt: number;
  readonly judgement: Judgement;
  /** Earlier attempts of the trial that count toward the limit. */
  readonly countedBefore: number;
}

/**
 * The one place where it is decided whether a trial is tried again. What we ended ourselves ({@link Outcome} Cancelled) is not the trial's
 * failure: it stays due, and becomes Cancelled only with its run.
 */
export function afterAttempt(
  { name, attempt, judgement, countedBefore }: EndedAttempt,
  { retryPolicy, failurePolicy }: Pick<BatchTestSpec, 'retryPolicy' | 'failurePolicy'>,
  now: number,
): AfterAttempt {
  const { outcome, exitCode } = judgement;
  if (outcome === 'Succeeded') return { phase: 'Succeeded' };
  if (outcome === 'Cancelled') return { phase: 'Pending', notBefore: now, counts: false };
  const action = outcome === 'TestFailed' ? failureActionFor(failurePolicy, exitCode) : undefined;
  if (action === 'FailVariant') return { phase: 'Failed', failsVariant: true };
  if (action === 'Ignore')
    return { phase: 'Pending', notBefore: retryAt(retryPolicy, attempt, name, now), counts: false };
  const failures = countedBefore + 1;
  const isTriedAgain = action === 'Retry' || isRetried(retryPolicy, outcome);
  if (!isTriedAgain || failures > retryPolicy.limit) return { phase: 'Failed', failsVariant: false };
  return { phase: 'Pending', notBefore: retryAt(retryPolicy, failures, name, now), counts: true };
}
