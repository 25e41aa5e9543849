/** One operator after another, and two at once. */
import { afterAll, beforeAll, expect, inject, it } from 'vitest';
import { grant, kubeconfigWithRights } from './operator-rights.ts';
import {
  aBatchTest,
  ENDS_SOON,
  type OperatorSite,
  type OperatorWorld,
  openOperatorSite,
} from './operator-world.ts';
import type { LogLine } from './running-operator.ts';
import { carrierCreations, creationsAboveParallelism, endedPods, present } from './watch-recorder.ts';

let site: OperatorSite;
beforeAll(async () => {
  site = await openOperatorSite(inject('controlPlane'));
});
afterAll(() => site?.close());

it('leaves the Jobs to the next operator when it is stopped, and the Lease as well', async () => {
  const world = await site.aWorld('handover');
  const first = await world.startOperator({ elects: true, identity: 'first' });
  const uid = await world.create(
    aBatchTest({ variants: 4, repetitions: 2, parallelism: 3, pod: { ...ENDS_SOON, runMs: 2_000 } }),
  );
  await world.recorder.until('3 pods are there', (changes) =>
    present(changes, uid, 'Pod').length === 3 ? true : undefined,
  );
  expect((await holder(world)).holderIdentity).toMatch(/^first_/);
  expect(await first.terminate()).toBe(0);
  expect(await holder(world)).toMatchObject({ holderIdentity: '', leaseDurationSeconds: 1 });
  await world.recorder.until('the pods that it left have ended', (changes) =>
    endedPods(changes, uid).size === 3 ? true : undefined,
  );
  expect(present(world.recorder.changes(), uid, 'Job')).toHaveLength(3);

  const second = await world.startOperator({ elects: true, identity: 'second' });
  await second.untilLogged('it leads', leads);
  await world.untilCondition(uid, 'Complete');
  await expectEachTrialOnce(world, uid, 8);
});

it('has one leader at a time, and another that takes over when the leader is killed', async () => {
  const world = await site.aWorld('election');
  const leader = await world.startOperator({ elects: true, identity: 'leader' });
  await leader.untilLogged('it leads', leads);
  // Whatever it tried to write before it leads would be refused, and it would say so.
  const kubeconfigPath = await kubeconfigWithRights(
    world.cluster,
    world.namespace,
    'standby',
    world.directory,
    ['watching'],
  );
  const standby = await world.startOperator({ elects: true, identity: 'standby', kubeconfigPath });
  await standby.untilReady();
  const uid = await world.create(aBatchTest({ variants: 4, repetitions: 3, parallelism: 2, pod: ENDS_SOON }));
  await world.recorder.until('5 Jobs were created', (changes) =>
    carrierCreations(changes, uid).size >= 5 ? true : undefined,
  );
  expect((await standby.log()).filter((line) => leads(line) || line.level !== 'info')).toEqual([]);
  expect(await world.storedRun(uid)).toMatchObject({ fence: 1 });

  await grant(world.cluster, world.namespace, 'standby', 'leading');
  await leader.kill();
  await standby.untilLogged('it leads', leads);
  await world.untilCondition(uid, 'Complete');
  expect(await world.storedRun(uid)).toMatchObject({ fence: 2, succeeded: 12 });
  expect(await holder(world)).toMatchObject({ leaseTransitions: 1 });
  await expectEachTrialOnce(world, uid, 12);
  const { items } = await world.cluster.request<{ items: readonly EventObject[] }>(
    'GET',
    `/apis/events.k8s.io/v1/namespaces/${world.namespace}/events`,
  );
  const ofRun = items.filter(({ regarding }) => regarding.uid === uid);
  expect(ofRun.map(({ reason, reportingInstance }) => `${reason} by ${reportingInstance}`).sort()).toEqual([
    'Complete by standby',
    'Started by leader',
  ]);
});

it('goes on with a run as it was begun, though the lists of its object are in another order now', async () => {
  const world = await site.aWorld('reordered');
  const first = await world.startOperator();
  const parameters = [
    { name: 'CACHE', values: ['lru', 'arc'] },
    { name: 'SIZE', values: ['1', '2'] },
  ];
  const env = [
    { name: 'A', value: '1' },
    { name: 'B', value: '2' },
  ];
  const manifest = aBatchTest({
    variants: [],
    repetitions: 2,
    parallelism: 1,
    pod: ENDS_SOON,
    spec: { matrix: { parameters }, comparison: { baseline: 'lru-1' } },
  });
  const { template } = manifest.spec;
  const templateWith = (variables: typeof env) => ({
    ...template,
    spec: { ...template.spec, containers: [{ name: 'test', image: 'test:1', env: variables }] },
  });
  const { variants: _, ...spec } = manifest.spec;
  const uid = await world.create({ ...manifest, spec: { ...spec, template: templateWith(env) } });
  await world.recorder.until('2 pods have ended', (changes) =>
    endedPods(changes, uid).size >= 2 ? true : undefined,
  );
  // The API server takes either list for the same as before.
  await world.cluster.request('PATCH', world.path('cache'), {
    spec: { template: templateWith(env.toReversed()), matrix: { parameters: parameters.toReversed() } },
  });
  await first.kill();
  await world.startOperator();
  const object = await world.untilCondition(uid, 'Complete');
  expect(object.status?.best?.name).toMatch(/^(lru|arc)-[12]$/);
  await expectEachTrialOnce(world, uid, 8);
});

const leads = ({ msg }: LogLine): boolean => msg === 'leading';

interface EventObject {
  readonly reason: string;
  readonly reportingInstance: string;
  readonly regarding: { readonly uid?: string };
}

interface LeaseSpec {
  readonly holderIdentity: string;
  readonly leaseDurationSeconds: number;
  readonly leaseTransitions?: number;
}

async function holder({ cluster, namespace }: OperatorWorld): Promise<LeaseSpec> {
  const path = `/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases/batchtest-operator`;
  return (await cluster.request<{ spec: LeaseSpec }>('GET', path)).spec;
}

async function expectEachTrialOnce(world: OperatorWorld, uid: string, trials: number): Promise<void> {
  const attempts = await world.storedAttempts(uid);
  expect(attempts.map(({ attempt, outcome, is_accepted }) => ({ attempt, outcome, is_accepted }))).toEqual(
    Array(trials).fill({ attempt: 1, outcome: 'Succeeded', is_accepted: true }),
  );
  const changes = world.recorder.changes();
  expect([...carrierCreations(changes, uid).values()]).toEqual(Array(trials).fill(1));
  expect(creationsAboveParallelism(changes, uid)).toEqual([]);
}
