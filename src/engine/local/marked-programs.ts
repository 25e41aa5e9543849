import { readdirSync, readFileSync } from 'node:fs';

/** A process that is starting another one, which is not listed yet, is listed itself; three times leaves none in any order. */
const PASSES = 3;

/**
 * Kills every process that has `variable=value` in its environment, whatever group it is in: what a program has started inherits it. Told
 * from /proc, so it does nothing where there is none.
 */
export function killMarkedPrograms(variable: string, value: string): void {
  for (let pass = 0; pass < PASSES; pass += 1) {
    const marked = programsWith((entry) => entry === `${variable}=${value}`);
    if (marked.length === 0) return;
    for (const pid of marked) kill(pid);
  }
}

/**
 * The process ids of the programs that have such an entry in their environment. Told from /proc, so there are none where there is none.
 * @param isMark asked of each `NAME=value`
 */
export const programsWith = (isMark: (entry: string) => boolean): readonly number[] =>
  processes().filter((pid) => environmentOf(pid).split('\0').some(isMark));

function processes(): readonly number[] {
  try {
    return readdirSync('/proc')
      .filter((entry) => /^[0-9]+$/.test(entry))
      .map(Number);
  } catch {
    return [];
  }
}

/** Empty for a process that has ended meanwhile, and for one of another user, which is not ours to have started. */
function environmentOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'utf8');
  } catch {
    return '';
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended meanwhile.
  }
}
