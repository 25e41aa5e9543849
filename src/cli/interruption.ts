import { ExitCode } from './exit-code.ts';

/** Ctrl-C and SIGTERM as an abort signal. */
export interface Interruption {
  readonly signal: AbortSignal;
  /** Gives the signals back to their default. */
  stop(): void;
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/**
 * A signal that comes again within this time is the first one, by a second way: a terminal signals this process and what started it, and npm, as `npx`,
 * passes on what it gets. A person who presses Ctrl-C twice as fast has to do so once more.
 */
const SAME_SIGNAL_MS = 500;

/**
 * The first signal asks the run to end: programs get their grace period, results already there are stored. A later one ends this
 * process at once; the engine's launcher then ends what still runs.
 */
export function untilInterrupted(say: (line: string) => void): Interruption {
  const controller = new AbortController();
  let first: { readonly name: NodeJS.Signals; readonly at: number } | undefined;
  const interrupt = (name: NodeJS.Signals) => {
    const now = performance.now();
    if (first === undefined) {
      first = { name, at: now };
      say('ending what is under way and keeping what is stored; once more to end at once');
      controller.abort();
    } else if (name !== first.name || now - first.at >= SAME_SIGNAL_MS) process.exit(ExitCode.interrupted);
  };
  for (const signal of SIGNALS) process.on(signal, interrupt);
  return {
    signal: controller.signal,
    stop: () => {
      for (const signal of SIGNALS) process.off(signal, interrupt);
    },
  };
}
