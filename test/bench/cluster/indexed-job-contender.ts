import type { ClusterClient } from '../../tools/cluster-client.ts';
import type { Contender, TakenWork } from './contender.ts';
import type { Scenario } from './scenario.ts';
import { trialPods } from './trial-pod.ts';

/** One Job of many completions for each batch: the Job controller does everything. */
export const INDEXED_JOB: Contender = {
  name: 'one Indexed Job',
  prepare: async ({ cluster, namespace }) => ({
    pid: undefined,
    take: async (scenario) => workOf(scenario, cluster, `/apis/batch/v1/namespaces/${namespace}/jobs`),
    account: async () => '',
    end: async () => undefined,
  }),
};

function workOf(scenario: Scenario, cluster: ClusterClient, collection: string): TakenWork {
  const templates = trialPods(scenario);
  const remove = async () => {
    for (const batch of templates.keys())
      await cluster.request('DELETE', `${collection}/${batch}?propagationPolicy=Background`);
  };
  return {
    async begin() {
      for (const [batch, template] of templates)
        await cluster.request('POST', collection, {
          metadata: { name: batch },
          spec: {
            completionMode: 'Indexed',
            completions: scenario.trials,
            parallelism: scenario.parallelism,
            backoffLimitPerIndex: 0,
            template,
          },
        });
    },
    cancel: remove,
    finish: async () => {
      if (scenario.isCancelled !== true) await remove();
      return undefined;
    },
    ownFigures: async () => ({}),
  };
}
