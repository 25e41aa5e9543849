import type { RunSnapshot } from '../controller/run-snapshot.ts';
import { WAITING_REASONS } from './attempt-reasons.ts';
import { boundedWord, type MetricFamilies, NAMESPACE } from './metric-families.ts';

const TRIAL_STATES = ['pending', 'held', 'starting', 'running', 'stopping', 'storing'] as const;
type TrialState = (typeof TRIAL_STATES)[number];

/** What a controller tells of its runs, asked anew at each scrape. */
export interface RunsToTell {
  /** Those of which this process knows what is stored. */
  runs(): readonly RunSnapshot[];
  /** How many were begun of which it does not. */
  unopened(): number;
}

/**
 * Gauges of how the runs stand that are under way. They are computed from what the controller holds when they are asked for, so they
 * cannot drift, and are right again after a restart. Only a process that leads has any.
 */
export function describeSnapshots(
  families: MetricFamilies,
  controllers: ReadonlySet<RunsToTell>,
  now: () => number,
): void {
  const snapshots = oncePerTick(() => [...controllers].flatMap((controller) => controller.runs()));
  families.gauge(
    'batchtest_trials_current',
    'Trials of runs under way that are not over. held: due, but the run is suspended or its parallelism is 0; starting: the program does not run yet; storing: ended, and not committed yet.',
    { namespace: NAMESPACE, state: TRIAL_STATES },
    (gauge) => {
      for (const [namespace, runs] of byNamespace(snapshots())) {
        const counts = countsOf(runs);
        for (const state of TRIAL_STATES) gauge.set({ namespace, state }, counts[state]);
      }
    },
  );
  families.gauge(
    'batchtest_attempts_waiting',
    'Attempts that were started and whose program does not run yet, by what they wait for.',
    { namespace: NAMESPACE, reason: WAITING_REASONS },
    (gauge) => {
      for (const [namespace, runs] of byNamespace(snapshots()))
        for (const { state } of runs.flatMap(({ attempts }) => attempts))
          if (state.kind === 'Waiting') gauge.inc({ namespace, reason: waitingReason(state) });
    },
  );
  families.gauge(
    'batchtest_slots',
    'Attempts that may be live at once: of each run under way that is not suspended spec.parallelism, or what trials it still has where these are fewer.',
    { namespace: NAMESPACE },
    (gauge) => {
      for (const [namespace, runs] of byNamespace(snapshots()))
        gauge.set(
          { namespace },
          sum(runs, (run) => (run.isHeld ? 0 : Math.min(run.parallelism, run.pending + slotsInUse(run)))),
        );
    },
  );
  families.gauge(
    'batchtest_slots_in_use',
    'Attempts that take a slot: those whose program has not ended.',
    { namespace: NAMESPACE },
    (gauge) => {
      for (const [namespace, runs] of byNamespace(snapshots()))
        gauge.set({ namespace }, sum(runs, slotsInUse));
    },
  );
  families.gauge(
    'batchtest_results_unstored',
    'Attempts that have ended and whose result is not committed: it is still with the engine, and only there. Returns to 0.',
    {},
    (gauge) =>
      gauge.set(
        sum(snapshots(), ({ attempts }) => attempts.filter(({ state }) => state.kind === 'Ended').length),
      ),
  );
  families.gauge(
    'batchtest_oldest_unstored_seconds',
    'Age of the oldest result that is not committed; 0 when there is none.',
    {},
    (gauge) => {
      const times = snapshots().flatMap(({ attempts }) =>
        attempts.flatMap(({ state }) => (state.kind === 'Ended' ? [state.at] : [])),
      );
      gauge.set(secondsSinceFirst(times, now()));
    },
  );
  families.gauge(
    'batchtest_runs_begun',
    'Runs that were begun and are not over. unopened: the store has not given this process what it holds of them, so that batchtest_results_unstored and batchtest_oldest_unstored_seconds do not know of theirs. Told by the process that leads alone.',
    { state: ['opened', 'unopened'] },
    (gauge) => {
      if (controllers.size === 0) return;
      gauge.set({ state: 'opened' }, snapshots().length);
      gauge.set(
        { state: 'unopened' },
        [...controllers].reduce((total, controller) => total + controller.unopened(), 0),
      );
    },
  );
  families.gauge(
    'batchtest_oldest_waiting_seconds',
    'Of the attempts whose program does not run yet: for how long the one that was started first has waited, by what it waits for now.',
    { namespace: NAMESPACE, reason: WAITING_REASONS },
    (gauge) => {
      for (const [namespace, runs] of byNamespace(snapshots())) {
        const firstOf = new Map<string, number>();
        for (const { state } of runs.flatMap(({ attempts }) => attempts)) {
          if (state.kind !== 'Waiting') continue;
          const reason = waitingReason(state);
          firstOf.set(reason, Math.min(firstOf.get(reason) ?? state.since, state.since));
        }
        for (const [reason, first] of firstOf)
          gauge.set({ namespace, reason }, secondsSinceFirst([first], now()));
      }
    },
  );
  families.gauge(
    'batchtest_longest_without_progress_seconds',
    'Of the runs that are not held, and have trials to run or running: for how long the one that has stood still longest has neither started nor stored an attempt.',
    { namespace: NAMESPACE },
    (gauge) => {
      for (const [namespace, runs] of byNamespace(snapshots())) {
        const active = runs.filter(
          ({ isHeld, pending, attempts }) => !isHeld && pending + attempts.length > 0,
        );
        gauge.set(
          { namespace },
          secondsSinceFirst(
            active.map(({ lastProgressAt }) => lastProgressAt),
            now(),
          ),
        );
      }
    },
  );
}

