import { LIMITS, type Limits } from './limits.ts';

/** The same work for every contender: programs that succeed after this long. */
export interface Scenario {
  /** A DNS label. */
  readonly name: string;
  /** Of each batch. */
  readonly trials: number;
  /** Of each batch. */
  readonly parallelism: number;
  readonly runMs: number;
  /** Each program runs for a time of its own, between `runMs` and this. */
  readonly longestRunMs?: number;
  /** So many batches, begun at once by one contender; one by default. */
  readonly batches?: number;
  /** Cancelled as soon as as many run as may, with the others still to come. */
  readonly isCancelled?: boolean;
  /** Planned and not begun. */
  readonly isSuspended?: boolean;
}

/** A scenario, and how much of it is measured. */
export interface PlannedScenario extends Scenario {
  readonly limits: readonly Limits[];
  readonly mostRounds?: number;
  /** Of no use, or too slow, for the others. */
  readonly isForOperators?: boolean;
}

/** Admitted and planned, and nothing begun. */
const planned = (trials: number): PlannedScenario => ({
  name: 'planned',
  trials,
  parallelism: 100,
  runMs: 1_000,
  isSuspended: true,
  limits: ['raised'],
  isForOperators: true,
});

/**
 * Sized for two cores: below the rate at which the control plane itself is the limit, but for `saturated`. At stock limits what goes through
 * the controller manager is bound by it whatever the work looks like, so two scenarios tell all.
 */
export const SCENARIOS: readonly PlannedScenario[] = [
  { name: 'short', trials: 100, parallelism: 20, runMs: 2_000, limits: LIMITS },
  { name: 'cancel', trials: 100, parallelism: 50, runMs: 600_000, isCancelled: true, limits: LIMITS },
  { name: 'wide', trials: 100, parallelism: 50, runMs: 5_000, limits: ['raised'] },
  { name: 'saturated', trials: 200, parallelism: 50, runMs: 1_000, limits: ['raised'] },
  { name: 'stragglers', trials: 60, parallelism: 20, runMs: 1_000, longestRunMs: 5_000, limits: ['raised'] },
  { name: 'batches', trials: 20, parallelism: 5, runMs: 2_000, batches: 5, limits: ['raised'] },
  planned(10_000),
  {
    name: 'long',
    trials: 10_000,
    parallelism: 100,
    runMs: 2_000,
    limits: ['raised'],
    mostRounds: 1,
    isForOperators: true,
  },
];

/** To see that everything works; figures of these mean nothing. */
export const QUICK_SCENARIOS: readonly PlannedScenario[] = [
  { name: 'short', trials: 20, parallelism: 5, runMs: 500, limits: LIMITS },
  { name: 'cancel', trials: 20, parallelism: 10, runMs: 600_000, isCancelled: true, limits: LIMITS },
  { name: 'stragglers', trials: 20, parallelism: 5, runMs: 200, longestRunMs: 800, limits: ['raised'] },
  { name: 'batches', trials: 10, parallelism: 2, runMs: 500, batches: 2, limits: ['raised'] },
  planned(1_000),
];

/** All at once and over at once: what is left is the pace of the API server and of whoever takes the next step. */
export const CALIBRATION: Scenario = { name: 'calibration', trials: 200, parallelism: 200, runMs: 1 };

/**
 * What each contender does first, and is not measured by: whoever runs trials for others does so for days, and what a new process does first takes it several
 * times as long as it does later.
 */
export const WARM_UP: Scenario = { name: 'warm-up', trials: 40, parallelism: 20, runMs: 500 };

export const batchesOf = ({ batches = 1 }: Scenario): number => batches;

/** What each batch is called. */
export const batchNames = (scenario: Scenario): readonly string[] =>
  Array.from({ length: batchesOf(scenario) }, (_, batch) => `${scenario.name}-${batch}`);

export const allTrials = (scenario: Scenario): number => scenario.trials * batchesOf(scenario);

/** A makespan below this is impossible, whoever starts the programs. */
export const idealMs = ({ trials, parallelism, runMs }: Scenario): number =>
  Math.ceil(trials / parallelism) * runMs;

/** The makespan of programs that take these times, each begun in this order as soon as a slot is free. */
export function listScheduledMs(runTimes: readonly number[], parallelism: number): number {
  const freeAt = new Array<number>(parallelism).fill(0);
  for (const runTime of runTimes) {
    const first = freeAt.indexOf(Math.min(...freeAt));
    freeAt[first] = (freeAt[first] ?? 0) + runTime;
  }
  return Math.max(...freeAt);
}

export function scenarioText(scenario: Scenario): string {
  const { trials, parallelism, runMs, longestRunMs, isCancelled, isSuspended, batches } = scenario;
  const runTime =
    longestRunMs === undefined ? `${runMs / 1_000}` : `${runMs / 1_000} to ${longestRunMs / 1_000}`;
  const work = `${trials.toLocaleString('en')} trials of ${runTime} s, ${parallelism} at a time`;
  const many = batches === undefined ? work : `${batches} batches of ${work}`;
  if (isCancelled === true) return `${many}, cancelled when ${parallelism} run`;
  return isSuspended === true ? `${many}, planned and suspended` : many;
}

/** What a contender needs for it at least, beside what it takes to begin and to settle. */
const SECONDS_AROUND = 22;
/** As calibrations on two cores had it. */
const TRIALS_PER_SECOND = { stock: 4.8, raised: 25 };

/** How long a contender takes with it, roughly. */
export function expectedSeconds(scenario: Scenario, limits: Limits): number {
  if (scenario.isSuspended === true) return SECONDS_AROUND;
  const trials = scenario.isCancelled === true ? scenario.parallelism : allTrials(scenario);
  const runSeconds = scenario.isCancelled === true ? 0 : idealMs(scenario) / 1_000;
  return SECONDS_AROUND + Math.max(runSeconds, trials / TRIALS_PER_SECOND[limits]);
}
