import { linearRegression } from 'simple-statistics';
import { percentile } from '../figure.ts';
import type { FigureKind } from '../spread.ts';
import { ACTORS, type Actor, type BatchTestWrites } from './api-writes.ts';
import { jainIndex } from './fairness.ts';
import { type PodTimeline, refills } from './pod-timeline.ts';
import { allTrials, idealMs, listScheduledMs, type Scenario } from './scenario.ts';

/** Everything that is measured, in the order in which it is told. */
export const FIGURES = {
  efficiency: { title: 'efficiency: ideal makespan / makespan', unit: '%', digits: 1, best: 'most' },
  makespanSeconds: { title: 'makespan', unit: 's', digits: 1, best: 'least' },
  fairness: { title: 'fairness: Jain index of when the batches ended', unit: '', digits: 3, best: 'most' },
  firstPodMs: { title: 'time to the first pod', unit: 'ms', digits: 0, best: 'least' },
  newFirstPodMs: {
    title: 'time to the first pod ever, of a new process',
    unit: 'ms',
    digits: 0,
    best: 'least',
  },
  refillCreatedP50Ms: {
    title: 'refill, slot free to next pod created, p50',
    unit: 'ms',
    digits: 0,
    best: 'least',
  },
  refillCreatedP99Ms: {
    title: 'refill, slot free to next pod created, p99',
    unit: 'ms',
    digits: 0,
    best: 'least',
  },
  refillRunningP50Ms: {
    title: 'refill, slot free to next pod running, p50',
    unit: 'ms',
    digits: 0,
    best: 'least',
  },
  refillRunningP99Ms: {
    title: 'refill, slot free to next pod running, p99',
    unit: 'ms',
    digits: 0,
    best: 'least',
  },
  mostLive: { title: 'most live pods', unit: '', digits: 0 },
  overshoot: { title: 'overshoot: live pods above the limit', unit: '', digits: 0, best: 'least' },
  toldMs: { title: 'last pod ended to told by the status', unit: 'ms', digits: 0, best: 'least' },
  cancelDeletedMs: { title: 'cancel to the last pod told to stop', unit: 'ms', digits: 0, best: 'least' },
  cancelMs: { title: 'cancel to the last pod gone', unit: 'ms', digits: 0, best: 'least' },
  cancelToldMs: { title: 'cancel to told by the status', unit: 'ms', digits: 0, best: 'least' },
  createdAfterCancel: { title: 'pods created after the cancel', unit: '', digits: 0, best: 'least' },
  plannedMs: {
    title: 'request to all trials planned and told by the status',
    unit: 'ms',
    digits: 0,
    best: 'least',
  },
  writes: { title: 'API writes per trial', unit: '', digits: 1, best: 'least' },
  contenderWrites: { title: '– of the contender', unit: '', digits: 1 },
  trialWrites: { title: '– – of trials: Jobs or pods', unit: '', digits: 2 },
  statusWriteRate: { title: '– – of a status, a second', unit: '', digits: 2 },
  furtherWrites: { title: '– – others of a BatchTest, in all', unit: '', digits: 0 },
  controllerManagerWrites: { title: '– of the controller manager', unit: '', digits: 1 },
  schedulerWrites: { title: '– of the scheduler', unit: '', digits: 1 },
  kwokWrites: { title: '– of KWOK', unit: '', digits: 1 },
  cpuSeconds: {
    title: 'CPU of the contender and its database per 1,000 trials',
    unit: 's',
    digits: 1,
    best: 'least',
  },
  databaseCpuSeconds: { title: '– of the database', unit: 's', digits: 1 },
  peakResidentMiB: { title: 'peak resident memory of the contender', unit: 'MiB', digits: 0, best: 'least' },
  residentGrowth: {
    title: 'growth of its resident memory per 1,000 trials, over the second half',
    unit: 'MiB',
    digits: 1,
    best: 'least',
  },
  podBytes: { title: 'labels, annotations and specification of a pod', unit: 'bytes', digits: 0 },
  statusBytes: { title: 'largest status', unit: 'bytes', digits: 0, best: 'least' },
  objectBytes: { title: 'largest object, status included', unit: 'bytes', digits: 0, best: 'least' },
  etcdKiB: { title: 'written to etcd per trial', unit: 'KiB', digits: 1, best: 'least' },
  transactions: {
    title: 'Postgres transactions per trial',
    unit: '',
    digits: 1,
    best: 'least',
  },
} as const satisfies Readonly<Record<string, FigureKind>>;

