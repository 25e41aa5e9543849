import type { ObservedAttempt } from '../core/attempt.ts';
import type { ObservedAttempts } from '../core/plan.ts';
import { awaitsPushed, type PushedResult } from '../core/pushed-result.ts';
import { isRecorded, type ReadonlyRunLedger } from '../core/run-ledger.ts';
import type { ResultStore } from '../results/result-store.ts';

/** Looked up at once: metrics and artifacts of a result may take 100 kB, and ten thousand trials may end together. The others are judged in the next round. */
const LOOKED_UP_AT_ONCE = 100;

/** What programs pushed, by the ID of their start. */
export type PushedResults = ReadonlyMap<string | undefined, PushedResult | 'Nothing'>;

/**
 * What the programs that have ended pushed; nothing for a run whose programs push nothing. Asked of the store anew on each look, so that nothing of it
 * is kept.
 * @throws ResultStoreUnavailableError
 */
export async function pushedResultsOf(
  ledger: ReadonlyRunLedger,
  observed: ObservedAttempts,
  store: Pick<ResultStore, 'readPushed'>,
): Promise<PushedResults> {
  const { uid, manifest } = ledger.definition;
  if (!manifest.spec.results.push) return NOTHING_PUSHED;
  const open = observed
    .filter((attempt) => awaitsPushed(attempt) && isOfTrialToRecord(ledger, attempt))
    .slice(0, LOOKED_UP_AT_ONCE);
  if (open.length === 0) return NOTHING_PUSHED;
  const starts = open.flatMap(({ variantId, repetition, attempt, startId }) =>
    startId === undefined ? [] : [{ variantId, repetition, attempt, startId }],
  );
  const results = await store.readPushed(uid, starts);
  return new Map(open.map(({ startId }, index) => [startId, results[index] ?? 'Nothing']));
}

function isOfTrialToRecord(ledger: ReadonlyRunLedger, attempt: ObservedAttempt): boolean {
  const index = ledger.indexOf(attempt);
  return index !== undefined && !ledger.recordsUnderWay.has(index) && !isRecorded(ledger, attempt);
}

const NOTHING_PUSHED: PushedResults = new Map();

/** What is observed, with what was pushed. */
export const withPushedResults = (observed: ObservedAttempts, pushed: PushedResults): ObservedAttempts =>
  pushed.size === 0 ? observed : observed.map((attempt) => withPushed(attempt, pushed.get(attempt.startId)));

function withPushed(attempt: ObservedAttempt, pushed: PushedResult | 'Nothing' | undefined): ObservedAttempt {
  const { state } = attempt;
  if (pushed === undefined || state.kind !== 'Ended' || state.termination.kind !== 'Exited') return attempt;
  return { ...attempt, state: { ...state, termination: { ...state.termination, pushed } } };
}
