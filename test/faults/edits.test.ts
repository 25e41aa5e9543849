/** What an operator makes of edits while it works: of the object, of the cluster's policies, and of its own credentials. */
import { writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, inject, it, onTestFinished } from 'vitest';
import { aDenyingPolicy } from '../integration/denying-policy.ts';
import {
  aBatchTest,
  measured,
  type OperatorSite,
  type OperatorWorld,
  openOperatorSite,
  RUNS_ON,
} from '../integration/operator-world.ts';
import { ApiRequestError } from '../tools/cluster-client.ts';
import { aFaultyWay, type FaultyWay } from './faulty-way.ts';
import { playPods } from './kubelet.ts';
import { untilRunning, untilSettled } from './run-view.ts';
import { violationsOf } from './violations.ts';

let site: OperatorSite;
beforeAll(async () => {
  site = await openOperatorSite(inject('controlPlane'));
}, 120_000);
afterAll(() => site?.close());

async function aWorldWithAWay(
  name: string,
): Promise<{ readonly world: OperatorWorld; readonly way: FaultyWay }> {
  const world = await site.aWorld(name);
  return { world, way: await aFaultyWay(world, { onTestFinished }) };
}

const SUCCESS = { kind: 'Exits', exitCode: 0, message: measured(1) } as const;

it('F22: keeps a run apart from that of an object of the same name that takes its place at once', async () => {
  const { world, way } = await aWorldWithAWay('replaced');
  await way.startOperator();
  const manifest = aBatchTest({ variants: 3, parallelism: 2, pod: RUNS_ON });
  const first = await world.create(manifest);
  await untilRunning(world, first, 2);
  // Without its finalizer, as when somebody strips it, the object is gone before its Jobs are.
  await world.cluster.request('PATCH', world.path('cache'), { metadata: { finalizers: null } });
  await world.cluster.request('DELETE', world.path('cache'), { propagationPolicy: 'Background' });
  const second = await world.create(manifest);
  await playPods(world, second, () => SUCCESS);
  await untilSettled(world, second);
  await expect
    .poll(() => world.storedRun(first), { timeout: 20_000 })
    .toMatchObject({ state: 'Cancelled', reason: 'Deleted', succeeded: 0, cancelled: 3 });
  expect(await world.storedRun(second)).toMatchObject({ state: 'Complete', succeeded: 3, cancelled: 0 });
  await world.recorder.untilQuietFor(1_500);
  expect(await violationsOf(world, first)).toEqual([]);
  expect(await violationsOf(world, second)).toEqual([]);
});

it('F23: follows the parallelism up and down without ending anything, and is spared edits of what is compared', async () => {
  const { world, way } = await aWorldWithAWay('edited');
  await way.startOperator();
  const uid = await world.create(aBatchTest({ variants: 6, parallelism: 3, pod: RUNS_ON }));
  const edit = (spec: object) => world.cluster.request('PATCH', world.path('cache'), { spec });
  const running = await untilRunning(world, uid, 3);
  await edit({ parallelism: 1 });
  for (const refused of [
    { variants: [{ name: 'other', parameters: { CACHE: 'other' } }] },
    { repetitions: 2 },
    { template: { spec: { containers: [{ name: 'test', image: 'test:2' }] } } },
  ])
    await expect(edit(refused)).rejects.toThrow(ApiRequestError);
  await sleep(1_500);
  expect((await untilRunning(world, uid, 3)).map(({ metadata }) => metadata.uid).sort()).toEqual(
    running.map(({ metadata }) => metadata.uid).sort(),
  );
  for (const pod of running) await world.endPod(pod, SUCCESS);
  await untilRunning(world, uid, 1);
  await sleep(1_000);
  await untilRunning(world, uid, 1);
  await edit({ parallelism: 3 });
  await untilRunning(world, uid, 3);
  await playPods(world, uid, () => SUCCESS);
  await untilSettled(world, uid);
  expect(await world.storedRun(uid)).toMatchObject({ state: 'Complete', succeeded: 6 });
  expect(await violationsOf(world, uid)).toEqual([]);
});

it('F31: fails a variant whose Jobs a policy denies, with the words of the policy, and goes on with the others', async () => {
  const { world, way } = await aWorldWithAWay('denied');
  const matches = { apiGroups: ['batch'], apiVersions: ['v1'], operations: ['CREATE'], resources: ['jobs'] };
  await aDenyingPolicy(world.cluster, {
    name: `deny-${world.namespace}`,
    matchConstraints: {
      namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': world.namespace } },
      resourceRules: [matches],
    },
    validation: {
      expression: `!object.metadata.name.contains('-forbidden-')`,
      message: 'not in my cluster',
    },
    collection: `/apis/batch/v1/namespaces/${world.namespace}/jobs`,
    denied: {
      metadata: { name: 'x-forbidden-x' },
      spec: {
        template: { spec: { restartPolicy: 'Never', containers: [{ name: 'test', image: 'test:1' }] } },
      },
    },
  });
  await way.startOperator();
  const manifest = aBatchTest({ variants: ['allowed', 'forbidden'], parallelism: 2, pod: RUNS_ON });
  const retryPolicy = { limit: 1, backoffSeconds: 0, maxBackoffSeconds: 0 };
  const uid = await world.create({ ...manifest, spec: { ...manifest.spec, retryPolicy } });
  await playPods(world, uid, () => SUCCESS);
  await untilSettled(world, uid);
  expect(await world.storedAttempts(uid)).toMatchObject([
    { variant: 'allowed', attempt: 1, outcome: 'Succeeded' },
    {
      variant: 'forbidden',
      attempt: 1,
      outcome: 'Infrastructure',
      reason: 'AdmissionDenied',
      message: expect.stringContaining('not in my cluster'),
    },
    { variant: 'forbidden', attempt: 2, outcome: 'Infrastructure', reason: 'AdmissionDenied' },
  ]);
  expect(way.apiWrites().filter((write) => write === 'POST jobs')).toHaveLength(3);
  expect(await violationsOf(world, uid)).toEqual([]);
});

it('F33: goes on with new credentials of the API server without a restart, and logs none of them', async () => {
  const { world, way } = await aWorldWithAWay('rotated');
  const operator = await way.startOperator();
  const uid = await world.create(aBatchTest({ variants: 3, parallelism: 1, pod: RUNS_ON }));
  await untilRunning(world, uid, 1);
  const account = `/api/v1/namespaces/${world.namespace}/serviceaccounts/operator`;
  // The tokens of an account go with it; its name, and with that its rights, stay.
  await world.cluster.request('DELETE', account);
  const text = await world.cluster.kubeconfigForServiceAccount(world.namespace, 'operator');
  await writeFile(way.kubeconfigPath, text.replace(inject('controlPlane').url, way.api.access.server));
  await playPods(world, uid, () => SUCCESS);
  await untilSettled(world, uid);
  expect(await world.storedRun(uid)).toMatchObject({ state: 'Complete', succeeded: 3 });
  expect(await violationsOf(world, uid)).toEqual([]);
  const token = /token: (\S+)/.exec(text)?.[1] ?? '';
  expect(token.length).toBeGreaterThan(100);
  expect(JSON.stringify(await operator.log())).not.toContain(token.slice(-40));
});
