/** The same work for every contender: programs that run for exactly this long and succeed. */
export interface Scenario {
  readonly name: string;
  readonly trials: number;
  readonly parallelism: number;
  readonly runMs: number;
  /** Cancelled as soon as as many run as may, with the others still to come. */
  readonly isCancelled?: boolean;
}

/** Sized for two cores: below the rate at which the control plane itself is the limit. */
export const SCENARIOS: readonly Scenario[] = [
  { name: 'short', trials: 200, parallelism: 20, runMs: 2_000 },
  { name: 'wide', trials: 100, parallelism: 50, runMs: 10_000 },
  { name: 'cancel', trials: 200, parallelism: 100, runMs: 600_000, isCancelled: true },
];

/** To see that everything works; figures of these mean nothing. */
export const QUICK_SCENARIOS: readonly Scenario[] = [
  { name: 'short', trials: 20, parallelism: 5, runMs: 500 },
  { name: 'cancel', trials: 20, parallelism: 10, runMs: 600_000, isCancelled: true },
];

/** All at once and over at once: what is left is the pace of API server, scheduler and KWOK. */
export const CALIBRATION: Scenario = { name: 'calibration', trials: 200, parallelism: 200, runMs: 1 };

/** A makespan below this is impossible, whoever starts the programs. */
export const idealMs = ({ trials, parallelism, runMs }: Scenario): number =>
  Math.ceil(trials / parallelism) * runMs;

export const scenarioText = ({ trials, parallelism, runMs, isCancelled }: Scenario): string =>
  `${trials} trials of ${runMs / 1_000} s, ${parallelism} at a time${isCancelled === true ? `, cancelled when ${parallelism} run` : ''}`;
