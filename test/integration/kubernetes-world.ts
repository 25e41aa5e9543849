import { randomUUID } from 'node:crypto';
import { API_VERSION, KIND, LABEL_RUN_UID } from '../../src/api/v1alpha1/constants.ts';
import { type BatchTestManifest, batchTestSchema } from '../../src/api/v1alpha1/schema.ts';
import { defineRun, type RunDefinition } from '../../src/core/run.ts';
import type { CarrierObject } from '../../src/engine/kubernetes/attempt-carrier.ts';
import { type ClusterAccess, kubeconfigAccess } from '../../src/engine/kubernetes/cluster-access.ts';
import { KubeClient } from '../../src/engine/kubernetes/kube-client.ts';
import type { ObjectMeta, PodObject } from '../../src/engine/kubernetes/kubernetes-objects.ts';
import type { ClusterClient } from '../tools/cluster-client.ts';
import { connectControlPlane, type ProvidedControlPlane } from '../tools/vitest-control-plane.ts';
import { installCrd } from './installed-crd.ts';
import { createRestrictedNamespace } from './restricted-namespace.ts';

type Template = BatchTestManifest['spec']['template'];
export type Execution = NonNullable<BatchTestManifest['spec']['execution']>;

/** How KWOK plays a run's pods. */
export interface PlayedPod {
  readonly runMs: number;
  readonly exitCode?: number;
  readonly message?: string;
}

/** A namespace of the shared control plane, with what a test of the Kubernetes engine does there. */
export interface KubernetesWorld {
  /** The test's own way in, with nothing of the product in it. */
  readonly cluster: ClusterClient;
  readonly namespace: string;
  readonly access: ClusterAccess;
  /** What carries the attempts of its runs. */
  readonly execution: Execution;
  /** Path of the collection of what carries attempts. */
  readonly carriers: string;
  /** A client of the product, closed with the world. */
  client(access?: ClusterAccess, mayWrite?: () => boolean): KubeClient;
  /** A run of a new BatchTest in the cluster, whose pods KWOK plays as told. */
  aRun(trials: number, pod: PlayedPod, template?: Template): Promise<RunDefinition>;
  /** What carries the run's attempts: its Jobs, or its pods. */
  carriersOf(run: RunDefinition): Promise<readonly CarrierObject[]>;
  podsOf(run: RunDefinition): Promise<readonly PodObject[]>;
  close(): Promise<void>;
}

/** Opens a world in a new namespace. */
export async function openWorld(
  provided: ProvidedControlPlane,
  name: string,
  execution: Execution = 'Job',
): Promise<KubernetesWorld> {
  const cluster = connectControlPlane(provided);
  await installCrd(cluster);
  const namespace = await createRestrictedNamespace(cluster, name);
  const access = await kubeconfigAccess([provided.kubeconfigPath]);
  const clients: KubeClient[] = [];
  const carriers = CARRIERS[execution](namespace);

  const list = async <T>(path: string, run: RunDefinition): Promise<readonly T[]> => {
    const selector = encodeURIComponent(`${LABEL_RUN_UID}=${run.uid}`);
    return (await cluster.request<{ items: readonly T[] }>('GET', `${path}?labelSelector=${selector}`)).items;
  };

  return {
    cluster,
    namespace,
    access,
    execution,
    carriers,
    client(through = access, mayWrite = () => true) {
      const client = new KubeClient({ access: through, version: '0.0.0-test', mayWrite });
      clients.push(client);
      return client;
    },
    async aRun(trials, pod, template = { spec: { containers: [{ name: 'test', image: 'bench:1' }] } }) {
      const manifest = batchTestManifest(
        `run-${randomUUID().slice(0, 8)}`,
        namespace,
        trials,
        withPlay(template, pod),
        execution,
      );
      const created = await cluster.request<{ metadata: ObjectMeta }>(
        'POST',
        `/apis/${API_VERSION}/namespaces/${namespace}/batchtests`,
        manifest,
      );
      return defineRun(batchTestSchema.parse(manifest), { uid: created.metadata.uid, engine: 'kubernetes' });
    },
    carriersOf: (run) => list(carriers, run),
    podsOf: (run) => list<PodObject>(`/api/v1/namespaces/${namespace}/pods`, run),
    async close() {
      await Promise.all(clients.map((client) => client.close()));
      await cluster.close();
    },
  };
}

const CARRIERS: Readonly<Record<Execution, (namespace: string) => string>> = {
  Job: (namespace) => `/apis/batch/v1/namespaces/${namespace}/jobs`,
  Pod: (namespace) => `/api/v1/namespaces/${namespace}/pods`,
};

/** True while a pod's program runs, or is about to. */
export const isLivePod = ({ status }: PodObject): boolean =>
  !['Succeeded', 'Failed'].includes(status?.phase ?? '');

function batchTestManifest(
  name: string,
  namespace: string,
  repetitions: number,
  template: Template,
  execution: Execution,
): BatchTestManifest {
  return {
    apiVersion: API_VERSION,
    kind: KIND,
    metadata: { name, namespace },
    spec: {
      parallelism: 1,
      repetitions,
      variants: [{ name: 'lru', parameters: { CACHE: 'lru' } }],
      objective: { metrics: [{ name: 'x', goal: 'minimize' }] },
      template,
      execution,
    },
  };
}

/** The template with the annotations by which KWOK plays its pods. */
export function withPlay(template: Template, { runMs, exitCode = 0, message = '' }: PlayedPod): Template {
  return {
    ...template,
    metadata: {
      ...template.metadata,
      annotations: {
        ...template.metadata?.annotations,
        'kwok.test/run': `${runMs}ms`,
        'kwok.test/exit': String(exitCode),
        'kwok.test/message': message,
      },
    },
  };
}
