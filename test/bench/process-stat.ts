import { readFileSync } from 'node:fs';

/** Linux counts in these for every program, whatever the kernel's own tick is. */
const TICKS_PER_SECOND = 100;

/** The fields of proc_pid_stat(5) from the state on. Throws when the process has ended. */
export function statFields(pid: number): readonly string[] {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // The name of the program, in parentheses, may hold spaces.
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
}

/** The sum of fields that count ticks, in seconds. */
export const tickSeconds = (stat: readonly string[], ...fields: readonly number[]): number =>
  fields.reduce((sum, field) => sum + Number(stat[field]), 0) / TICKS_PER_SECOND;
