/** The sample of an admission policy, as it is shipped, on an API server of its own: its bindings are for the whole cluster. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { API_VERSION } from '../../src/api/v1alpha1/constants.ts';
import { ApiRequestError } from '../tools/cluster-client.ts';
import { type ControlPlane, startControlPlane } from '../tools/control-plane.ts';
import { collectionOf, type KubernetesObject } from './helm-chart.ts';
import { installCrd } from './installed-crd.ts';
import { aBatchTest, ENDS_SOON } from './operator-world.ts';

const REPOSITORY = fileURLToPath(new URL('../..', import.meta.url));
const POLICIES = '/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies';

let cluster: ControlPlane;
let batchTests: string;
beforeAll(async () => {
  cluster = await startControlPlane({ without: ['kube-scheduler', 'kwok'] });
  await installCrd(cluster);
  batchTests = `/apis/${API_VERSION}/namespaces/${await cluster.createNamespace('strict')}/batchtests`;
  await cluster.request('POST', batchTests, onTheNode('older'));
  for (const object of await sample())
    await cluster.request('POST', await collectionOf(cluster, object), object);
  // A policy holds a moment after it was created.
  await vi.waitFor(
    async () => {
      expect(await refusal(onTheNode('newer'))).toContain('hostNetwork');
      expect(await refusalOfScale('older', 101)).toContain('spec.replicas must be at most 100');
    },
    { timeout: 60_000, interval: 200 },
  );
}, 900_000);
afterAll(() => cluster?.stop(), 60_000);

async function sample(): Promise<readonly KubernetesObject[]> {
  const text = await readFile(join(REPOSITORY, 'deploy', 'samples', 'restrict-batchtests.yaml'), 'utf8');
  return parseAllDocuments(text).flatMap((document) => document.toJS() ?? []);
}

type Fields = Readonly<Record<string, unknown>>;

/** A BatchTest with these fields in the spec of its pod, and these in its own. */
const withPod = (pod: Fields, spec: Fields = {}, name = 'cache') => {
  const manifest = aBatchTest({ name, parallelism: 1, pod: ENDS_SOON });
  const containers = [{ name: 'test', image: 'test:1' }];
  return { ...manifest, spec: { ...manifest.spec, ...spec, template: { spec: { containers, ...pod } } } };
};
const onTheNode = (name: string) => withPod({ hostNetwork: true }, {}, name);
const withContainer = (fields: Fields): Fields => ({
  containers: [{ name: 'test', image: 'test:1', ...fields }],
});
const withVolume = (source: Fields): Fields => ({ volumes: [{ name: 'v', ...source }] });
const withToken = (token: Fields): Fields =>
  withVolume({ projected: { sources: [{ serviceAccountToken: { path: 'token', ...token } }] } });

/** The API server's message when it refuses the manifest; undefined when it does not. */
const refusal = (manifest: unknown): Promise<string | undefined> =>
  refusalOf(cluster.request('POST', `${batchTests}?dryRun=All&fieldValidation=Strict`, manifest));

const refusalOfEdit = (name: string, changes: unknown): Promise<string | undefined> =>
  refusalOf(cluster.request('PATCH', `${batchTests}/${name}?dryRun=All`, changes));

const refusalOfScale = (name: string, replicas: number): Promise<string | undefined> =>
  refusalOf(cluster.request('PATCH', `${batchTests}/${name}/scale?dryRun=All`, { spec: { replicas } }));

const refusalOf = (request: Promise<unknown>): Promise<string | undefined> =>
  request.then(
    () => undefined,
    (error: unknown) => {
      if (error instanceof ApiRequestError && error.message.includes('ValidatingAdmissionPolicy'))
        return error.message;
      throw error;
    },
  );

