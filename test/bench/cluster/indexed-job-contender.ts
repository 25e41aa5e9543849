import { type Contender, podTemplateOfJob } from './contender.ts';

/** One Job of many completions: the Job controller does everything. */
export const INDEXED_JOB: Contender = {
  name: 'one Indexed Job',
  async prepare({ scenario, cluster, namespace }) {
    const collection = `/apis/batch/v1/namespaces/${namespace}/jobs`;
    const remove = async () => {
      await cluster.request('DELETE', `${collection}/bench?propagationPolicy=Background`);
    };
    return {
      pid: undefined,
      async begin() {
        await cluster.request('POST', collection, {
          metadata: { name: 'bench' },
          spec: {
            completionMode: 'Indexed',
            completions: scenario.trials,
            parallelism: scenario.parallelism,
            backoffLimitPerIndex: 0,
            template: podTemplateOfJob(scenario),
          },
        });
      },
      cancel: remove,
      finish: async () => {
        if (scenario.isCancelled !== true) await remove();
      },
      ownFigures: async () => ({}),
      account: async () => '',
      end: async () => undefined,
    };
  },
};
