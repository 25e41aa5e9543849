import { percentile } from '../figure.ts';
import { ACTORS, type Actor } from './api-writes.ts';
import { type PodTimeline, refills } from './pod-timeline.ts';
import { idealMs, type Scenario } from './scenario.ts';

/** Everything that is measured, in the order in which it is told. Less is better, but for the efficiency. */
export const FIGURES = {
  efficiency: { title: 'efficiency: ideal makespan / makespan', unit: '%', digits: 1 },
  makespanSeconds: { title: 'makespan', unit: 's', digits: 1 },
  firstPodMs: { title: 'time to the first pod', unit: 'ms', digits: 0 },
  refillCreatedP50Ms: { title: 'refill, slot free to next pod created, p50', unit: 'ms', digits: 0 },
  refillCreatedP99Ms: { title: 'refill, slot free to next pod created, p99', unit: 'ms', digits: 0 },
  refillRunningP50Ms: { title: 'refill, slot free to next pod running, p50', unit: 'ms', digits: 0 },
  refillRunningP99Ms: { title: 'refill, slot free to next pod running, p99', unit: 'ms', digits: 0 },
  mostLive: { title: 'most live pods', unit: '', digits: 0 },
  overshoot: { title: 'overshoot: live pods above the limit', unit: '', digits: 0 },
  cancelMs: { title: 'cancel to the last pod gone', unit: 'ms', digits: 0 },
  createdAfterCancel: { title: 'pods created after the cancel', unit: '', digits: 0 },
  writes: { title: 'API writes per trial', unit: '', digits: 1 },
  contenderWrites: { title: '– of the contender', unit: '', digits: 1 },
  controllerManagerWrites: { title: '– of the controller manager', unit: '', digits: 1 },
  schedulerWrites: { title: '– of the scheduler', unit: '', digits: 1 },
  kwokWrites: { title: '– of KWOK', unit: '', digits: 1 },
  cpuSeconds: { title: 'CPU of the contender per 1,000 trials', unit: 's', digits: 1 },
  peakResidentMiB: { title: 'peak resident memory of the contender', unit: 'MiB', digits: 0 },
  statusBytes: { title: 'largest status', unit: 'bytes', digits: 0 },
  etcdKiB: { title: 'written to etcd per trial', unit: 'KiB', digits: 1 },
  transactions: { title: 'Postgres transactions per trial, start included', unit: '', digits: 1 },
} as const;

export type FigureName = keyof typeof FIGURES;
export type Figures = Readonly<Partial<Record<FigureName, number>>>;

/** One contender at one scenario, as a witness and the API server saw it; times are `performance.now()`. */
export interface Observation {
  readonly scenario: Scenario;
  readonly timeline: Pick<PodTimeline, 'created' | 'running' | 'ended' | 'gone' | 'mostLive'>;
  readonly beganAt: number;
  /** Undefined unless the work was cancelled. */
  readonly cancelledAt: number | undefined;
  readonly writes: Readonly<Record<Actor, number>>;
  /** What was written to etcd meanwhile, by whomever. */
  readonly etcdBytes: number;
  /** Of the contender's process; undefined when it has none. */
  readonly usage: { readonly cpuSeconds: number; readonly peakResidentMiB: number } | undefined;
  /** Of the operator alone. */
  readonly statusBytes?: number;
  readonly transactions?: number;
}

export function figuresOf(observation: Observation): Figures {
  const { scenario, timeline, beganAt, cancelledAt } = observation;
  return {
    firstPodMs: (timeline.created[0] ?? Number.NaN) - beganAt,
    mostLive: timeline.mostLive,
    overshoot: Math.max(0, timeline.mostLive - scenario.parallelism),
    ...(observation.statusBytes === undefined ? {} : { statusBytes: observation.statusBytes }),
    ...(cancelledAt === undefined ? figuresOfCompleted(observation) : figuresOfCancel(timeline, cancelledAt)),
  };
}

function figuresOfCompleted({
  scenario,
  timeline,
  beganAt,
  writes,
  etcdBytes,
  usage,
  transactions,
}: Observation): Figures {
  const { trials, parallelism } = scenario;
  const makespanMs = (timeline.ended.at(-1) ?? Number.NaN) - beganAt;
  const created = refills(timeline, 'created', parallelism);
  const running = refills(timeline, 'running', parallelism);
  return {
    efficiency: (100 * idealMs(scenario)) / makespanMs,
    makespanSeconds: makespanMs / 1_000,
    refillCreatedP50Ms: percentile(created, 0.5),
    refillCreatedP99Ms: percentile(created, 0.99),
    refillRunningP50Ms: percentile(running, 0.5),
    refillRunningP99Ms: percentile(running, 0.99),
    writes: ACTORS.reduce((sum, actor) => sum + writes[actor], 0) / trials,
    contenderWrites: writes.contender / trials,
    controllerManagerWrites: writes.controllerManager / trials,
    schedulerWrites: writes.scheduler / trials,
    kwokWrites: writes.kwok / trials,
    etcdKiB: etcdBytes / 1_024 / trials,
    ...(usage === undefined
      ? {}
      : { cpuSeconds: (usage.cpuSeconds * 1_000) / trials, peakResidentMiB: usage.peakResidentMiB }),
    ...(transactions === undefined ? {} : { transactions: transactions / trials }),
  };
}

const figuresOfCancel = (timeline: Observation['timeline'], cancelledAt: number): Figures => ({
  cancelMs: (timeline.gone.at(-1) ?? Number.NaN) - cancelledAt,
  createdAfterCancel: timeline.created.filter((at) => at > cancelledAt).length,
});

/** Pods a second that reached each step, from the first request to the last pod. */
export const ratesOf = ({ timeline, beganAt }: Pick<Observation, 'timeline' | 'beganAt'>): Rates => {
  const rate = (times: readonly number[]) =>
    (1_000 * times.length) / ((times.at(-1) ?? Number.NaN) - beganAt);
  return {
    created: rate(timeline.created),
    running: rate(timeline.running),
    ended: rate(timeline.ended),
  };
};

export interface Rates {
  readonly created: number;
  readonly running: number;
  readonly ended: number;
}
