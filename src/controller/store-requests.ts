import type { ResultStoreUnavailableError } from '../results/result-store.ts';
import { answerUnlessSlow, type StoreQuestion, slowStoreError } from './slow-store.ts';

interface StoreRequest extends StoreQuestion<'Done'> {
  /** Somebody has waited for it in vain. */
  isLate: boolean;
}

/**
 * What the store must have answered before anything else of a key can be decided, one thing at a time for each key. Whoever looks at the key waits for it, but not
 * for long: a store that does not answer must leave somebody to look at the other keys, of which one may have to be cancelled. What was asked goes on
 * meanwhile, and is not asked twice.
 */
export class StoreRequests {
  readonly #underWay = new Map<string, StoreRequest>();
  readonly #mostLate: number;
  readonly #onLateAnswer: (key: string) => void;

  /**
   * @param mostLate while so many are late nothing more is asked: each would have somebody wait as long
   * @param onLateAnswer told of the key when what was late is done
   */
  constructor(mostLate: number, onLateAnswer: (key: string) => void) {
    this.#mostLate = mostLate;
    this.#onLateAnswer = onLateAnswer;
  }

  /**
   * Resolves when what is under way for the key is done; when nothing is, that is what `ask` begins.
   * @throws ResultStoreUnavailableError also when that takes its time
   */
  async done(key: string, ask: () => Promise<void>): Promise<void> {
    const request = this.#underWay.get(key) ?? this.#begin(key, ask);
    if ((await answerUnlessSlow(request)) !== undefined) return;
    if (!request.isLate) {
      request.isLate = true;
      // What fails late is asked anew by a later look.
      request.answer.then(
        () => this.#onLateAnswer(key),
        () => {},
      );
    }
    throw slow();
  }

  /** Resolves when nothing is under way for any key; never rejects. */
  async settled(): Promise<void> {
    while (this.#underWay.size > 0)
      await Promise.allSettled([...this.#underWay.values()].map(({ answer }) => answer));
  }

  #begin(key: string, ask: () => Promise<void>): StoreRequest {
    const late = [...this.#underWay.values()].filter(({ isLate }) => isLate);
    if (late.length >= this.#mostLate) throw slow();
    const answer = ask()
      .then(() => 'Done' as const)
      .finally(() => this.#underWay.delete(key));
    const request = { answer, since: performance.now(), isLate: false };
    this.#underWay.set(key, request);
    return request;
  }
}

const slow = (): ResultStoreUnavailableError => slowStoreError('the result store has not answered');
