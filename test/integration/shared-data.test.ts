/** Shared data in pods: what the API server says to them, and that they start. */
import { afterAll, beforeAll, expect, inject, it } from 'vitest';
import { attemptName } from '../../src/core/attempt.ts';
import { jobManifest } from '../../src/engine/kubernetes/job-manifest.ts';
import type { JobObject } from '../../src/engine/kubernetes/kubernetes-objects.ts';
import { aTemplate } from '../builders/batch-test.ts';
import { aRun } from '../builders/run.ts';
import { aBatchTest, ENDS_SOON, type OperatorSite, openOperatorSite } from './operator-world.ts';
import { carrierCreations } from './watch-recorder.ts';

let site: OperatorSite;
beforeAll(async () => {
  site = await openOperatorSite(inject('controlPlane'));
});
afterAll(() => site?.close());

it('is mounted into every pod by reference: nothing is made for a trial but its Job', async () => {
  const world = await site.aWorld('shared-data');
  const { cluster, namespace } = world;
  await cluster.request('POST', `/api/v1/namespaces/${namespace}/configmaps`, {
    metadata: { name: 'corpus' },
    data: { 'a.txt': 'hello' },
    immutable: true,
  });
  await world.startOperator();
  const uid = await world.create(
    aBatchTest({
      variants: 3,
      parallelism: 2,
      pod: ENDS_SOON,
      spec: {
        podCleanupPolicy: 'Never',
        sharedData: [{ name: 'corpus', mountPath: '/data', configMap: { name: 'corpus' } }],
      },
    }),
  );
  await world.untilCondition(uid, 'Complete');
  expect(carrierCreations(world.recorder.changes(), uid).size).toBe(3);
  const pods = await cluster.request<{ items: readonly { spec: unknown }[] }>(
    'GET',
    `/api/v1/namespaces/${namespace}/pods`,
  );
  expect(pods.items).toHaveLength(3);
  for (const { spec } of pods.items)
    expect(spec).toMatchObject({
      volumes: [{ name: 'batchtest-data-corpus', configMap: { name: 'corpus' } }],
      containers: [{ volumeMounts: [{ name: 'batchtest-data-corpus', mountPath: '/data', readOnly: true }] }],
    });
  const maps = await cluster.request<{ items: readonly { metadata: { name: string } }[] }>(
    'GET',
    `/api/v1/namespaces/${namespace}/configmaps`,
  );
  expect(maps.items.map(({ metadata }) => metadata.name).sort()).toEqual(['corpus', 'kube-root-ca.crt']);
});

it('is taken by the API server in a namespace that enforces the restricted Pod Security Standard, of a claim and beside a token as well', async () => {
  const { cluster, namespace } = await site.aWorld('shared-restricted');
  const run = aRun({
    ...{ namespace, variants: 1, template: aTemplate() },
    spec: {
      results: { push: true },
      sharedData: [
        { name: 'd'.repeat(40), mountPath: '/data', configMap: { name: 'corpus' } },
        { name: 'model', mountPath: '/model', persistentVolumeClaim: { claimName: 'model' } },
      ],
    },
  });
  const [trial] = run.trials;
  if (trial === undefined) throw new Error('the run has no trial');
  const request = { run, trial, attempt: 1, name: attemptName(run, trial, 1), deadlineSeconds: 60 };
  const job = jobManifest(request, { url: 'https://ingest.test/v1/result', certificateAuthority: 'PEM' });
  const taken = await cluster.request<JobObject>(
    'POST',
    `/apis/batch/v1/namespaces/${namespace}/jobs?dryRun=All`,
    job,
  );
  expect(taken.metadata.name).toBe(request.name);
  // Of a Job the standard is only warned; the pod is what it is enforced on.
  await cluster.request('POST', `/api/v1/namespaces/${namespace}/pods?dryRun=All`, {
    metadata: { name: 'pod', annotations: job.spec?.template.metadata?.annotations },
    spec: job.spec?.template.spec,
  });
});