export type FigureName = keyof typeof FIGURES;
export type Figures = Readonly<Partial<Record<FigureName, number>>>;

export const figureKind = (name: FigureName): FigureKind => FIGURES[name];

type Timeline = Pick<
  PodTimeline,
  'created' | 'running' | 'ended' | 'deleted' | 'gone' | 'mostLive' | 'runTimes'
>;

/** How many trials had ended, and how much memory the contender had resident then. */
export type Resident = readonly [trials: number, mebibytes: number];

/** Enough for a plot. */
const MOST_SAMPLES = 150;

/** Fewer samples, over the same time. */
export function thinned(samples: readonly Resident[]): readonly Resident[] {
  const step = Math.ceil(samples.length / MOST_SAMPLES);
  return samples
    .filter((_, index) => index % step === 0)
    .map(([trials, mebibytes]) => [trials, Number(mebibytes.toFixed(1))]);
}

/** One contender at one scenario, as a witness and the API server saw it; times are `performance.now()`. */
export interface Observation {
  readonly scenario: Scenario;
  /** Of all pods. */
  readonly timeline: Timeline;
  /** Of the pods of each batch. */
  readonly batches: readonly Timeline[];
  readonly beganAt: number;
  /** How long the first pod took of what the contender did before, as a new process; undefined when no process of its own works. */
  readonly newFirstPodMs?: number;
  /** Undefined unless the work was cancelled. */
  readonly cancelledAt: number | undefined;
  /** When a status told that it was over; undefined for a contender that has none. */
  readonly toldAt: number | undefined;
  readonly writes: Readonly<Record<Actor, number>>;
  /** Undefined for a contender that has no BatchTests. */
  readonly batchTestWrites: BatchTestWrites | undefined;
  /** What was written to etcd meanwhile, by whomever. */
  readonly etcdBytes: number;
  /** Of the contender's process; undefined when it has none. */
  readonly usage:
    | {
        readonly cpuSeconds: number;
        /** Of the server of its database; undefined when it has none. */
        readonly databaseCpuSeconds?: number;
        readonly peakResidentMiB: number;
        /** Once a second. */
        readonly resident: readonly Resident[];
      }
    | undefined;
  /** Of the first pod as it was created: its labels, annotations and specification; undefined when none was. */
  readonly podBytes: number | undefined;
  readonly statusBytes?: number;
  /** Of the operator alone. */
  readonly objectBytes?: number;
  readonly transactions?: number;
}

export function figuresOf(observation: Observation): Figures {
  const { statusBytes, objectBytes, newFirstPodMs } = observation;
  return {
    ...(newFirstPodMs === undefined ? {} : { newFirstPodMs }),
    ...(statusBytes === undefined ? {} : { statusBytes }),
    ...(objectBytes === undefined ? {} : { objectBytes }),
    ...(observation.scenario.isSuspended === true
      ? figuresOfPlanned(observation)
      : { ...figuresOfPods(observation), ...figuresOfEnd(observation) }),
  };
}

/** From the request to the first pod. */
export const firstPodMsOf = ({ timeline, beganAt }: Pick<Observation, 'timeline' | 'beganAt'>): number =>
  (timeline.created[0] ?? Number.NaN) - beganAt;

const figuresOfPods = ({ scenario, timeline, batches, beganAt, podBytes }: Observation): Figures => ({
  ...(podBytes === undefined ? {} : { podBytes }),
  firstPodMs: firstPodMsOf({ timeline, beganAt }),
  mostLive: timeline.mostLive,
  overshoot: Math.max(0, ...batches.map(({ mostLive }) => mostLive - scenario.parallelism)),
});

const figuresOfEnd = (observation: Observation): Figures =>
  observation.cancelledAt === undefined
    ? figuresOfCompleted(observation)
    : figuresOfCancel(observation, observation.cancelledAt);

