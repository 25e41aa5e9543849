/** Early stopping and targets in a cluster, with the same core as locally, also when the operator is killed in between. */
import { afterAll, beforeAll, expect, inject, it } from 'vitest';
import { ANNOTATION_VARIANT_NAME } from '../../src/api/v1alpha1/constants.ts';
import type { PodObject } from '../../src/engine/kubernetes/kubernetes-objects.ts';
import { outcomes, runningPods, untilNothingIsLeft, untilRunning } from './operator-steps.ts';
import {
  aBatchTest,
  measured,
  type OperatorSite,
  type OperatorWorld,
  openOperatorSite,
  RUNS_ON,
} from './operator-world.ts';
import { carrierCreations } from './watch-recorder.ts';

let site: OperatorSite;
beforeAll(async () => {
  site = await openOperatorSite(inject('controlPlane'));
});
afterAll(() => site?.close());

const variantOf = ({ metadata }: PodObject): string => metadata.annotations?.[ANNOTATION_VARIANT_NAME] ?? '';

/** Ends so many pods one after the other, as they come to run, with the value of their variant. */
async function playPods(
  world: OperatorWorld,
  uid: string,
  values: Readonly<Record<string, number>>,
  count: number,
): Promise<readonly string[]> {
  const played: PodObject[] = [];
  while (played.length < count) {
    const pod = await world.recorder.until('another pod runs', (changes) =>
      runningPods(changes, uid).find(
        ({ metadata }) => !played.some((one) => one.metadata.uid === metadata.uid),
      ),
    );
    played.push(pod);
    await world.endPod(pod, { exitCode: 0, message: measured(values[variantOf(pod)] ?? 0) });
  }
  return played.map(variantOf);
}

it('a variant that is clearly behind is stopped early, and a new operator goes on with the others', async () => {
  const world = await site.aWorld('stopped-early');
  const first = await world.startOperator();
  const uid = await world.create(
    aBatchTest({
      variants: ['fast', 'slow'],
      repetitions: 4,
      parallelism: 1,
      pod: RUNS_ON,
      spec: { comparison: { earlyStopping: { looks: 1, minRepetitions: 2 } } },
    }),
  );
  const values = { fast: 1, slow: 9 };
  expect((await playPods(world, uid, values, 4)).toSorted()).toEqual(['fast', 'fast', 'slow', 'slow']);
  await untilRunning(world, uid, 1);
  await first.kill();
  await world.startOperator();
  expect(await playPods(world, uid, values, 2)).toEqual(['fast', 'fast']);

  const { status } = await world.untilCondition(uid, 'Complete');
  expect(status).toMatchObject({
    trials: { total: 8, succeeded: 6, skipped: 2, failed: 0, cancelled: 0, pending: 0 },
    variants: { total: 2, succeeded: 1, failed: 0, stoppedEarly: 1 },
    best: { name: 'fast', tieCount: 0 },
  });
  expect(status?.conditions?.find(({ type }) => type === 'Complete')).toMatchObject({
    reason: 'StoppedEarly',
  });
  expect(await world.storedRun(uid)).toMatchObject({
    state: 'Complete',
    reason: 'StoppedEarly',
    succeeded: 6,
  });
  expect(carrierCreations(world.recorder.changes(), uid).size).toBe(6);
  await untilNothingIsLeft(world, uid);
});

it('a target ends what runs once a variant meets it, and the run is complete', async () => {
  const world = await site.aWorld('target-met');
  await world.startOperator();
  const uid = await world.create(
    aBatchTest({
      variants: ['good', 'other', 'third'],
      parallelism: 2,
      pod: RUNS_ON,
      spec: { objective: { metrics: [{ name: 'x', goal: 'minimize', target: '5' }] } },
    }),
  );
  const [pod] = await untilRunning(world, uid, 2);
  if (pod === undefined) throw new Error('unreachable: two were waited for');
  await world.endPod(pod, { exitCode: 0, message: measured(5) });
  const { status } = await world.untilCondition(uid, 'Complete');
  expect(status).toMatchObject({
    trials: { total: 3, succeeded: 1, skipped: 2, failed: 0, cancelled: 0 },
    best: { name: variantOf(pod) },
  });
  expect(status?.conditions?.find(({ type }) => type === 'Complete')).toMatchObject({ reason: 'TargetMet' });
  expect(await outcomes(world, uid)).toEqual(
    expect.arrayContaining([expect.stringMatching(/#1 Cancelled TargetMet$/)]),
  );
  await untilNothingIsLeft(world, uid);
});
