import { createLogUpdate } from 'log-update';
import type { BatchTestStatus } from '../api/v1alpha1/status.ts';
import {
  doneTrials,
  finishedLine,
  type ProgressSnapshot,
  percent,
  progressBlock,
  progressLine,
  waitingText,
} from './progress-lines.ts';
import { ProgressRate } from './progress-rate.ts';
import { terminalOf } from './terminal.ts';

export interface ProgressOptions {
  /** Name of the BatchTest. */
  readonly name: string;
  /** Where progress goes: stderr, so that stdout holds nothing but the report. */
  readonly stream: NodeJS.WritableStream & { readonly isTTY?: boolean; readonly columns?: number };
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Leaves a line at the end that says how the run ended: for when no report follows on the same terminal. */
  readonly summary: boolean;
}

/** Shows how a run goes on. Keeps no process alive. */
export interface ProgressDisplay {
  /** Takes note of a new status; cheap, may be called as often as the status changes. */
  readonly update: (status: BatchTestStatus) => void;
  /** Writes a line that stays, above what is drawn over. */
  readonly print: (line: string) => void;
  /** Takes away what is drawn over. Nothing more is shown; stopping twice is stopping once. */
  readonly stop: () => void;
}

/** How often a terminal is drawn anew: the clock ticks, and a status that changes often is not drawn each time. */
const REDRAW_MS = 200;
/** How often a line is looked for where lines stay. */
const LINE_CHECK_MS = 1_000;
const LINE_INTERVAL_MS = 10_000;
/** Not more often than this, however fast trials end. */
const SHORTEST_LINE_INTERVAL_MS = 1_000;
const LINE_STEP_PERCENT = 10;

/** A block that is drawn over on a person's terminal; lines now and then everywhere else. */
export function startProgressDisplay(options: ProgressOptions): ProgressDisplay {
  const { stream, environment } = options;
  return terminalOf(stream, environment).interactive ? blockDisplay(options) : lineDisplay(options);
}

function blockDisplay({ name, stream, environment, now, summary }: ProgressOptions): ProgressDisplay {
  const watcher = new Watcher(name, now());
  const draw = createLogUpdate(stream);
  const redraw = () => {
    const snapshot = watcher.snapshot(now());
    if (snapshot !== undefined) draw(progressBlock(snapshot, terminalOf(stream, environment)).join('\n'));
  };
  const timer = setInterval(redraw, REDRAW_MS).unref();
  let stopped = false;
  return {
    update: (status) => {
      const isFirst = watcher.status === undefined;
      watcher.note(status, now());
      if (isFirst && !stopped) redraw();
    },
    print: (line) => {
      draw.clear();
      stream.write(`${line}\n`);
      if (!stopped) redraw();
    },
    stop: () => {
      if (stopped) return;
      stopped = true;
      clearInterval(timer);
      draw.clear();
      draw.done();
      const snapshot = watcher.snapshot(now());
      if (summary && snapshot !== undefined)
        stream.write(`${finishedLine(snapshot, terminalOf(stream, environment))}\n`);
    },
  };
}

function lineDisplay({ name, stream, now, summary }: ProgressOptions): ProgressDisplay {
  const watcher = new Watcher(name, now());
  let last: LastLine | undefined;
  let stopped = false;
  const writeIfDue = () => {
    const snapshot = watcher.snapshot(now());
    if (stopped || snapshot === undefined || !isLineDue(snapshot, last)) return;
    stream.write(`${progressLine(snapshot)}\n`);
    last = lastLine(snapshot);
  };
  const timer = setInterval(writeIfDue, LINE_CHECK_MS).unref();
  return {
    update: (status) => {
      watcher.note(status, now());
      writeIfDue();
    },
    print: (line) => stream.write(`${line}\n`),
    stop: () => {
      if (stopped) return;
      stopped = true;
      clearInterval(timer);
      const snapshot = watcher.snapshot(now());
      if (summary && snapshot !== undefined)
        stream.write(`${finishedLine(snapshot, { columns: Number.POSITIVE_INFINITY, colour: false })}\n`);
    },
  };
}

/** What the last written line said. */
export interface LastLine {
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly step: number;
  readonly waiting: string | undefined;
}

export const lastLine = ({ status, now }: ProgressSnapshot): LastLine => ({
  at: now,
  step: stepOf(status),
  waiting: waitingText(status),
});

/** Whether a line is worth writing: at the start, at every tenth of the trials, when the run begins to wait, every ten seconds. */
export function isLineDue(snapshot: ProgressSnapshot, last: LastLine | undefined): boolean {
  if (last === undefined) return true;
  const since = snapshot.now - last.at;
  if (since < SHORTEST_LINE_INTERVAL_MS) return false;
  const next = lastLine(snapshot);
  return since >= LINE_INTERVAL_MS || next.step !== last.step || next.waiting !== last.waiting;
}

function stepOf(status: BatchTestStatus): number {
  const total = status.trials?.total ?? 0;
  return total === 0 ? 0 : Math.floor(percent(doneTrials(status), total) / LINE_STEP_PERCENT);
}

/** The last status and how fast trials end. */
class Watcher {
  status: BatchTestStatus | undefined;
  readonly #name: string;
  readonly #watchedSince: number;
  readonly #rate = new ProgressRate();

  constructor(name: string, watchedSince: number) {
    this.#name = name;
    this.#watchedSince = watchedSince;
  }

  note(status: BatchTestStatus, now: number): void {
    this.status = status;
    if (status.trials !== undefined) this.#rate.note(now, doneTrials(status));
  }

  /** Undefined before the first status. */
  snapshot(now: number): ProgressSnapshot | undefined {
    if (this.status === undefined) return undefined;
    return {
      name: this.#name,
      status: this.status,
      now,
      watchedSince: this.#watchedSince,
      trialsPerSecond: this.#rate.perSecond(now),
    };
  }
}
