import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { stringify } from 'yaml';
import type { AttemptPod } from '../../../src/engine/kubernetes/attempt-pod.ts';
import { ApiRequestError, type ClusterClient } from '../../tools/cluster-client.ts';
import { goModuleSource } from '../../tools/go-module.ts';
import { resolveGoTool } from '../../tools/go-tools.ts';
import { freeLoopbackPorts } from '../../tools/loopback-port.ts';
import type { Contender, TakenWork } from './contender.ts';
import { startController } from './controller-process.ts';
import { installCrds, untilCollected } from './foreign-crds.ts';
import { batchNames, type Scenario } from './scenario.ts';
import { trialPods } from './trial-pod.ts';

const MODULE = 'sigs.k8s.io/kueue';
const API_VERSION = 'kueue.x-k8s.io/v1beta2';
const API = `/apis/${API_VERSION}`;
/** Where it is installed; what it keeps there is used again by the next one at the same control plane. */
const HOME = 'kueue-system';
const SECRET = 'kueue-webhook-server-cert';
/** As for the loops. */
const CREATIONS_AT_ONCE = 16;

/** All Jobs at once, suspended, and Kueue lets as many run as a queue has room for: a queue for each batch. */
export const KUEUE: Contender = {
  name: 'Jobs queued by Kueue',
  async prepare({ cluster, namespace, directory }) {
    await installCrds(cluster, join(await goModuleSource('kueue', MODULE), 'config/components/crd/bases'), {
      // Nobody asks for another version than the one that is stored, so nothing is ever converted, but Kueue wants to put its certificate here.
      conversion: {
        strategy: 'Webhook',
        webhook: {
          clientConfig: { url: 'https://127.0.0.1:1/convert' },
          conversionReviewVersions: ['v1'],
        },
      },
    });
    await untilCollected(
      cluster,
      {
        path: `/api/v1/namespaces/${namespace}/configmaps`,
        object: { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'owner' } },
      },
      {
        path: `${API}/namespaces/${namespace}/localqueues`,
        object: queueObject('LocalQueue', 'owned', { clusterQueue: 'none' }),
      },
    );
    const certificates = join(directory, `${namespace}-certificates`);
    const configFile = join(directory, `${namespace}-kueue.yaml`);
    await mkdir(certificates);
    await writeFile(configFile, stringify(await configuration(certificates)));
    await createUnlessThere(cluster, '/api/v1/namespaces', HOME);
    const secrets = `/api/v1/namespaces/${HOME}/secrets`;
    await createUnlessThere(cluster, secrets, SECRET);
    const [controller] = await Promise.all([
      startController(cluster, {
        name: 'kueue',
        command: await resolveGoTool('kueue'),
        args: () => [`--config=${configFile}`],
        environment: { KUBECONFIG: join(directory, `${namespace}-kueue.kubeconfig`) },
        namespace,
        directory,
        readyLine: READY_LINE,
      }),
      mountSecret(cluster, `${secrets}/${SECRET}`, certificates),
    ]);
    return {
      pid: controller.pid,
      take: (scenario) => takeWork(scenario, cluster, namespace),
      account: controller.account,
      end: controller.end,
    };
  },
};

async function takeWork(scenario: Scenario, cluster: ClusterClient, namespace: string): Promise<TakenWork> {
  const templates = trialPods(scenario);
  await createQueues(cluster, namespace, scenario);
  const jobs = `/apis/batch/v1/namespaces/${namespace}/jobs`;
  return {
    async begin() {
      const all = [...templates]
        .flatMap(([batch, template]) =>
          Array.from({ length: scenario.trials }, (_, trial) => jobOf(template, batch, trial)),
        )
        .values();
      const create = async () => {
        for (const job of all) await cluster.request('POST', jobs, job);
      };
      await Promise.all(Array.from({ length: CREATIONS_AT_ONCE }, create));
    },
    async cancel() {
      // Or it would have others begin in the place of those that go.
      for (const batch of templates.keys())
        await cluster.request('PATCH', `${API}/namespaces/${namespace}/localqueues/${batch}`, {
          spec: { stopPolicy: 'Hold' },
        });
      await cluster.request('DELETE', `${jobs}?propagationPolicy=Background`);
    },
    finish: async () => undefined,
    ownFigures: async () => ({}),
  };
}

