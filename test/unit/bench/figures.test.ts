import { describe, expect, it } from 'vitest';
import { writesByActor } from '../../bench/cluster/api-writes.ts';
import { figuresOf, type Observation, ratesOf } from '../../bench/cluster/figures.ts';
import { spreadOf } from '../../bench/cluster/result.ts';
import type { AuditEvent } from '../../tools/audit-log.ts';

/** Four trials of a second, two at a time, begun at 1,000. */
const COMPLETED: Observation = {
  scenario: { name: 'test', trials: 4, parallelism: 2, runMs: 1_000 },
  timeline: {
    created: [1_050, 1_060, 2_120, 2_180],
    running: [1_100, 1_110, 2_130, 2_210],
    ended: [2_100, 2_110, 3_400, 3_500],
    gone: [2_150, 2_160, 3_500, 3_600],
    mostLive: 3,
  },
  beganAt: 1_000,
  cancelledAt: undefined,
  writes: { contender: 8, controllerManager: 20, scheduler: 8, kwok: 12 },
  etcdBytes: 40_960,
  usage: { cpuSeconds: 0.1, peakResidentMiB: 90 },
  statusBytes: 700,
  transactions: 12,
};

describe('the figures of an observation', () => {
  it('compares the makespan with the shortest possible one', () => {
    expect(figuresOf(COMPLETED)).toMatchObject({ efficiency: 80, makespanSeconds: 2.5, firstPodMs: 50 });
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
    expect(figures).toMatchObject({ cancelMs: 1_450, createdAfterCancel: 1, mostLive: 3 });
    expect(figures).not.toHaveProperty('efficiency');
    expect(figures).not.toHaveProperty('writes');
  });

  it('has the rates of a calibration', () => {
    const { created, ended } = ratesOf(COMPLETED);
    expect(created).toBeCloseTo(4 / 1.18);
    expect(ended).toBeCloseTo(4 / 2.5);
  });
});

describe('figures over several rounds', () => {
  it('are their median, least and most', () => {
    const rounds = [{ makespanSeconds: 3 }, { makespanSeconds: 1 }, { makespanSeconds: 2 }];
    expect(spreadOf(rounds, 'makespanSeconds')).toEqual({ median: 2, least: 1, most: 3 });
  });

  it('are missing when no round has them', () => {
    expect(spreadOf([{}, {}], 'statusBytes')).toBeUndefined();
  });
});

describe('API writes', () => {
  const write = (username: string, namespace = 'bench-a'): AuditEvent => ({
    stage: 'ResponseComplete',
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

  it('of somebody unknown are an error, as the sums would be wrong without them', () => {
    expect(() => writesByActor([write('system:node:a')], 'bench-a')).toThrow('"system:node:a"');
  });
});
