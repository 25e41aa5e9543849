import type { PodObject } from '../../../src/engine/kubernetes/kubernetes-objects.ts';
import { recordNamespace } from '../../integration/watch-recorder.ts';
import { rateOf } from './figures.ts';
import { LOOP_OF_JOBS, LOOP_OF_PODS } from './loop-contender.ts';
import { type Ground, observe } from './measurement.ts';
import type { Scenario } from './scenario.ts';
import { trialPod } from './trial-pod.ts';

/** Pods a second, each step with one more part of a cluster at work: what nobody can be faster than here. */
export interface Ladder {
  /** Requests alone: nobody schedules them. */
  readonly created: number;
  /** And the scheduler, while KWOK stands still. */
  readonly bound: number;
  /** And KWOK, which has them run and end at once. */
  readonly ended: number;
  /** And the Job controller, who is the one to create them. */
  readonly endedOfJobs: number;
}

export async function calibrate(ground: Ground, work: Scenario): Promise<Ladder> {
  const created = await podsPerSecond(ground, work, 'nobody');
  const kwok = ground.cluster.component('kwok');
  await kwok.stop();
  const bound = await podsPerSecond(ground, work, 'default-scheduler');
  await kwok.start();
  // It takes its nodes over only when the leases that it had on them before have run out.
  await observe(LOOP_OF_PODS, { ...work, trials: 1, parallelism: 1 }, ground);
  const ended = await observe(LOOP_OF_PODS, work, ground);
  const endedOfJobs = await observe(LOOP_OF_JOBS, work, ground);
  return {
    created,
    bound,
    ended: rateOf(ended.timeline.ended, ended.beganAt),
    endedOfJobs: rateOf(endedOfJobs.timeline.ended, endedOfJobs.beganAt),
  };
}

const REQUESTS_AT_ONCE = 16;
const DEADLINE_MS = 120_000;

/** As many pods as the work has trials, until all are there; and on a node, unless nobody puts them there. Nothing of them is left. */
async function podsPerSecond(
  { cluster }: Ground,
  work: Scenario,
  schedulerName: 'nobody' | 'default-scheduler',
): Promise<number> {
  const namespace = await cluster.createNamespace('bench');
  const pods = `/api/v1/namespaces/${namespace}/pods`;
  const template = trialPod(work, `${work.name}-0`);
  const reached = new Map<string, number>();
  const witness = await recordNamespace(
    cluster,
    namespace,
    ({ kind, object, at }) => {
      if (kind !== 'Pod' || reached.has(object.metadata.uid)) return;
      if (schedulerName === 'nobody' || isScheduled(object)) reached.set(object.metadata.uid, at);
    },
    () => false,
  );
  const beganAt = performance.now();
  const numbers = Array.from({ length: work.trials }, (_, index) => index).values();
  const create = async () => {
    for (const number of numbers)
      await cluster.request('POST', pods, {
        metadata: { ...template.metadata, name: `pod-${number}` },
        spec: { ...template.spec, schedulerName },
      });
  };
  try {
    await Promise.all(Array.from({ length: REQUESTS_AT_ONCE }, create));
    await witness.until(
      'all pods are there',
      () => (reached.size === work.trials ? true : undefined),
      DEADLINE_MS,
    );
  } finally {
    await witness.close();
    // Nobody else would end them, as no kubelet has them.
    await cluster.request('DELETE', `${pods}?gracePeriodSeconds=0`);
  }
  return rateOf([...reached.values()], beganAt);
}

const isScheduled = ({ status }: PodObject): boolean =>
  status?.conditions?.some(({ type, status }) => type === 'PodScheduled' && status === 'True') === true;
