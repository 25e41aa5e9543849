import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { AttemptPod } from '../../../src/engine/kubernetes/attempt-pod.ts';
import { type FollowedObject, followCollection } from '../../integration/followed-collection.ts';
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

interface Workflow extends FollowedObject {
  readonly status?: { readonly phase?: string };
}

/** What a watch has told of a Workflow. */
interface SeenWorkflow {
  readonly status: NonNullable<Workflow['status']>;
  /** `performance.now()` when it was seen. */
  readonly at: number;
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
    const seen = new Map<string, SeenWorkflow>();
    let failure: unknown;
    const endWatch = await followCollection<Workflow>(cluster, collection, {
      onChange(_, { metadata: { name }, status }) {
        if (status?.phase === undefined || seen.get(name)?.status.phase === 'Succeeded') return;
        seen.set(name, { status, at: performance.now() });
      },
      onFailure(error) {
        failure = error;
      },
    });
    const look = () => {
      if (failure !== undefined) throw failure;
      return seen;
    };
    return {
      pid: controller.pid,
      take: async (scenario) => workOf(scenario, cluster, collection, look),
      account: controller.account,
      async end() {
        await endWatch();
        await controller.end();
      },
    };
  },
};

/** @param look gives what the watch has told so far, by the name of the Workflow; throws when it has failed */
function workOf(
  scenario: Scenario,
  cluster: ClusterClient,
  collection: string,
  look: () => ReadonlyMap<string, SeenWorkflow>,
): TakenWork {
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
      let toldAt = 0;
      for (const batch of workflows.keys()) {
        const { status, at } = await untilOver(look, batch, deadline);
        statusBytes = Math.max(statusBytes, Buffer.byteLength(JSON.stringify(status)));
        toldAt = Math.max(toldAt, at);
      }
      await remove();
      return toldAt;
    },
    ownFigures: async () => (statusBytes === 0 ? {} : { statusBytes }),
  };
}

async function untilOver(
  look: () => ReadonlyMap<string, SeenWorkflow>,
  batch: string,
  deadline: number,
): Promise<SeenWorkflow> {
  for (;;) {
    const seen = look().get(batch);
    if (seen?.status.phase === 'Succeeded') return seen;
    if (seen?.status.phase === 'Failed' || seen?.status.phase === 'Error' || performance.now() > deadline)
      throw new Error(`${batch} did not succeed: ${JSON.stringify(seen?.status)?.slice(0, 1_000)}`);
    await sleep(20);
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
