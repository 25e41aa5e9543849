import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, inject, it, onTestFinished } from 'vitest';
import { API_VERSION, FINALIZER } from '../../src/api/v1alpha1/constants.ts';
import type { BatchTestStatus } from '../../src/api/v1alpha1/status.ts';
import { kubeconfigAccess } from '../../src/engine/kubernetes/cluster-access.ts';
import { EventRecorder } from '../../src/engine/kubernetes/events.ts';
import { KubernetesRunSource } from '../../src/engine/kubernetes/kubernetes-run-source.ts';
import { type KubernetesWorld, openWorld } from './kubernetes-world.ts';

const DEADLINE_MS = 20_000;
let world: KubernetesWorld;
beforeAll(async () => {
  world = await openWorld(inject('controlPlane'), 'run-source');
});
afterAll(() => world?.close());

async function aSource() {
  const source = new KubernetesRunSource({ client: world.client(), namespaces: [world.namespace] });
  onTestFinished(() => source.close());
  const announced: string[] = [];
  source.onChange((key) => announced.push(key));
  await source.start(DEADLINE_MS);
  return { source, announced };
}

const collection = (): string => `/apis/${API_VERSION}/namespaces/${world.namespace}/batchtests`;
const eventually = (look: () => unknown, expected: unknown) =>
  expect.poll(look, { timeout: DEADLINE_MS, interval: 20 }).toEqual(expected);
const count = { total: 1, pending: 1, running: 0, succeeded: 0, failed: 0, cancelled: 0 };

it('knows the runs of its namespace by key and by UID', async () => {
  const run = await world.aRun(1, { runMs: 0 });
  const { source } = await aSource();
  const key = `${world.namespace}/${run.name}`;
  expect(source.keyOf(run.uid)).toBe(key);
  expect(source.get(key)).toMatchObject({
    kind: 'Runnable',
    uid: run.uid,
    generation: 1,
    cancel: undefined,
    manifest: { metadata: { name: run.name, namespace: world.namespace }, spec: run.manifest.spec },
  });
  expect(source.get(`${world.namespace}/no-such`)).toBeUndefined();
});

it('says what was in the way when none of its namespaces can be seen', async () => {
  const kubeconfig = join(await mkdtemp(join(tmpdir(), 'batchtest-run-source-')), 'kubeconfig');
  onTestFinished(() => rm(dirname(kubeconfig), { recursive: true }));
  await writeFile(kubeconfig, await world.cluster.kubeconfigForServiceAccount(world.namespace, 'nobody'));
  const source = new KubernetesRunSource({
    client: world.client(await kubeconfigAccess([kubeconfig])),
    namespaces: [world.namespace, 'default'],
  });
  onTestFinished(() => source.close());
  await expect(source.start(1_000)).rejects.toMatchObject({
    message: expect.stringContaining('within 1000 ms'),
    cause: expect.objectContaining({ statement: expect.stringContaining('cannot list resource') }),
  });
  expect(source.unseen().map(({ namespace }) => namespace)).toEqual([world.namespace, 'default']);
});

it('announces what its user changes, and not what is written as status', async () => {
  const { source, announced } = await aSource();
  announced.length = 0;
  const run = await world.aRun(1, { runMs: 0 });
  const key = `${world.namespace}/${run.name}`;
  await eventually(() => announced, [key]);
  await source.writeStatus(key, run.uid, { runUid: run.uid, trials: count });
  await eventually(() => source.get(key)?.status, { runUid: run.uid, trials: count });
  await world.cluster.request('PATCH', `${collection()}/${run.name}`, { spec: { parallelism: 7 } });
  await eventually(() => announced, [key, key]);
  expect(source.get(key)).toMatchObject({ generation: 2, manifest: { spec: { parallelism: 7 } } });
  await world.cluster.request('DELETE', `${collection()}/${run.name}`);
  await eventually(() => source.get(key), undefined);
  expect(source.keyOf(run.uid)).toBeUndefined();
});

it('says that a run is to be ended while its object waits to be deleted', async () => {
  const { source } = await aSource();
  const run = await world.aRun(1, { runMs: 0 });
  const key = `${world.namespace}/${run.name}`;
  const path = `${collection()}/${run.name}`;
  await world.cluster.request('PATCH', path, { metadata: { finalizers: ['example.com/keep'] } });
  await world.cluster.request('DELETE', path);
  await expect.poll(() => source.get(key), { timeout: DEADLINE_MS }).toMatchObject({ cancel: 'Deleted' });
  await world.cluster.request('PATCH', path, { metadata: { finalizers: null } });
  await eventually(() => source.get(key), undefined);
});

