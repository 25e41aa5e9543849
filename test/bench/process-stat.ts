import { readdirSync, readFileSync } from 'node:fs';

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

/** These processes and all of their descendants. */
export function familyOf(roots: readonly number[]): readonly number[] {
  const children = new Map<number, number[]>();
  for (const entry of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    const parent = Number(statOf(Number(entry))?.[1]);
    children.set(parent, [...(children.get(parent) ?? []), Number(entry)]);
  }
  const family = new Set(roots);
  for (const member of family) for (const child of children.get(member) ?? []) family.add(child);
  return [...family];
}

/** Processor time of the children of a process, and of theirs, that have ended and were waited for; 0 when it has ended itself. */
export const waitedSeconds = (pid: number): number => secondsOf(pid, 13, 14);

/** Processor time of a process with that of {@link waitedSeconds}; 0 when it has ended. */
export const secondsWithWaited = (pid: number): number => secondsOf(pid, 11, 12, 13, 14);

function secondsOf(pid: number, ...fields: readonly number[]): number {
  const stat = statOf(pid);
  return stat === undefined ? 0 : tickSeconds(stat, ...fields);
}

/** Undefined when it has ended. */
function statOf(pid: number): readonly string[] | undefined {
  try {
    return statFields(pid);
  } catch {
    return undefined;
  }
}
