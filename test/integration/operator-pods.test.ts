/** The pods that BatchTests come to, as the API server has taken them: who they are, and what they may do. */
import { afterAll, beforeAll, expect, inject, it } from 'vitest';
import type { BatchTestManifest } from '../../src/api/v1alpha1/schema.ts';
import type { JobObject, ObjectMeta } from '../../src/engine/kubernetes/kubernetes-objects.ts';
import { withPlay } from './kubernetes-world.ts';
import { outcomes, untilNothingIsLeft, untilRunning } from './operator-steps.ts';
import {
  aBatchTest,
  ENDS_SOON,
  measured,
  type OperatorSite,
  type OperatorWorld,
  openOperatorSite,
  RUNS_ON,
} from './operator-world.ts';
import { grantTokenReviews } from './service-account-tokens.ts';
import { conditionOf, lastOf } from './watch-recorder.ts';

let site: OperatorSite;
beforeAll(async () => {
  site = await openOperatorSite(inject('controlPlane'));
});
afterAll(() => site?.close());

/** A pod as far as these tests read it. */
interface AdmittedPod {
  readonly metadata: ObjectMeta;
  readonly spec: {
    readonly volumes?: readonly {
      readonly projected?: { readonly sources: readonly { readonly serviceAccountToken?: object }[] };
      readonly secret?: object;
    }[];
    readonly containers: readonly { readonly name: string; readonly volumeMounts?: readonly object[] }[];
  };
}

async function admittedPods({ cluster, namespace }: OperatorWorld): Promise<readonly AdmittedPod[]> {
  const path = `/api/v1/namespaces/${namespace}/pods`;
  return (await cluster.request<{ items: readonly AdmittedPod[] }>('GET', path)).items;
}

const tokensOf = ({ spec }: AdmittedPod): readonly object[] =>
  (spec.volumes ?? []).flatMap(({ projected, secret }) => [
    ...(projected?.sources ?? []).flatMap(({ serviceAccountToken }) => serviceAccountToken ?? []),
    ...(secret === undefined ? [] : [secret]),
  ]);

const withTemplate = (
  name: string,
  template: BatchTestManifest['spec']['template'],
  pod = RUNS_ON,
  spec: Partial<BatchTestManifest['spec']> = {},
): BatchTestManifest =>
  aBatchTest({ name, parallelism: 1, pod, spec: { ...spec, template: withPlay(template, pod) } });

it('get no token of their service account, unless it is the one for their result', async () => {
  const world = await site.aWorld('pods-tokens');
  const takeBack = await grantTokenReviews(world);
  try {
    const ingest = ['--result-ingest-url', 'http://ingest.test:8082', '--result-ingest-host', '127.0.0.1'];
    await world.startOperator({ options: [...ingest, '--result-ingest-port', '0'] });
    const containers = [
      { name: 'test', image: 'test:1' },
      { name: 'helper', image: 'test:1' },
    ];
    const plain = await world.create(withTemplate('plain', { spec: { containers } }));
    await untilRunning(world, plain, 1);
    const [without] = await admittedPods(world);
    expect(without?.spec.volumes ?? []).toEqual([]);
    expect(without?.spec.containers.flatMap(({ volumeMounts = [] }) => volumeMounts)).toEqual([]);
    await world.remove('plain');
    await untilNothingIsLeft(world, plain);

    const spec = { results: { push: true } };
    const pushing = await world.create(withTemplate('pushing', { spec: { containers } }, RUNS_ON, spec));
    await untilRunning(world, pushing, 1);
    const [pod] = await admittedPods(world);
    if (pod === undefined) throw new Error('unreachable: one was waited for');
    expect(tokensOf(pod)).toEqual([
      { audience: 'batchtest.dev/results', expirationSeconds: 3_600, path: 'token' },
    ]);
    expect(pod.spec.containers.map(({ name, volumeMounts = [] }) => [name, volumeMounts.length])).toEqual([
      ['test', 1],
      ['helper', 0],
    ]);
  } finally {
    await takeBack();
  }
});

it('are those of their own run, whatever the template says of itself', async () => {
  const world = await site.aWorld('pods-forged');
  await world.startOperator();
  const victim = await world.create(aBatchTest({ name: 'victim', parallelism: 1, pod: RUNS_ON }));
  const [pod] = await untilRunning(world, victim, 1);
  const { labels = {}, annotations = {} } = pod?.metadata ?? {};
  const [job] = (
    await world.cluster.request<{ items: readonly JobObject[] }>(
      'GET',
      `/apis/batch/v1/namespaces/${world.namespace}/jobs`,
    )
  ).items;

  const containers = [{ name: 'test', image: 'test:1' }];
  // Everything that the victim's own pod and Job are known by, and a result that the victim has not.
  const forged = {
    metadata: { labels: { ...job?.metadata.labels, ...labels, team: 'a' }, annotations },
    spec: { containers },
  };
  const forger = await world.create(
    withTemplate('forger', forged, { runMs: 100, message: measured(666) }, { podCleanupPolicy: 'Never' }),
  );
  await world.untilCondition(forger, 'Complete');
  expect(await outcomes(world, forger)).toEqual(['v0/0#1 Succeeded Completed']);
  expect(await outcomes(world, victim)).toEqual([]);

  const pods = await admittedPods(world);
  expect(pods.map(({ metadata }) => metadata.labels?.['batchtest.dev/run-uid']).sort()).toEqual(
    [victim, forger].sort(),
  );
  const own = pods.find(({ metadata }) => metadata.labels?.['batchtest.dev/run-uid'] === forger);
  expect(own?.metadata.labels).toMatchObject({ team: 'a' });
  const jobs = await world.cluster.request<{ items: readonly JobObject[] }>(
    'GET',
    `/apis/batch/v1/namespaces/${world.namespace}/jobs`,
  );
  const jobOfForger = jobs.items.find(({ metadata }) => metadata.name !== job?.metadata.name);
  expect(jobOfForger?.metadata.ownerReferences?.map(({ uid }) => uid)).toEqual([forger]);
  expect(own?.metadata.ownerReferences?.map(({ uid }) => uid)).toEqual([jobOfForger?.metadata.uid]);
});

it('that are not restricted are refused by a namespace that enforces it, and the run says where to look', async () => {
  const world = await site.aWorld('pods-refused');
  await world.startOperator();
  const containers = [{ name: 'test', image: 'test:1', securityContext: { privileged: true } }];
  const spec = { trialStartDeadlineSeconds: 3, retryPolicy: { limit: 0 } };
  const uid = await world.create(withTemplate('privileged', { spec: { containers } }, ENDS_SOON, spec));
  await world.recorder.until(
    'it says where to look',
    (changes) =>
      conditionOf(lastOf(changes, uid), 'Progressing')?.message?.includes('the events of the Job tell why') ||
      undefined,
  );
  await world.untilCondition(uid, 'Failed');
  expect(await outcomes(world, uid)).toEqual(['v0/0#1 Infrastructure StartDeadlineExceeded']);
  expect(await admittedPods(world)).toEqual([]);
  const events = await world.cluster.request<{ items: readonly { readonly message: string }[] }>(
    'GET',
    `/api/v1/namespaces/${world.namespace}/events`,
  );
  expect(events.items.map(({ message }) => message).join('\n')).toContain(
    'violates PodSecurity "restricted:latest": privileged',
  );
});