it('holds an object and lets it go, whatever it has seen of what others do to its finalizers', async () => {
  const { source } = await aSource();
  const run = await world.aRun(1, { runMs: 0 });
  const key = `${world.namespace}/${run.name}`;
  const path = `${collection()}/${run.name}`;
  const finalizers = async () =>
    (await world.cluster.request<{ metadata: { finalizers?: string[] } }>('GET', path)).metadata.finalizers;
  await expect.poll(() => source.get(key), { timeout: DEADLINE_MS }).toBeDefined();
  await source.hold(key, '00000000-0000-4000-8000-000000000000');
  expect(await finalizers(), 'another run').toBeUndefined();
  await source.hold(key, run.uid);
  expect(await finalizers()).toEqual([FINALIZER]);
  // What the watch tells of the one may come after the other.
  await source.letGo(key, run.uid);
  expect(await finalizers()).toBeUndefined();
  await world.cluster.request('PATCH', path, { metadata: { finalizers: ['example.com/keep'] } });
  await source.hold(key, run.uid);
  expect(await finalizers()).toEqual(['example.com/keep', FINALIZER]);
  await eventually(() => source.get(key)?.isHeld, true);
  await source.letGo(key, run.uid);
  expect(await finalizers()).toEqual(['example.com/keep']);
  await world.cluster.request('PATCH', path, { metadata: { finalizers: null } });
  await world.cluster.request('DELETE', path);
  await source.hold(key, run.uid);
  await eventually(() => source.get(key), undefined);
  await source.letGo(key, run.uid);
});

it('writes a status that replaces the whole of the one before', async () => {
  const { source } = await aSource();
  const run = await world.aRun(1, { runMs: 0 });
  const key = `${world.namespace}/${run.name}`;
  const first: BatchTestStatus = { runUid: run.uid, best: { name: 'lru', score: '1.0000' }, trials: count };
  const second: BatchTestStatus = { runUid: run.uid, trials: count };
  await source.writeStatus(key, run.uid, first);
  await eventually(() => source.get(key)?.status, first);
  await source.writeStatus(key, run.uid, second);
  await eventually(() => source.get(key)?.status, second);
});

it('leaves the status of another run under the same name alone', async () => {
  const { source } = await aSource();
  const run = await world.aRun(1, { runMs: 0 });
  const key = `${world.namespace}/${run.name}`;
  await source.writeStatus(key, '00000000-0000-4000-8000-000000000000', { trials: count });
  const object = await world.cluster.request<{ status?: unknown }>('GET', `${collection()}/${run.name}`);
  expect(object.status).toBeUndefined();
  expect(await source.writeStatus(`${world.namespace}/gone`, run.uid, { trials: count })).toBe(false);
});

it('leaves the end of a run alone, which another operator has told of meanwhile', async () => {
  const { source } = await aSource();
  const run = await world.aRun(1, { runMs: 0 });
  const key = `${world.namespace}/${run.name}`;
  const statusWith = (type: string, status: 'True' | 'False'): BatchTestStatus => ({
    trials: count,
    conditions: [{ type, status, reason: 'Test', message: '', lastTransitionTime: '2026-01-01T00:00:00Z' }],
  });
  expect(await source.writeStatus(key, run.uid, statusWith('Progressing', 'True'))).toBe(true);
  const end = statusWith('Cancelled', 'True');
  expect(await source.writeStatus(key, run.uid, end)).toBe(true);
  expect(await source.writeStatus(key, run.uid, statusWith('Progressing', 'True'))).toBe(false);
  expect(await source.writeStatus(key, run.uid, statusWith('Cancelled', 'False'))).toBe(false);
  const told: BatchTestStatus = { ...end, trials: { ...count, cancelled: 1 } };
  expect(await source.writeStatus(key, run.uid, told)).toBe(true);
  await eventually(() => source.get(key)?.status, told);
});

it('does not pass over a status that the API server refuses', async () => {
  const { source } = await aSource();
  const run = await world.aRun(1, { runMs: 0 });
  const status: BatchTestStatus = { trials: { ...count, total: -1 } };
  await expect(source.writeStatus(`${world.namespace}/${run.name}`, run.uid, status)).rejects.toMatchObject({
    status: 422,
  });
});

it('records an event once, however often it is told', async () => {
  const run = await world.aRun(1, { runMs: 0 });
  const recorder = new EventRecorder(world.client(), 'operator-0');
  const subject = { namespace: world.namespace, name: run.name, uid: run.uid };
  const event = {
    reason: 'Started',
    type: 'Normal',
    action: 'StartTrials',
    note: 'é'.repeat(2_000),
  } as const;
  await recorder.record(subject, event);
  await recorder.record(subject, event);
  const { items } = await world.cluster.request<{ items: { note: string; regarding: unknown }[] }>(
    'GET',
    `/apis/events.k8s.io/v1/namespaces/${world.namespace}/events?fieldSelector=${encodeURIComponent('reason=Started')}`,
  );
  expect(items).toMatchObject([{ regarding: { kind: 'BatchTest', uid: run.uid } }]);
});
