/** The example of docs/quickstart.md in containers, by the operator from the chart, which loses its leader in the middle; and the same on this machine. */
import { expect, it } from 'vitest';
import { carrierCreations, endedPods, mostLive, present } from '../integration/watch-recorder.ts';
import { aWorld, DEADLINE_MS, type E2eWorld } from './e2e-world.ts';
import { comparedWithRunHere, exampleWith } from './example.ts';
import { OPERATOR_NAMESPACE, operatorPods } from './installed-operator.ts';

it('runs the example as this machine does, each trial once, also when its leader is killed', {
  timeout: 480_000,
}, async () => {
  const world = await aWorld('compression');
  const example = await exampleWith('compression', world.images.compression);
  const uid = await world.create(example.manifest);
  await world.recorder.until(
    'some trials have ended',
    (changes) => endedPods(changes, uid).size >= 5 || undefined,
    DEADLINE_MS,
  );
  const killed = await killLeader(world);
  expect(endedPods(world.recorder.changes(), uid).size).toBeLessThan(55);
  const { status } = await world.untilOver(uid);
  expect(status).toMatchObject({
    trials: { total: 55, succeeded: 55, failed: 0 },
    best: { name: 'brotli-11' },
  });
  expect((await operatorPods(world.cluster)).leader.metadata.name).not.toBe(killed);

  const attempts = await world.attempts(uid);
  expect(attempts).toHaveLength(55);
  expect(attempts.filter(({ attempt, is_accepted }) => attempt !== 1 || !is_accepted)).toEqual([]);
  // Pods go with their Jobs, which the garbage collector sees to.
  const changes = await world.recorder.until(
    'no pod is left',
    (seen) => (present(seen, uid, 'Pod').length === 0 ? seen : undefined),
    DEADLINE_MS,
  );
  expect([...carrierCreations(changes, uid).values()]).toEqual(Array.from({ length: 55 }, () => 1));
  expect(mostLive(changes, uid)).toBeLessThanOrEqual(2);

  const { best, differences } = await comparedWithRunHere(world, example, uid, 'ratio');
  expect(best).toBe('brotli-11');
  expect(differences).toEqual([]);
});

/** Ends the leader's pod without a moment to give up its Lease. Gives the name of the pod. */
async function killLeader({ cluster }: E2eWorld): Promise<string> {
  const { leader } = await operatorPods(cluster);
  await cluster.request(
    'DELETE',
    `/api/v1/namespaces/${OPERATOR_NAMESPACE}/pods/${leader.metadata.name}?gracePeriodSeconds=0`,
  );
  return leader.metadata.name;
}