describe('the sample of an admission policy', () => {
  it.each<[what: string, pod: Fields, message: string]>([
    ['the network of the node', { hostNetwork: true }, 'spec.template.spec.hostNetwork must not be true'],
    ['the processes of the node', { hostPID: true }, 'spec.template.spec.hostPID must not be true'],
    ['the shared memory of the node', { hostIPC: true }, 'spec.template.spec.hostIPC must not be true'],
    [
      'the files of the node',
      withVolume({ hostPath: { path: '/' } }),
      'spec.template.spec.volumes[].hostPath must not be set',
    ],
    [
      'a port of the node',
      withContainer({ ports: [{ containerPort: 80 }, { containerPort: 81, hostPort: 81 }] }),
      'spec.template.spec.containers[].ports[].hostPort must not be set',
    ],
    [
      'a port of the node for an init container',
      {
        initContainers: [{ name: 'prepare', image: 'test:1', ports: [{ containerPort: 81, hostPort: 81 }] }],
      },
      'ports[].hostPort must not be set',
    ],
    [
      'another service account',
      { serviceAccountName: 'admin' },
      'spec.template.spec.serviceAccountName must be one of default',
    ],
    [
      'another service account by its former name',
      { serviceAccount: 'admin' },
      'spec.template.spec.serviceAccountName must be one of default',
    ],
    [
      'a token for the API server',
      { automountServiceAccountToken: true },
      'spec.template.spec.automountServiceAccountToken must not be true',
    ],
    [
      'a token for the API server as a volume',
      withToken({}),
      'volumes[].projected.sources[].serviceAccountToken must not be set',
    ],
    [
      'a token for somebody else',
      withToken({ audience: 'vault' }),
      'volumes[].projected.sources[].serviceAccountToken must not be set',
    ],
    ['a node of its choice', { nodeName: 'control-plane' }, 'spec.template.spec.nodeName must not be set'],
    [
      'another scheduler',
      { schedulerName: 'mine' },
      'spec.template.spec.schedulerName must not name another',
    ],
    [
      'priority over others',
      { priorityClassName: 'system-node-critical' },
      'spec.template.spec.priorityClassName must not be set',
    ],
    ['another runtime', { runtimeClassName: 'host' }, 'spec.template.spec.runtimeClassName must not be set'],
    [
      'toleration of every taint',
      { tolerations: [{ key: 'gpu', operator: 'Exists' }, { operator: 'Exists' }] },
      'spec.template.spec.tolerations[].key must be set',
    ],
  ])('refuses a BatchTest that asks for %s, and names the field', async (_, pod, message) => {
    expect(await refusal(withPod(pod))).toContain(message);
  });

  it.each<[what: string, spec: Fields, message: string]>([
    ['more trials at once than is allowed', { parallelism: 101 }, 'spec.parallelism must be at most 100'],
    [
      'more time than is allowed',
      { trialDeadlineSeconds: 3601 },
      'spec.trialDeadlineSeconds must be at most 3600',
    ],
  ])('refuses a BatchTest that asks for %s, and names the limit', async (_, spec, message) => {
    expect(await refusal(withPod({}, spec))).toContain(message);
  });

  it('lets in a BatchTest that asks for what a test needs', async () => {
    const pod = {
      ...withContainer({ ports: [{ containerPort: 80 }], volumeMounts: [{ name: 'v', mountPath: '/v' }] }),
      ...withVolume({ projected: { sources: [{ configMap: { name: 'c' } }] } }),
      initContainers: [{ name: 'prepare', image: 'test:1' }],
      serviceAccountName: 'default',
      automountServiceAccountToken: false,
      schedulerName: 'default-scheduler',
      nodeSelector: { disk: 'ssd' },
      tolerations: [{ key: 'gpu', operator: 'Exists' }],
    };
    const spec = { parallelism: 100, trialDeadlineSeconds: 3600, results: { push: true } };
    expect(await refusal(withPod(pod, spec))).toBeUndefined();
  });

  it('lets in every example', async () => {
    const folders = await readdir(join(REPOSITORY, 'examples'), { withFileTypes: true });
    const examples = folders.filter((entry) => entry.isDirectory()).map(({ name }) => name);
    expect(examples).toContain('compression');
    for (const example of examples) {
      const text = await readFile(join(REPOSITORY, 'examples', example, 'batchtest.yaml'), 'utf8');
      expect(await refusal(parse(text)), example).toBeUndefined();
    }
  });

  it('lets what is older than it be cancelled and let go', async () => {
    expect(await refusalOfEdit('older', { spec: { cancel: true } })).toBeUndefined();
    const held = { metadata: { finalizers: ['batchtest.dev/results'] } };
    expect(await refusalOfEdit('older', held)).toBeUndefined();
    const deletion = cluster.request('DELETE', `${batchTests}/older?dryRun=All`);
    expect(await refusalOf(deletion)).toBeUndefined();
  });

  it('holds the limits also when a BatchTest is edited or scaled', async () => {
    await cluster.request('POST', batchTests, withPod({}, {}, 'edited'));
    expect(await refusalOfEdit('edited', { spec: { parallelism: 101 } })).toContain('spec.parallelism');
    const longer = { spec: { trialDeadlineSeconds: 3601 } };
    expect(await refusalOfEdit('edited', longer)).toContain('spec.trialDeadlineSeconds');
    expect(await refusalOfScale('edited', 101)).toContain('spec.replicas');
    expect(await refusalOfEdit('edited', { spec: { parallelism: 100 } })).toBeUndefined();
    expect(await refusalOfScale('edited', 100)).toBeUndefined();
  });

  it('lets a BatchTest be paused', async () => {
    await cluster.request('POST', batchTests, withPod({}, {}, 'paused'));
    expect(await refusalOfEdit('paused', { spec: { parallelism: 0 } })).toBeUndefined();
    // A Scale has no replicas where they are 0.
    expect(await refusalOfScale('paused', 0)).toBeUndefined();
  });

  it('can be evaluated whatever the fields are, as far as the API server can tell', async () => {
    const policies = (await sample()).filter(({ kind }) => kind === 'ValidatingAdmissionPolicy');
    expect(policies).toHaveLength(2);
    for (const { metadata } of policies) {
      const status = async () =>
        (await cluster.request<{ status?: object }>('GET', `${POLICIES}/${metadata.name}`)).status;
      await expect.poll(status, { timeout: 60_000 }).toMatchObject({ observedGeneration: 1 });
      expect(await status(), metadata.name).not.toHaveProperty('typeChecking.expressionWarnings');
    }
  });
});
