import { existsSync, readFileSync } from 'node:fs';
import { statFields, tickSeconds } from '../process-stat.ts';
import type { Observation, Resident } from './figures.ts';

/** Processor time that a process has used so far, in itself and in the system's name. */
const cpuSeconds = (pid: number): number => tickSeconds(statFields(pid), 11, 12);

/** What the kernel says of a process' memory: what is resident now, or the most that ever was. */
function memoryMiB(pid: number, field: 'VmRSS' | 'VmHWM'): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(new RegExp(`^${field}:\\s+(\\d+)`, 'm').exec(status)?.[1]) / 1_024;
}

const SAMPLE_MS = 1_000;

/** What a process uses from now on. */
export class ProcessUsage {
  readonly #pid: number;
  readonly #cpuBefore: number;
  readonly #resident: Resident[] = [];
  readonly #timer: NodeJS.Timeout;

  constructor(pid: number, trialsEnded: () => number) {
    this.#pid = pid;
    this.#cpuBefore = cpuSeconds(pid);
    this.#timer = setInterval(() => {
      // It may have just died, which whoever waits for its work will tell.
      if (existsSync(`/proc/${pid}`)) this.#resident.push([trialsEnded(), memoryMiB(pid, 'VmRSS')]);
    }, SAMPLE_MS);
  }

  soFar(): NonNullable<Observation['usage']> {
    return {
      cpuSeconds: cpuSeconds(this.#pid) - this.#cpuBefore,
      peakResidentMiB: memoryMiB(this.#pid, 'VmHWM'),
      resident: [...this.#resident],
    };
  }

  end(): void {
    clearInterval(this.#timer);
  }
}
