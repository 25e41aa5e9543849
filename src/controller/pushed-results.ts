import type { ObservedAttempt } from '../core/attempt.ts';
import type { ObservedAttempts } from '../core/plan.ts';
import { awaitsPushed, type PushedResult } from '../core/pushed-result.ts';
import { isRecorded, type ReadonlyRunLedger } from '../core/run-ledger.ts';
import type { ResultStore } from '../results/result-store.ts';
import { answerUnlessSlow, type StoreQuestion, slowStoreError } from './slow-store.ts';

/** Looked up at once: metrics and artifacts of a result may take 100 kB, and ten thousand trials may end together. The others are judged in the next round. */
const LOOKED_UP_AT_ONCE = 100;

/** What programs pushed, by the ID of their start. */
export type PushedResults = ReadonlyMap<string | undefined, PushedResult | 'Nothing'>;

/**
 * Asks the store what the programs of a run that have ended pushed; nothing for a run whose programs push nothing. It is asked anew on each look, so that
 * nothing of it is kept.
 */
export class PushedResultsLook {
  /** What nobody has had the answer of. */
  #underWay: StoreQuestion<PushedResults> | undefined;

  /**
   * @param observe gives what the engine shows now
   * @throws ResultStoreUnavailableError also when the store takes its time: whoever cancels does not wait for it. It is not asked twice; the answer is had by a later look.
   */
  async look(
    ledger: ReadonlyRunLedger,
    observe: () => ObservedAttempts,
    store: Pick<ResultStore, 'readPushed'>,
  ): Promise<PushedResults> {
    if (!ledger.definition.manifest.spec.results.push) return NOTHING_PUSHED;
    for (;;) {
      const isNew = this.#underWay === undefined;
      const results = await this.#answer(ledger, observe(), store);
      // None of those that were asked for may be there by now, and then others are to be asked for before anything is decided.
      if (isNew || openAttempts(ledger, observe()).some(({ startId }) => results.has(startId)))
        return results;
    }
  }

  async #answer(
    ledger: ReadonlyRunLedger,
    observed: ObservedAttempts,
    store: Pick<ResultStore, 'readPushed'>,
  ): Promise<PushedResults> {
    const asked = this.#underWay ?? {
      answer: pushedResultsOf(ledger, observed, store),
      since: performance.now(),
    };
    this.#underWay = asked;
    const forget = () => {
      if (this.#underWay === asked) this.#underWay = undefined;
    };
    // Also when nobody waits for it any more.
    asked.answer.catch(forget);
    const results = await answerUnlessSlow(asked);
    if (results === undefined) throw slowStoreError('what programs pushed has not been told');
    forget();
    return results;
  }
}

async function pushedResultsOf(
  ledger: ReadonlyRunLedger,
  observed: ObservedAttempts,
  store: Pick<ResultStore, 'readPushed'>,
): Promise<PushedResults> {
  const { uid } = ledger.definition;
  const open = openAttempts(ledger, observed).slice(0, LOOKED_UP_AT_ONCE);
  if (open.length === 0) return NOTHING_PUSHED;
  const starts = open.flatMap(({ variantId, repetition, attempt, startId }) =>
    startId === undefined ? [] : [{ variantId, repetition, attempt, startId }],
  );
  const results = await store.readPushed(uid, starts);
  return new Map(open.map(({ startId }, index) => [startId, results[index] ?? 'Nothing']));
}

/** Those that have ended and cannot be judged before it is known what they pushed. */
function openAttempts(ledger: ReadonlyRunLedger, observed: ObservedAttempts): readonly ObservedAttempt[] {
  return observed.filter((attempt) => awaitsPushed(attempt) && isOfTrialToRecord(ledger, attempt));
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
