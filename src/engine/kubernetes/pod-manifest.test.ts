import { expect, it } from 'vitest';
import { aRun } from '../../../test/builders/run.ts';
import { jobManifest } from './job-manifest.ts';
import { podManifest } from './pod-manifest.ts';

const run = aRun({
  namespace: 'team-a',
  template: {
    metadata: { labels: { team: 'a' }, annotations: { note: 'kept' } },
    spec: { containers: [{ name: 'test', image: 'example.com/bench:1' }] },
  },
});
const labels = { 'kueue.x-k8s.io/queue-name': 'benchmarks' };
const { manifest } = run;
const queued = { ...run, manifest: { ...manifest, metadata: { ...manifest.metadata, labels } } };
const [trial] = run.trials;
if (trial === undefined) throw new Error('the run has no trial');
const request = {
  run: queued,
  trial,
  attempt: 2,
  name: 'checkout-cache-a-0123456789',
  deadlineSeconds: 3_660,
};

it('the pod of an attempt is that which a Job would make, with the name, the owner and the queue that the Job would have', () => {
  const job = jobManifest(request);
  const template = job.spec?.template;
  expect(podManifest(request)).toEqual({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { ...job.metadata, annotations: template?.metadata?.annotations },
    spec: template?.spec,
  });
  expect(job.metadata?.labels).toMatchObject({ ...template?.metadata?.labels, ...labels });
  expect(podManifest(request).spec).toMatchObject({ restartPolicy: 'Never', activeDeadlineSeconds: 3_960 });
});