function figuresOfPlanned({ beganAt, toldAt, usage }: Observation): Figures {
  return {
    ...(toldAt === undefined ? {} : { plannedMs: toldAt - beganAt }),
    ...(usage === undefined ? {} : { peakResidentMiB: usage.peakResidentMiB }),
  };
}

function figuresOfCompleted(observation: Observation): Figures {
  const { scenario, timeline, batches, beganAt, toldAt, writes, batchTestWrites } = observation;
  const { etcdBytes, usage, transactions } = observation;
  const trials = allTrials(scenario);
  const endedAt = timeline.ended.at(-1) ?? Number.NaN;
  const makespanMs = endedAt - beganAt;
  const ideal =
    scenario.longestRunMs === undefined
      ? idealMs(scenario)
      : Math.max(...batches.map(({ runTimes }) => listScheduledMs(runTimes, scenario.parallelism)));
  const created = batches.flatMap((batch) => refills(batch, 'created', scenario.parallelism));
  const running = batches.flatMap((batch) => refills(batch, 'running', scenario.parallelism));
  return {
    efficiency: (100 * ideal) / makespanMs,
    makespanSeconds: makespanMs / 1_000,
    ...(batches.length === 1
      ? {}
      : { fairness: jainIndex(batches.map(({ ended }) => (ended.at(-1) ?? Number.NaN) - beganAt)) }),
    // Where no batch ever had as many pods as it may, a slot was free all the time.
    ...(batches.every(({ mostLive }) => mostLive >= scenario.parallelism)
      ? {
          refillCreatedP50Ms: percentile(created, 0.5),
          refillCreatedP99Ms: percentile(created, 0.99),
          refillRunningP50Ms: percentile(running, 0.5),
          refillRunningP99Ms: percentile(running, 0.99),
        }
      : {}),
    ...(toldAt === undefined ? {} : { toldMs: toldAt - endedAt }),
    writes: ACTORS.reduce((sum, actor) => sum + writes[actor], 0) / trials,
    contenderWrites: writes.contender / trials,
    ...(batchTestWrites === undefined
      ? {}
      : {
          trialWrites: batchTestWrites.ofTrials / trials,
          statusWriteRate: batchTestWrites.statusPerSecond,
          furtherWrites: batchTestWrites.further,
        }),
    controllerManagerWrites: writes.controllerManager / trials,
    schedulerWrites: writes.scheduler / trials,
    kwokWrites: writes.kwok / trials,
    etcdKiB: etcdBytes / 1_024 / trials,
    ...(usage === undefined
      ? {}
      : {
          cpuSeconds: ((usage.cpuSeconds + (usage.databaseCpuSeconds ?? 0)) * 1_000) / trials,
          ...(usage.databaseCpuSeconds === undefined
            ? {}
            : { databaseCpuSeconds: (usage.databaseCpuSeconds * 1_000) / trials }),
          peakResidentMiB: usage.peakResidentMiB,
          ...growthOf(usage.resident),
        }),
    ...(transactions === undefined ? {} : { transactions: transactions / trials }),
  };
}

/** Fewer samples than this tell of how it began alone. */
const LEAST_SAMPLES = 60;

function growthOf(resident: readonly Resident[]): Figures {
  if (resident.length < LEAST_SAMPLES) return {};
  const secondHalf = resident.slice(resident.length / 2);
  return { residentGrowth: 1_000 * linearRegression(secondHalf.map(([x, y]) => [x, y])).m };
}

const figuresOfCancel = ({ timeline, toldAt }: Observation, cancelledAt: number): Figures => ({
  cancelDeletedMs: (timeline.deleted.at(-1) ?? Number.NaN) - cancelledAt,
  cancelMs: (timeline.gone.at(-1) ?? Number.NaN) - cancelledAt,
  ...(toldAt === undefined ? {} : { cancelToldMs: toldAt - cancelledAt }),
  createdAfterCancel: timeline.created.filter((at) => at > cancelledAt).length,
});

/** How many a second, from the first request to the last of the times. */
export const rateOf = (times: readonly number[], beganAt: number): number =>
  (1_000 * times.length) / ((times.at(-1) ?? Number.NaN) - beganAt);
