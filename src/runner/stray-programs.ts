import { sep } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { programsWith } from '../engine/local/marked-programs.ts';

const POLL_MS = 100;

/**
 * Waits until no program runs any more that was told to leave its result below a directory: two programs of one trial would write to the same
 * file. Linux shows what a program was told; elsewhere this resolves at once.
 * @returns the process ids of those that still run at the deadline; empty when all have ended
 */
export async function straysAfter(directory: string, deadlineMs: number): Promise<readonly number[]> {
  const mark = `BATCHTEST_RESULT_FILE=${directory}${sep}`;
  for (const deadline = performance.now() + deadlineMs; ; await sleep(POLL_MS)) {
    const strays = programsWith((entry) => entry.startsWith(mark));
    if (strays.length === 0 || performance.now() > deadline) return strays;
  }
}
