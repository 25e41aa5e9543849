import type { RunSnapshot } from '../controller/run-snapshot.ts';
import { WAITING_REASONS } from './attempt-reasons.ts';
import { boundedWord, type MetricFamilies, NAMESPACE } from './metric-families.ts';

const TRIAL_STATES = ['pending', 'held', 'starting', 'running', 'stopping', 'storing'] as const;
type TrialState = (typeof TRIAL_STATES)[number];

/**
 * Gauges of how the runs stand that are under way. They are computed from what the controller holds when they are asked for, so they
 * cannot drift, and are right again after a restart. Only a process that leads has any.
 */
export function describeSnapshots(
  families: MetricFamilies,
  runs: () => readonly RunSnapshot[],
  now: () => number,
): void {
  const snapshots = oncePerTick(runs);
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
          if (state.kind === 'Waiting')
            gauge.inc({ namespace, reason: boundedWord(state.reason ?? 'Other', WAITING_REASONS) });
    },
  );
  families.gauge(
    'batchtest_slots',
    'Attempts that may be live at once: spec.parallelism of the runs under way that are not suspended.',
    { namespace: NAMESPACE },
    (gauge) => {
      for (const [namespace, runs] of byNamespace(snapshots()))
        gauge.set(
          { namespace },
          sum(runs, ({ isHeld, parallelism }) => (isHeld ? 0 : parallelism)),
        );
    },
  );
  families.gauge(
    'batchtest_slots_in_use',
    'Attempts that take a slot: those whose program has not ended.',
    { namespace: NAMESPACE },
    (gauge) => {
      for (const [namespace, runs] of byNamespace(snapshots()))
        gauge.set(
          { namespace },
          sum(runs, ({ attempts }) => attempts.filter(({ state }) => state.kind !== 'Ended').length),
        );
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
  const oldest = (name: string, help: string, kind: 'Ended' | 'Waiting') =>
    families.gauge(name, help, {}, (gauge) => {
      const times = snapshots().flatMap(({ attempts }) =>
        attempts.flatMap(({ state }) =>
          state.kind !== kind ? [] : [state.kind === 'Ended' ? state.at : state.since],
        ),
      );
      gauge.set(secondsSinceFirst(times, now()));
    });
  oldest(
    'batchtest_oldest_unstored_seconds',
    'Age of the oldest result that is not committed; 0 when there is none.',
    'Ended',
  );
  oldest(
    'batchtest_oldest_waiting_seconds',
    'For how long the attempt that has waited longest for its program to run has waited; 0 when none waits.',
    'Waiting',
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
