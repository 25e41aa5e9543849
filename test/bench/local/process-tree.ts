import { readFileSync } from 'node:fs';
import { familyOf, secondsWithWaited, waitedSeconds } from '../process-stat.ts';

const SAMPLE_MS = 200;

/** What a process and all of its descendants use, from its start on: looked at five times a second, so what lives for less is seen by its processor time alone. */
export class ProcessTree {
  readonly #root: number;
  readonly #furtherProcess: () => number | undefined;
  readonly #waitedBefore = waitedSeconds(process.pid);
  readonly #timer: NodeJS.Timeout;
  #members: readonly number[] = [];
  #peakMiB = 0;
  #cpuSeconds = 0;

  /** @param root a child of this process, which has no other that ends meanwhile */
  constructor(root: number, furtherProcess: () => number | undefined) {
    this.#root = root;
    this.#furtherProcess = furtherProcess;
    this.#look();
    this.#timer = setInterval(() => this.#look(), SAMPLE_MS);
  }

  /** Called when the root has ended. */
  usage(): { readonly cpuSeconds: number; readonly peakMiB: number } {
    clearInterval(this.#timer);
    // The root's, with that of all descendants that were waited for, came to this process with its end; the others live on, or were last seen before it.
    const ended = waitedSeconds(process.pid) - this.#waitedBefore;
    const left = this.#members.filter((member) => member !== this.#root);
    return {
      cpuSeconds: Math.max(this.#cpuSeconds, ended + sum(left.map(secondsWithWaited))),
      peakMiB: this.#peakMiB,
    };
  }

  #look(): void {
    this.#members = familyOf([this.#root, this.#furtherProcess()].filter((pid) => pid !== undefined));
    this.#peakMiB = Math.max(this.#peakMiB, sum(this.#members.map(proportionalMiB)));
    // Whoever ends takes its time to the parent that waits for it, so of one look to the next this only grows.
    this.#cpuSeconds = Math.max(this.#cpuSeconds, sum(this.#members.map(secondsWithWaited)));
  }
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

/** Proportional set size: memory that several share is counted once among them. */
function proportionalMiB(pid: number): number {
  try {
    return Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1] ?? 0) / 1_024;
  } catch {
    // It has ended, or is about to.
    return 0;
  }
}
