import { describe, expect, it } from 'vitest';
import { batchTestWrites, writesByActor } from '../../bench/cluster/api-writes.ts';
import { jainIndex } from '../../bench/cluster/fairness.ts';
import { figuresOf, type Observation, rateOf } from '../../bench/cluster/figures.ts';
import { bestAt, type Comparison } from '../../bench/cluster/result.ts';
import { listScheduledMs } from '../../bench/cluster/scenario.ts';
import { spreadOf } from '../../bench/spread.ts';
import type { AuditEvent } from '../../tools/audit-log.ts';

const TIMELINE: Observation['timeline'] = {
  created: [1_050, 1_060, 2_120, 2_180],
  running: [1_100, 1_110, 2_130, 2_210],
  ended: [2_100, 2_110, 3_400, 3_500],
  deleted: [2_150, 2_155, 2_700, 3_000],
  gone: [2_150, 2_160, 3_500, 3_600],
  runTimes: [1_000, 1_000, 1_270, 1_290],
  mostLive: 3,
};

/** Four trials of a second, two at a time, begun at 1,000. */
const COMPLETED: Observation = {
  scenario: { name: 'test', trials: 4, parallelism: 2, runMs: 1_000 },
  timeline: TIMELINE,
  batches: [TIMELINE],
  beganAt: 1_000,
  cancelledAt: undefined,
  toldAt: 3_650,
  writes: { contender: 8, controllerManager: 20, scheduler: 8, kwok: 12 },
  batchTestWrites: undefined,
  etcdBytes: 40_960,
  podBytes: undefined,
  usage: { cpuSeconds: 0.1, peakResidentMiB: 90, resident: [] },
  statusBytes: 700,
  transactions: 12,
};

