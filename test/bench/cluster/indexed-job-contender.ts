import type { Contender } from './contender.ts';
import { trialPods } from './trial-pod.ts';

/** One Job of many completions for each batch: the Job controller does everything. */
export const INDEXED_JOB: Contender = {
  name: 'one Indexed Job',
  async prepare({ scenario, cluster, namespace }) {
    const collection = `/apis/batch/v1/namespaces/${namespace}/jobs`;
    const templates = trialPods(scenario);
    const remove = async () => {
      for (const batch of templates.keys())
        await cluster.request('DELETE', `${collection}/bench-${batch}?propagationPolicy=Background`);
    };
    return {
      pid: undefined,
      async begin() {
        for (const [batch, template] of templates.entries())
          await cluster.request('POST', collection, {
            metadata: { name: `bench-${batch}` },
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
      account: async () => '',
      end: async () => undefined,
    };
  },
};
