import { STORE_IS_SLOW_AFTER_MS } from '../core/store-trouble.ts';
import { ResultStoreUnavailableError } from '../results/result-store.ts';
import { answerWithin } from './answer-within.ts';

/** Something that the store was asked and has not answered yet. */
export interface StoreQuestion<T> {
  readonly answer: Promise<T>;
  /** When it was asked, of a clock that never steps. */
  readonly since: number;
}

/** The answer; undefined once it has taken so long that the store counts as slow. Rejects as {@link answerWithin} does. */
export const answerUnlessSlow = <T>({ answer, since }: StoreQuestion<T>): Promise<T | undefined> =>
  answerWithin(answer, Math.max(0, since + STORE_IS_SLOW_AFTER_MS - performance.now()));

/** @param what has not been done, as the beginning of a sentence */
export const slowStoreError = (what: string): ResultStoreUnavailableError =>
  new ResultStoreUnavailableError('Slow', `${what} for more than ${STORE_IS_SLOW_AFTER_MS / 1_000} s`);
