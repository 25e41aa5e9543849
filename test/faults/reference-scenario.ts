/**
 * The run that faults are tried on. It has everything in it that an operator has to get right: two trials at a time, an attempt that is
 * lost and tried again, a program's own failure, and a cancellation while some trials run and another has not started. How each pod ends
 * is decided here, by what it is and not by when, so the run comes to the same end whatever happens to the operator meanwhile.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { BatchTestManifest } from '../../src/api/v1alpha1/schema.ts';
import { aBatchTest, measured, type OperatorWorld, RUNS_ON } from '../integration/operator-world.ts';
import { type PlayedEnd, playPods } from './kubelet.ts';
import { DEADLINE_MS, identityOf, type PlayedAttempt, runningPods, untilSettled } from './run-view.ts';

/** Pods of this repetition run until they are cancelled. Trials start repetition by repetition. */
export const HELD_REPETITION = 2;
const PARALLELISM = 2;
/** What is stored when the run is cancelled: both trials of each of the three variants that end by themselves. */
const DONE_BEFORE_CANCEL = 6;

export interface PlayOptions {
  /** Fields of the spec that differ from those of the reference. */
  readonly spec?: Partial<BatchTestManifest['spec']>;
  /** How long each part of the run may take: until it can be cancelled, and from then until it has settled. Default 60 s. */
  readonly deadlineMs?: number;
  /** Told the run's UID as soon as its object was created. */
  readonly onCreated?: (uid: string) => void;
}

const referenceManifest = (): BatchTestManifest => {
  const manifest = aBatchTest({
    variants: ['steady', 'flaky', 'broken'],
    repetitions: HELD_REPETITION + 1,
    parallelism: PARALLELISM,
    pod: RUNS_ON,
  });
  // Tried again at once, so that no wait decides which trial gets the slot.
  const retryPolicy = { limit: 1, backoffSeconds: 0, maxBackoffSeconds: 0 };
  return { ...manifest, spec: { ...manifest.spec, retryPolicy } };
};

function referenceEnd({ variant, repetition, attempt }: PlayedAttempt): PlayedEnd {
  if (repetition === HELD_REPETITION) return { kind: 'RunsOn' };
  switch (variant) {
    case 'broken':
      return { kind: 'Exits', exitCode: 3, message: 'out of cheese' };
    case 'flaky':
      return attempt === 1
        ? { kind: 'Evicted' }
        : { kind: 'Exits', exitCode: 0, message: measured(20 + repetition) };
    default:
      return { kind: 'Exits', exitCode: 0, message: measured(10 + repetition) };
  }
}

/** Plays a run of the reference scenario from the creation of its object until it has settled; its UID. */
export async function playReference(world: OperatorWorld, options: PlayOptions = {}): Promise<string> {
  const { spec = {}, deadlineMs = DEADLINE_MS, onCreated = () => undefined } = options;
  const manifest = referenceManifest();
  const uid = await world.create({ ...manifest, spec: { ...manifest.spec, ...spec } });
  onCreated(uid);
  const steps = async () => {
    await untilCancellable(world, uid, deadlineMs);
    await world.cluster.request('PATCH', world.path('cache'), { spec: { cancel: true } });
    await untilSettled(world, uid, deadlineMs);
  };
  await Promise.all([steps(), playPods(world, uid, referenceEnd, 2 * deadlineMs)]);
  return uid;
}

async function untilCancellable(world: OperatorWorld, uid: string, deadlineMs: number): Promise<void> {
  const deadline = performance.now() + deadlineMs;
  for (;;) {
    const run = await storedRun(world, uid);
    const held = runningPods(world.recorder.changes(), uid).filter(
      (pod) => identityOf(pod).repetition === HELD_REPETITION,
    );
    const done = (run?.succeeded ?? 0) + (run?.failed ?? 0);
    if (done === DONE_BEFORE_CANCEL && held.length === PARALLELISM) return;
    if (performance.now() > deadline)
      throw new Error(
        `the run cannot be cancelled as planned within ${deadlineMs} ms: ${done} of ${DONE_BEFORE_CANCEL} trials are stored, ${held.length} of ${PARALLELISM} held pods run; ${JSON.stringify(run)}`,
      );
    await sleep(100);
  }
}

/** Undefined as well while nobody can tell: an operator that was killed early has made no tables, a server may be away. */
const storedRun = (world: OperatorWorld, uid: string) => world.storedRun(uid).catch(() => undefined);
