/** The example of docs/quickstart.md in containers, by the operator from the chart, which loses its leader in the middle; and the same on this machine. */
import { expect, it } from 'vitest';
import { carrierCreations, endedPods, mostLive, present } from '../integration/watch-recorder.ts';
import { aWorld, DEADLINE_MS, type E2eWorld } from './e2e-world.ts';
import { comparedWithRunHere, exampleWith } from './example.ts';
import { OPERATOR_NAMESPACE } from './installed-operator.ts';

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
  expect(await leader(world)).not.toBe(killed);

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

/** Name of the operator's pod that leads. */
async function leader({ cluster }: E2eWorld): Promise<string> {
  const { items } = await cluster.request<{
    items: readonly { metadata: { name: string }; spec: { holderIdentity?: string } }[];
  }>('GET', `/apis/coordination.k8s.io/v1/namespaces/${OPERATOR_NAMESPACE}/leases`);
  const [lease] = items;
  if (lease?.spec.holderIdentity === undefined) throw new Error(`nobody leads: ${JSON.stringify(items)}`);
  return lease.spec.holderIdentity;
}

/** Ends the leader's pod without a moment to give up its Lease. Gives the name of who led. */
async function killLeader(world: E2eWorld): Promise<string> {
  const identity = await leader(world);
  const pods = `/api/v1/namespaces/${OPERATOR_NAMESPACE}/pods`;
  const { items } = await world.cluster.request<{ items: readonly { metadata: { name: string } }[] }>(
    'GET',
    pods,
  );
  const pod = items.find(({ metadata }) => identity.includes(metadata.name));
  if (pod === undefined) throw new Error(`no pod is the leader ${identity}: ${JSON.stringify(items)}`);
  await world.cluster.request('DELETE', `${pods}/${pod.metadata.name}?gracePeriodSeconds=0`);
  return identity;
}
