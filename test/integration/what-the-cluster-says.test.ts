/** What the end-to-end tests tell of their cluster when one of them failed, before they delete it. */
import { afterAll, beforeAll, expect, inject, it } from 'vitest';
import { whatTheClusterSays } from '../e2e/what-the-cluster-says.ts';
import type { ClusterClient } from '../tools/cluster-client.ts';
import { connectControlPlane } from '../tools/vitest-control-plane.ts';

let cluster: ClusterClient;
let namespace: string;
beforeAll(async () => {
  cluster = connectControlPlane(inject('controlPlane'));
  namespace = await cluster.createNamespace('says');
});
afterAll(() => cluster?.close());

it('tells of pods, of events, and why there is no log', async () => {
  await cluster.request('POST', `/api/v1/namespaces/${namespace}/pods`, {
    metadata: { name: 'an-operator', labels: { 'app.kubernetes.io/component': 'operator' } },
    spec: { containers: [{ name: 'operator', image: 'operator:1' }] },
  });
  await cluster.request('POST', `/api/v1/namespaces/${namespace}/events`, {
    metadata: { name: 'an-event' },
    involvedObject: { kind: 'Pod', name: 'an-operator', namespace },
    reason: 'BackOff',
    message: 'it does not start',
  });
  const text = await whatTheClusterSays(inject('controlPlane').kubeconfigPath, namespace);
  const [pods = '', events = '', log = ''] = text.split(/^(?=kubectl )/m);
  expect(pods).toMatch(new RegExp(`^${namespace} +an-operator `, 'm'));
  expect(events).toMatch(new RegExp(`^${namespace} .* BackOff .* it does not start$`, 'm'));
  // Pods that KWOK plays say nothing.
  expect(log).toMatch(/^kubectl logs .*\nError/);
});

it('tells why nothing can be told, instead of failing beside what failed', async () => {
  expect(await whatTheClusterSays('/nowhere/kubeconfig', namespace)).toMatch(
    /^kubectl get pods .*\n.*\/nowhere/,
  );
});