describe('the figures of an observation', () => {
  it('compares the makespan with the shortest possible one', () => {
    expect(figuresOf(COMPLETED)).toMatchObject({
      efficiency: 80,
      makespanSeconds: 2.5,
      firstPodMs: 50,
      toldMs: 150,
    });
  });

  it('tells no refill where a slot was free all the time', () => {
    const timeline = { ...TIMELINE, mostLive: 1 };
    const figures = figuresOf({ ...COMPLETED, timeline, batches: [timeline] });
    expect(figures.refillCreatedP50Ms).toBeUndefined();
    expect(figuresOf(COMPLETED).refillCreatedP50Ms).toBeGreaterThan(0);
  });

  it('counts the processor time of the database as that of the contender', () => {
    const usage = { cpuSeconds: 0.1, databaseCpuSeconds: 0.02, peakResidentMiB: 90, resident: [] };
    const { cpuSeconds, databaseCpuSeconds } = figuresOf({ ...COMPLETED, usage });
    expect(cpuSeconds).toBeCloseTo(30);
    expect(databaseCpuSeconds).toBeCloseTo(5);
  });

  it('takes the run times that were seen when they differ', () => {
    const scenario = { ...COMPLETED.scenario, longestRunMs: 1_500 };
    // Of these four, two at a time: 1,000 + 1,270 and 1,000 + 1,290.
    expect(figuresOf({ ...COMPLETED, scenario }).efficiency).toBeCloseTo((100 * 2_290) / 2_500);
  });

  it('looks at each batch by itself', () => {
    const early = { ...TIMELINE, ended: [2_000], mostLive: 1 };
    const late = { ...TIMELINE, ended: [4_000], mostLive: 4 };
    const scenario = { ...COMPLETED.scenario, trials: 2, batches: 2 };
    expect(figuresOf({ ...COMPLETED, scenario, batches: [early, late] })).toMatchObject({
      // Ended after 1 s and 3 s.
      fairness: 16 / 20,
      overshoot: 2,
      writes: 12,
    });
    expect(figuresOf(COMPLETED)).not.toHaveProperty('fairness');
  });

  it('tells of memory by how much it grows in the second half, once that is long enough', () => {
    const warmUp = Array.from({ length: 50 }, (_, second) => [second * 10, second * 4] as const);
    const steady = Array.from(
      { length: 50 },
      (_, second) => [500 + second * 10, 200 + second * 0.1] as const,
    );
    const usage = { cpuSeconds: 1, peakResidentMiB: 205, resident: [...warmUp, ...steady] };
    expect(figuresOf({ ...COMPLETED, usage }).residentGrowth).toBeCloseTo(10);
    expect(figuresOf({ ...COMPLETED, usage: { ...usage, resident: warmUp } })).not.toHaveProperty(
      'residentGrowth',
    );
  });

  it('tells of a suspended run when it was planned, and nothing of pods', () => {
    const empty = { created: [], running: [], ended: [], deleted: [], gone: [], runTimes: [], mostLive: 0 };
    const scenario = { ...COMPLETED.scenario, isSuspended: true };
    const figures = figuresOf({
      ...COMPLETED,
      scenario,
      timeline: empty,
      batches: [empty],
      objectBytes: 900,
    });
    expect(figures).toEqual({ plannedMs: 2_650, peakResidentMiB: 90, statusBytes: 700, objectBytes: 900 });
  });

  it('tells how long slots were free, and by how much the limit was exceeded', () => {
    expect(figuresOf(COMPLETED)).toMatchObject({
      refillCreatedP50Ms: 20,
      refillCreatedP99Ms: 70,
      refillRunningP50Ms: 30,
      refillRunningP99Ms: 100,
      mostLive: 3,
      overshoot: 1,
    });
  });

  it('spreads what was spent over the trials', () => {
    expect(figuresOf(COMPLETED)).toMatchObject({
      writes: 12,
      contenderWrites: 2,
      controllerManagerWrites: 5,
      schedulerWrites: 2,
      kwokWrites: 3,
      cpuSeconds: 25,
      peakResidentMiB: 90,
      statusBytes: 700,
      etcdKiB: 10,
      transactions: 3,
    });
  });

  it('leaves out what a contender without a process does not have', () => {
    const { statusBytes: _, transactions: __, ...rest } = COMPLETED;
    const figures = figuresOf({ ...rest, usage: undefined });
    for (const name of ['cpuSeconds', 'peakResidentMiB', 'statusBytes', 'transactions'])
      expect(figures).not.toHaveProperty(name);
  });

  it('tells of a cancel how long it took and what was created after it, and nothing that needs an end', () => {
    const figures = figuresOf({ ...COMPLETED, cancelledAt: 2_150 });
    expect(figures).toMatchObject({
      cancelDeletedMs: 850,
      cancelMs: 1_450,
      cancelToldMs: 1_500,
      createdAfterCancel: 1,
      mostLive: 3,
    });
    expect(figures).not.toHaveProperty('efficiency');
    expect(figures).not.toHaveProperty('writes');
  });

  it('has rates from the first request on', () => {
    expect(rateOf(TIMELINE.created, COMPLETED.beganAt)).toBeCloseTo(4 / 1.18);
    expect(rateOf(TIMELINE.ended, COMPLETED.beganAt)).toBeCloseTo(4 / 2.5);
  });
});

describe('the ideal of programs of different lengths', () => {
  it('gives each the slot that is free first', () => {
    expect(listScheduledMs([5, 1, 1, 1], 2)).toBe(5);
    expect(listScheduledMs([1, 1, 1, 5], 2)).toBe(6);
    expect(listScheduledMs([1, 2], 5)).toBe(2);
  });
});

describe('the Jain index', () => {
  it('is 1 when all are equal and 1/n when one has everything', () => {
    expect(jainIndex([3, 3, 3])).toBe(1);
    expect(jainIndex([9, 0, 0])).toBeCloseTo(1 / 3);
  });
});

