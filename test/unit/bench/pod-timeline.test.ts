import { describe, expect, it } from 'vitest';
import { PodTimeline, refills } from '../../bench/cluster/pod-timeline.ts';
import type { Change } from '../../integration/watch-recorder.ts';

type Seen = readonly [at: number, pod: string, what: What];
type What = 'created' | 'running' | 'succeeded' | 'failed' | 'deleted' | 'gone';

const PHASES = {
  created: 'Pending',
  running: 'Running',
  succeeded: 'Succeeded',
  failed: 'Failed',
  deleted: 'Running',
  gone: 'Running',
};

function timelineOf(...seen: readonly Seen[]): PodTimeline {
  const timeline = new PodTimeline();
  for (const [at, pod, what] of seen) timeline.note(podChange(at, pod, what));
  return timeline;
}

const podChange = (at: number, pod: string, what: What): Change => ({
  kind: 'Pod',
  type: what === 'created' ? 'ADDED' : what === 'gone' ? 'DELETED' : 'MODIFIED',
  object: {
    metadata: {
      name: pod,
      uid: pod,
      resourceVersion: String(at),
      ...(what === 'deleted' ? { deletionTimestamp: '2026-11-29T00:00:00Z' } : {}),
    },
    status: { phase: PHASES[what] },
  },
  revision: at,
  at,
});

describe('the timeline of pods', () => {
  it('keeps when each pod was seen for the first time at each step', () => {
    const timeline = timelineOf(
      [10, 'a', 'created'],
      [12, 'a', 'running'],
      [13, 'a', 'running'],
      [20, 'a', 'succeeded'],
      [25, 'a', 'gone'],
    );
    expect(timeline).toMatchObject({
      created: [10],
      running: [12],
      succeeded: [20],
      ended: [20],
      gone: [25],
      present: 0,
    });
  });

  it('takes a pod that is deleted while it runs as ended', () => {
    const timeline = timelineOf([1, 'a', 'created'], [2, 'a', 'running'], [3, 'a', 'gone']);
    expect(timeline).toMatchObject({ ended: [3], succeeded: [], gone: [3] });
  });

  it('keeps when a pod was told to stop, which comes before it is gone', () => {
    const timeline = timelineOf(
      [1, 'a', 'created'],
      [2, 'b', 'created'],
      [5, 'a', 'deleted'],
      [7, 'a', 'gone'],
    );
    timeline.note(podChange(9, 'b', 'gone'));
    expect(timeline).toMatchObject({ deleted: [5, 9], gone: [7, 9] });
  });

  it('tells two pods of the same name apart', () => {
    const timeline = timelineOf([1, 'a', 'created'], [2, 'a', 'gone']);
    const again = podChange(3, 'a', 'created');
    timeline.note({ ...again, object: { metadata: { ...again.object.metadata, uid: 'other' } } } as Change);
    expect(timeline).toMatchObject({ created: [1, 3], present: 1 });
  });

  it('knows how long each pod ran, in the order of creation', () => {
    const timeline = timelineOf(
      [1, 'a', 'created'],
      [2, 'b', 'created'],
      [3, 'b', 'running'],
      [4, 'a', 'running'],
      [10, 'b', 'succeeded'],
      [14, 'a', 'succeeded'],
      [15, 'c', 'created'],
    );
    expect(timeline.runTimes).toEqual([10, 7]);
  });

  it('counts the most pods that were live at one instant', () => {
    const timeline = timelineOf(
      [1, 'a', 'created'],
      [2, 'b', 'created'],
      [3, 'a', 'failed'],
      [4, 'c', 'created'],
      [5, 'd', 'created'],
      [6, 'b', 'gone'],
    );
    expect(timeline.mostLive).toBe(3);
  });

  it('is not interested in Jobs', () => {
    const timeline = new PodTimeline();
    timeline.note({ ...podChange(1, 'a', 'created'), kind: 'Job' } as Change);
    expect(timeline.created).toEqual([]);
  });
});

describe('the refill of slots', () => {
  it('pairs each pod that ends with the first that found all slots taken', () => {
    const timeline = { created: [0, 1, 105, 112], running: [2, 3, 107, 119], ended: [100, 110, 200, 210] };
    expect(refills(timeline, 'created', 2)).toEqual([5, 2]);
    expect(refills(timeline, 'running', 2)).toEqual([7, 9]);
  });

  it('is negative where a pod was created before there was a slot for it', () => {
    expect(refills({ created: [0, 90], running: [], ended: [100] }, 'created', 1)).toEqual([-10]);
  });

  it('leaves out slots that nobody left', () => {
    expect(refills({ created: [0, 1, 2], running: [], ended: [] }, 'created', 1)).toEqual([]);
  });
});
