/** How programs are asked to end when their run is cancelled, and how they are made to. */
import { describe, expect, it } from 'vitest';
import { aWorld, DEADLINE_MS, type E2eWorld, EXECUTIONS, scripts } from './e2e-world.ts';

const GRACE_SECONDS = 5;
/** With the grace period that Kubernetes gives by itself, 30 s, it would take longer than this. */
const AT_MOST_SECONDS = 20;

/** Cancels a run of one script while that runs. Gives how long it took until no pod was left, in seconds. */
async function cancelled(
  world: E2eWorld,
  execution: (typeof EXECUTIONS)[number],
  script: string,
): Promise<{ uid: string; seconds: number }> {
  const uid = await world.create(
    scripts(
      world.images.shell,
      { only: script },
      { spec: { execution }, pod: { terminationGracePeriodSeconds: GRACE_SECONDS } },
    ),
  );
  await world.untilRunning(uid);
  const cancelledAt = performance.now();
  await world.edit('scripts', { cancel: true });
  const goneAt = await world.recorder.until(
    'the pod is gone',
    (changes) => changes.find(({ kind, type }) => kind === 'Pod' && type === 'DELETED')?.at,
    DEADLINE_MS,
  );
  await world.untilOver(uid);
  return { uid, seconds: (goneAt - cancelledAt) / 1000 };
}

/** The last that was seen of the program: the kubelet tells it before the pod goes. */
function endOf(world: E2eWorld) {
  const pods = world.recorder.changes().flatMap((change) => (change.kind === 'Pod' ? [change.object] : []));
  return pods.findLast(({ status }) => status?.containerStatuses?.[0]?.state?.terminated !== undefined)
    ?.status?.containerStatuses?.[0]?.state?.terminated;
}

describe.each(EXECUTIONS)('with execution %s', (execution) => {
  it('lets a program that handles SIGTERM end by itself', async () => {
    const world = await aWorld(`cancel-handled-${execution.toLowerCase()}`);
    const handled = 'trap "echo -n handled >/dev/termination-log; exit 9" TERM; while :; do sleep 0.1; done';
    const { uid } = await cancelled(world, execution, handled);
    expect(await world.attempts(uid)).toMatchObject([{ outcome: 'Cancelled' }]);
    expect(endOf(world)).toMatchObject({ exitCode: 9, message: 'handled' });
  });

  it('kills a program that ignores SIGTERM when its grace period is over, and not before', async () => {
    const world = await aWorld(`cancel-ignored-${execution.toLowerCase()}`);
    const { uid, seconds } = await cancelled(world, execution, 'trap "" TERM; while :; do sleep 0.1; done');
    expect(seconds).toBeGreaterThanOrEqual(GRACE_SECONDS);
    expect(seconds).toBeLessThan(AT_MOST_SECONDS);
    expect(await world.attempts(uid)).toMatchObject([{ outcome: 'Cancelled' }]);
    expect(endOf(world)).toMatchObject({ exitCode: 137 });
  });
});
