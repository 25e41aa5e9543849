import { existsSync, readFileSync } from 'node:fs';
import { familyOf, secondsWithWaited, statFields, tickSeconds } from '../process-stat.ts';
import type { Observation, Resident } from './figures.ts';

/** Processor time that a process has used so far, in itself and in the system's name. */
const cpuSeconds = (pid: number): number => tickSeconds(statFields(pid), 11, 12);

/** Of a process and of all that it has started. */
const familySeconds = (pid: number | undefined): number =>
  pid === undefined ? 0 : familyOf([pid]).reduce((sum, member) => sum + secondsWithWaited(member), 0);

/** What the kernel says of a process' memory: what is resident now, or the most that ever was. */
function memoryMiB(pid: number, field: 'VmRSS' | 'VmHWM'): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(new RegExp(`^${field}:\\s+(\\d+)`, 'm').exec(status)?.[1]) / 1_024;
}

const SAMPLE_MS = 1_000;

/** What a process uses from now on, and what the server of its database does. */
export class ProcessUsage {
  readonly #pid: number;
  readonly #databasePid: number | undefined;
  readonly #databaseBefore: number;
  readonly #cpuBefore: number;
  readonly #resident: Resident[] = [];
  readonly #timer: NodeJS.Timeout;

  constructor(pid: number, databasePid: number | undefined, trialsEnded: () => number) {
    this.#pid = pid;
    this.#databasePid = databasePid;
    this.#databaseBefore = familySeconds(databasePid);
    this.#cpuBefore = cpuSeconds(pid);
    this.#timer = setInterval(() => {
      // It may have just died, which whoever waits for its work will tell.
      if (existsSync(`/proc/${pid}`)) this.#resident.push([trialsEnded(), memoryMiB(pid, 'VmRSS')]);
    }, SAMPLE_MS);
  }

  soFar(): NonNullable<Observation['usage']> {
    return {
      cpuSeconds: cpuSeconds(this.#pid) - this.#cpuBefore,
      ...(this.#databasePid === undefined
        ? {}
        : { databaseCpuSeconds: familySeconds(this.#databasePid) - this.#databaseBefore }),
      peakResidentMiB: memoryMiB(this.#pid, 'VmHWM'),
      resident: [...this.#resident],
    };
  }

  end(): void {
    clearInterval(this.#timer);
  }
}
