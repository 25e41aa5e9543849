import { setTimeout as sleep } from 'node:timers/promises';
import { codeOf, isContention, storeError } from './store-error.ts';

/** How often a statement is tried that a serialization failure or a deadlock ended. */
const TRIES = 3;
const PAUSE_BETWEEN_TRIES_MS = 20;

/**
 * Runs the query; again when other writers kept it from committing. What it rejects with, storeError has judged.
 * @param onContention told the SQLSTATE before each further try
 */
export async function whileContended<Answer>(
  doing: string,
  query: () => Promise<Answer>,
  onContention: (code: string) => void = () => {},
): Promise<Answer> {
  for (let tried = 1; ; tried += 1) {
    try {
      return await query();
    } catch (error) {
      if (tried === TRIES || !isContention(error)) throw storeError(error, doing);
      onContention(codeOf(error) ?? '');
      await sleep(tried * PAUSE_BETWEEN_TRIES_MS);
    }
  }
}
