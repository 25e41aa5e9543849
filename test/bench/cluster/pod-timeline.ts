import type { Change } from '../../integration/watch-recorder.ts';

type Step = 'created' | 'running' | 'ended' | 'succeeded' | 'deleted' | 'gone';

/** What happened to the pods of a namespace, and when a witness saw it: each list is in the order of time. */
export class PodTimeline {
  readonly created: number[] = [];
  readonly running: number[] = [];
  /** Ended by itself or deleted, whichever was seen first: its slot was free from then on. */
  readonly ended: number[] = [];
  readonly succeeded: number[] = [];
  /** Somebody deleted it: its programs are told to stop. */
  readonly deleted: number[] = [];
  readonly gone: number[] = [];
  /** How long each pod ran, in the order of creation; without those that have not ended. */
  get runTimes(): readonly number[] {
    return [...this.#times.values()].flatMap(({ running, ended }) =>
      running === undefined || ended === undefined ? [] : [ended - running],
    );
  }
  /** The most pods that had not ended at one instant. */
  mostLive = 0;
  /** When each pod, by its UID, was seen to have come how far. */
  readonly #times = new Map<string, Partial<Record<Step, number>>>();

  note(change: Change): void {
    if (change.kind !== 'Pod') return;
    const { object, at, type } = change;
    const times = this.#times.get(object.metadata.uid) ?? {};
    this.#times.set(object.metadata.uid, times);
    const phase = object.status?.phase ?? '';
    const once = (step: Step) => {
      if (times[step] !== undefined) return;
      times[step] = at;
      this[step].push(at);
    };
    once('created');
    if (phase === 'Running') once('running');
    if (phase === 'Succeeded') once('succeeded');
    if (phase === 'Succeeded' || phase === 'Failed' || type === 'DELETED') once('ended');
    if (type === 'DELETED' || object.metadata.deletionTimestamp !== undefined) once('deleted');
    if (type === 'DELETED') once('gone');
    this.mostLive = Math.max(this.mostLive, this.created.length - this.ended.length);
  }

  /** How many pods are there. */
  get present(): number {
    return this.created.length - this.gone.length;
  }
}

/**
 * How long each slot that a pod left was free, until the next pod was created or ran: the first pod that ends makes room for the first
 * that found all slots taken, and so on. Negative where somebody did not wait for a slot.
 */
export const refills = (
  timeline: Pick<PodTimeline, 'created' | 'running' | 'ended'>,
  until: 'created' | 'running',
  parallelism: number,
): readonly number[] =>
  timeline[until].slice(parallelism).flatMap((at, index) => {
    const freed = timeline.ended[index];
    return freed === undefined ? [] : [at - freed];
  });