const jobOf = (template: AttemptPod, batch: string, trial: number) => ({
  metadata: {
    name: `${batch}-${trial}`,
    labels: { 'kueue.x-k8s.io/queue-name': batch },
  },
  spec: {
    suspend: true,
    backoffLimit: 0,
    ttlSecondsAfterFinished: 0,
    template,
  },
});

/** What has no namespace is named after it. */
async function createQueues(cluster: ClusterClient, namespace: string, scenario: Scenario): Promise<void> {
  const flavor = `${namespace}-${scenario.name}`;
  await cluster.request('POST', `${API}/resourceflavors`, queueObject('ResourceFlavor', flavor, {}));
  for (const batch of batchNames(scenario)) {
    const clusterQueue = `${namespace}-${batch}`;
    const pods = { name: 'pods', nominalQuota: scenario.parallelism };
    await cluster.request(
      'POST',
      `${API}/clusterqueues`,
      queueObject('ClusterQueue', clusterQueue, {
        namespaceSelector: {},
        resourceGroups: [{ coveredResources: ['pods'], flavors: [{ name: flavor, resources: [pods] }] }],
      }),
    );
    await cluster.request(
      'POST',
      `${API}/namespaces/${namespace}/localqueues`,
      queueObject('LocalQueue', batch, { clusterQueue }),
    );
  }
}

const queueObject = (kind: 'ResourceFlavor' | 'ClusterQueue' | 'LocalQueue', name: string, spec: object) => ({
  apiVersion: API_VERSION,
  kind,
  metadata: { name },
  spec,
});

/** As it is shipped, but that it serves on loopback, is alone, and knows of Jobs only. */
async function configuration(certDir: string): Promise<object> {
  const [health = 0, webhook = 0] = await freeLoopbackPorts(2);
  return {
    apiVersion: 'config.kueue.x-k8s.io/v1beta2',
    kind: 'Configuration',
    namespace: HOME,
    health: { healthProbeBindAddress: `127.0.0.1:${health}` },
    metrics: { bindAddress: '0' },
    webhook: { host: '127.0.0.1', port: webhook, certDir },
    leaderElection: { leaderElect: false },
    internalCertManagement: {
      enable: true,
      webhookServiceName: 'kueue-webhook-service',
      webhookSecretName: SECRET,
    },
    controller: {
      groupKindConcurrency: {
        'Job.batch': 5,
        'Workload.kueue.x-k8s.io': 10,
        'LocalQueue.kueue.x-k8s.io': 5,
        'ClusterQueue.kueue.x-k8s.io': 5,
        'ResourceFlavor.kueue.x-k8s.io': 1,
      },
    },
    clientConnection: { qps: 300, burst: 500 },
    integrations: { frameworks: ['batch/job'] },
    featureGates: { VisibilityOnDemand: false },
  };
}

const createUnlessThere = (cluster: ClusterClient, path: string, name: string): Promise<unknown> =>
  cluster.request('POST', path, { metadata: { name } }).catch((error: unknown) => {
    if (!(error instanceof ApiRequestError && error.reason === 'AlreadyExists')) throw error;
  });

/** What a kubelet does: Kueue waits for the certificate that it has put into the secret to become a file. */
async function mountSecret(cluster: ClusterClient, path: string, folder: string): Promise<void> {
  const deadline = performance.now() + MOUNT_DEADLINE_MS;
  for (;;) {
    const { data = {} } = await cluster.request<{ readonly data?: Readonly<Record<string, string>> }>(
      'GET',
      path,
    );
    if (data['tls.crt'] !== undefined) {
      for (const [name, content] of Object.entries(data).reverse())
        await writeFile(join(folder, name), Buffer.from(content, 'base64'), { mode: 0o600 });
      return;
    }
    if (performance.now() > deadline) throw new Error(`Kueue put no certificate into ${path}`);
    await sleep(100);
  }
}

/** Those of its certificates start long before. */
const READY_LINE = /"logger":"job".*"msg":"Starting workers"/;
const MOUNT_DEADLINE_MS = 120_000;