const waitingReason = ({ reason = 'Other' }: { readonly reason?: string | undefined }): string =>
  boundedWord(reason, WAITING_REASONS);

/** Attempts whose program has not ended. */
const slotsInUse = ({ attempts }: RunSnapshot): number =>
  attempts.filter(({ state }) => state.kind !== 'Ended').length;

function countsOf(runs: readonly RunSnapshot[]): Readonly<Record<TrialState, number>> {
  const counts = { pending: 0, held: 0, starting: 0, running: 0, stopping: 0, storing: 0 };
  for (const { pending, isHeld, attempts } of runs) {
    counts[isHeld ? 'held' : 'pending'] += pending;
    for (const { state } of attempts) counts[STATE_OF[state.kind]] += 1;
  }
  return counts;
}

const STATE_OF = { Waiting: 'starting', Running: 'running', Stopping: 'stopping', Ended: 'storing' } as const;

function byNamespace(runs: readonly RunSnapshot[]): ReadonlyMap<string, readonly RunSnapshot[]> {
  const groups = new Map<string, RunSnapshot[]>();
  for (const snapshot of runs) {
    const namespace = snapshot.run.namespace ?? '';
    const group = groups.get(namespace);
    if (group === undefined) groups.set(namespace, [snapshot]);
    else group.push(snapshot);
  }
  return groups;
}

const sum = (runs: readonly RunSnapshot[], count: (run: RunSnapshot) => number): number =>
  runs.reduce((total, run) => total + count(run), 0);

const secondsSinceFirst = (times: readonly number[], now: number): number =>
  times.length === 0 ? 0 : Math.max(0, now - times.reduce((first, time) => Math.min(first, time))) / 1_000;

/** All gauges of one scrape are collected in one tick, so that they are of one moment, and looking at 10,000 attempts is done once. */
function oncePerTick<T>(read: () => T): () => T {
  let taken: { readonly value: T } | undefined;
  return () => {
    if (taken === undefined) {
      taken = { value: read() };
      queueMicrotask(() => {
        taken = undefined;
      });
    }
    return taken.value;
  };
}
