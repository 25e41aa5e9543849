import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { AttemptPod } from '../../../src/engine/kubernetes/attempt-pod.ts';
import type { ClusterClient } from '../../tools/cluster-client.ts';
import { goModuleSource } from '../../tools/go-module.ts';
import { resolveGoTool } from '../../tools/go-tools.ts';
import { type Contender, deadlineMs, type TakenWork } from './contender.ts';
import { startController } from './controller-process.ts';
import { installCrds, untilCollected } from './foreign-crds.ts';
import type { Limits } from './limits.ts';
import type { Scenario } from './scenario.ts';
import { trialPods } from './trial-pod.ts';

const API_VERSION = 'argoproj.io/v1alpha1';
const MODULE = 'github.com/argoproj/argo-workflows/v4';

/** As it is shipped; and with what its documentation offers for more and shorter steps: docs/scaling.md, docs/environment-variables.md. */
const SETTINGS: Readonly<Record<Limits, { readonly args: readonly string[]; readonly requeue: object }>> = {
  stock: { args: [], requeue: {} },
  raised: { args: ['--qps=500', '--burst=500'], requeue: { DEFAULT_REQUEUE_TIME: '500ms' } },
};

interface Workflow {
  readonly status?: { readonly phase?: string };
}

/** A Workflow for each batch, whose one step is expanded to all trials. */
export const ARGO_WORKFLOWS: Contender = {
  name: 'Argo Workflows',
  async prepare({ limits, cluster, namespace, directory }) {
    await installCrds(cluster, join(await goModuleSource('argo', MODULE), 'manifests/base/crds/minimal'));
    await cluster.request('POST', `/api/v1/namespaces/${namespace}/configmaps`, {
      metadata: { name: 'workflow-controller-configmap' },
      data: { metricsConfig: 'enabled: false\n' },
    });
    const collection = `/apis/${API_VERSION}/namespaces/${namespace}/workflows`;
    await untilCollected(
      cluster,
      {
        path: collection,
        object: { apiVersion: API_VERSION, kind: 'Workflow', metadata: { name: 'owner' }, spec: {} },
      },
      {
        path: `/api/v1/namespaces/${namespace}/configmaps`,
        object: { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'owned' } },
      },
    );
    const { args, requeue } = SETTINGS[limits];
    const controller = await startController(cluster, {
      name: 'workflow-controller',
      command: await resolveGoTool('argo'),
      args: (kubeconfig) => [
        `--kubeconfig=${kubeconfig}`,
        `--namespace=${namespace}`,
        '--namespaced',
        // Sidecars do not run here, so any name will do.
        '--executor-image=argoexec:1',
        ...args,
      ],
      environment: { LEADER_ELECTION_DISABLE: 'true', ...requeue },
      namespace,
      directory,
      readyLine: /Performing periodic GC/,
    });
    return {
      pid: controller.pid,
      take: async (scenario) => workOf(scenario, cluster, collection),
      account: controller.account,
      end: controller.end,
    };
  },
};

function workOf(scenario: Scenario, cluster: ClusterClient, collection: string): TakenWork {
  const workflows = new Map(
    [...trialPods(scenario)].map(([batch, pod]) => [batch, workflowOf(scenario, batch, pod)]),
  );
  const remove = async () => {
    for (const batch of workflows.keys()) await cluster.request('DELETE', `${collection}/${batch}`);
  };
  let statusBytes = 0;
  return {
    async begin() {
      for (const workflow of workflows.values()) await cluster.request('POST', collection, workflow);
    },
    // To stop it in an orderly way it would have to run a program in each pod, which KWOK's pods cannot.
    cancel: remove,
    async finish() {
      if (scenario.isCancelled === true) return undefined;
      const deadline = performance.now() + deadlineMs(scenario);
      for (const batch of workflows.keys()) {
        const status = await untilOver(cluster, `${collection}/${batch}`, deadline);
        statusBytes = Math.max(statusBytes, Buffer.byteLength(JSON.stringify(status)));
      }
      const toldAt = performance.now();
      await remove();
      return toldAt;
    },
    ownFigures: async () => (statusBytes === 0 ? {} : { statusBytes }),
  };
}

async function untilOver(
  cluster: ClusterClient,
  path: string,
  deadline: number,
): Promise<Workflow['status']> {
  for (;;) {
    const { status } = await cluster.request<Workflow>('GET', path);
    if (status?.phase === 'Succeeded') return status;
    if (status?.phase === 'Failed' || status?.phase === 'Error' || performance.now() > deadline)
      throw new Error(`${path} did not succeed: ${JSON.stringify(status).slice(0, 1_000)}`);
    await sleep(100);
  }
}

const workflowOf = (scenario: Scenario, batch: string, { metadata, spec }: AttemptPod) => {
  const { securityContext, activeDeadlineSeconds } = spec;
  const [container] = spec.containers;
  return {
    apiVersion: API_VERSION,
    kind: 'Workflow',
    metadata: { name: batch },
    spec: {
      entrypoint: 'all',
      parallelism: scenario.parallelism,
      podGC: { strategy: 'OnPodCompletion', deleteDelayDuration: '0s' },
      templates: [
        {
          name: 'all',
          steps: [[{ name: 'trial', template: 'trial', withSequence: { count: String(scenario.trials) } }]],
        },
        // Without a command the controller would look for one in a registry.
        {
          name: 'trial',
          metadata,
          container: { ...container, name: 'main', command: ['test'] },
          securityContext,
          activeDeadlineSeconds,
        },
      ],
    },
  };
};