describe('the best of a row', () => {
  const comparison = (...values: readonly (number | undefined)[]): Comparison => ({
    limits: 'raised',
    scenario: COMPLETED.scenario,
    contenders: values.map((value, index) => ({
      name: `c${index}`,
      rounds: value === undefined ? [{}] : [{ efficiency: value, makespanSeconds: value, mostLive: value }],
    })),
  });
  const names = (found: ReturnType<typeof bestAt>) => found.map(({ name }) => name);

  it('is the most or the least, whichever is better', () => {
    expect(names(bestAt(comparison(70, 80, undefined), 'efficiency'))).toEqual(['c1']);
    expect(names(bestAt(comparison(70, 80, undefined), 'makespanSeconds'))).toEqual(['c0']);
  });

  it('is everybody of whom the same is told', () => {
    expect(names(bestAt(comparison(80.04, 80.01, 70), 'efficiency'))).toEqual(['c0', 'c1']);
  });

  it('is nobody without another, or of what is neither good nor bad', () => {
    expect(bestAt(comparison(80, undefined), 'efficiency')).toEqual([]);
    expect(bestAt(comparison(3, 4), 'mostLive')).toEqual([]);
  });
});

describe('figures over several rounds', () => {
  it('are their median, least and most', () => {
    const rounds = [{ makespanSeconds: 3 }, { makespanSeconds: 1 }, { makespanSeconds: 2 }];
    expect(spreadOf(rounds, 'makespanSeconds')).toEqual({ median: 2, least: 1, most: 3 });
    expect(spreadOf(rounds.slice(0, 2), 'makespanSeconds')).toEqual({ median: 2, least: 1, most: 3 });
  });

  it('are missing when no round has them', () => {
    expect(spreadOf([{}, {}], 'statusBytes')).toBeUndefined();
  });
});

describe('API writes', () => {
  const write = (username: string, namespace = 'bench-a'): AuditEvent => ({
    stage: 'ResponseComplete',
    requestReceivedTimestamp: '2026-11-29T10:00:00.000000Z',
    verb: 'create',
    requestURI: '/',
    user: { username },
    objectRef: { resource: 'pods', namespace },
  });

  it('are counted by who made them, in the namespace of the work alone', () => {
    const events = [
      write('system:serviceaccount:bench-a:contender'),
      write('admin'),
      write('system:kube-controller-manager'),
      write('system:kube-scheduler'),
      write('kwok'),
      write('kwok', 'bench-b'),
    ];
    expect(writesByActor(events, 'bench-a')).toEqual({
      contender: 2,
      controllerManager: 1,
      scheduler: 1,
      kwok: 1,
    });
  });

  it('to what has no namespace are of the one that it is named after', () => {
    const queue = (name: string): AuditEvent => ({
      ...write('system:serviceaccount:bench-a:contender'),
      objectRef: { resource: 'clusterqueues', name },
    });
    expect(writesByActor([queue('bench-a-0'), queue('bench-b-0')], 'bench-a').contender).toBe(1);
  });

  it('of BatchTests are told apart: of trials, of each status by how often, and all others', () => {
    const ours = (resource: string, more: object = {}, second = 0): AuditEvent => ({
      ...write('system:serviceaccount:bench-a:contender'),
      requestReceivedTimestamp: `2026-11-29T10:00:0${second}.500000Z`,
      objectRef: { resource, namespace: 'bench-a', ...more },
    });
    const status = (name: string, second: number) =>
      ours('batchtests', { subresource: 'status', name }, second);
    const events = [
      ours('batchtests'),
      ours('events'),
      ours('jobs'),
      ours('pods'),
      // Three in four seconds are two intervals of two seconds each.
      ...[1, 2, 5].map((second) => status('bench-0', second)),
      status('bench-1', 3),
      write('system:kube-controller-manager'),
      { ...status('bench-0', 9), objectRef: { resource: 'batchtests', namespace: 'bench-b' } },
    ];
    expect(batchTestWrites(events, 'bench-a')).toEqual({ ofTrials: 2, statusPerSecond: 0.25, further: 1 });
    expect(batchTestWrites(events, 'bench-b')).toBeUndefined();
    const figures = figuresOf({
      ...COMPLETED,
      batchTestWrites: { ofTrials: 6, statusPerSecond: 0.25, further: 1 },
    });
    expect(figures).toMatchObject({ trialWrites: 1.5, statusWriteRate: 0.25, furtherWrites: 1 });
  });

  it('of somebody unknown are an error, as the sums would be wrong without them', () => {
    expect(() => writesByActor([write('system:node:a')], 'bench-a')).toThrow('"system:node:a"');
  });
});
