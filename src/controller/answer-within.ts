import { setTimeout as delay } from 'node:timers/promises';

/**
 * The answer, if it is there in time; undefined when it is not: whoever asked goes on without it. Rejects with what the answer does, in time; what it rejects with later, whoever
 * keeps it hears.
 */
export async function answerWithin<T>(answer: Promise<T>, timeoutMs: number): Promise<T | undefined> {
  const deadline = new AbortController();
  const late = delay(timeoutMs, undefined, { signal: deadline.signal }).catch(() => undefined);
  try {
    return await Promise.race([answer, late]);
  } finally {
    deadline.abort();
  }
}
