/** The same programs for every contender. */
export interface Work {
  readonly trials: number;
  /** Programs at a time. */
  readonly parallelism: number;
}

export const WORK: Work = { trials: 2_000, parallelism: 4 };

/** To see that everything works; figures of this mean nothing. */
export const QUICK_WORK: Work = { trials: 40, parallelism: 4 };

/**
 * A program as small as they come, which writes its result to the file that is its last argument: a static binary would need a compiler, and node takes
 * 40 ms to start.
 */
export const PROGRAM = ['/bin/sh', '-c', 'echo \'{"metrics":{"m":1}}\' > "$0"'] as const;
