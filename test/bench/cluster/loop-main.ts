/** The process of a loop that keeps trials open until all were (loop-contender.ts). It ends with the process that started it. */
import type { AttemptPod } from '../../../src/engine/kubernetes/attempt-pod.ts';
import type { PodObject } from '../../../src/engine/kubernetes/kubernetes-objects.ts';
import { followCollection } from '../../integration/followed-collection.ts';
import { createClusterClient } from '../../tools/cluster-client.ts';
import { BATCH_LABEL } from './contender.ts';
import type { LoopMessage } from './loop-contender.ts';

/** Enough to fill all slots at once, without a connection for each. */
const CREATIONS_AT_ONCE = 16;

interface Loop {
  take(work: Work): void;
  begin(): void;
  cancel(): Promise<void>;
}

type Work = Extract<LoopMessage, { command: 'take' }>;

async function prepareLoop({
  unit,
  credentials,
  namespace,
}: Extract<LoopMessage, { command: 'prepare' }>): Promise<Loop> {
  const client = createClusterClient(credentials);
  const collection =
    unit === 'Job' ? `/apis/batch/v1/namespaces/${namespace}/jobs` : `/api/v1/namespaces/${namespace}/pods`;
  const objectOf = (name: string, template: AttemptPod) =>
    unit === 'Job'
      ? { metadata: { name }, spec: { backoffLimit: 0, template } }
      : { metadata: { ...template.metadata, name }, spec: template.spec };
  /** By name. */
  let batches: ReadonlyMap<string, { readonly template: AttemptPod; started: number; open: number }> =
    new Map();
  let limits = { trials: 0, parallelism: 0 };
  let creating = 0;
  let isCancelled = false;
  const over = new Set<string>();

  const create = async (name: string, template: AttemptPod) => {
    await client.request('POST', collection, objectOf(name, template));
    creating -= 1;
    fill();
  };
  const fill = () => {
    for (const [name, batch] of batches)
      while (
        !isCancelled &&
        creating < CREATIONS_AT_ONCE &&
        batch.open < limits.parallelism &&
        batch.started < limits.trials
      ) {
        creating += 1;
        batch.open += 1;
        batch.started += 1;
        void create(`${name}-${batch.started}`, batch.template);
      }
  };
  const onPod = ({ metadata, status }: PodObject) => {
    if (!['Succeeded', 'Failed'].includes(status?.phase ?? '') || over.has(metadata.uid)) return;
    over.add(metadata.uid);
    const batch = batches.get(metadata.labels?.[BATCH_LABEL] ?? '');
    if (batch !== undefined) batch.open -= 1;
    fill();
    const name = unit === 'Job' ? metadata.ownerReferences?.[0]?.name : metadata.name;
    void client.request('DELETE', `${collection}/${name}?propagationPolicy=Background`);
  };
  await followCollection<PodObject>(credentials, `/api/v1/namespaces/${namespace}/pods`, {
    onChange: (_, pod) => onPod(pod),
    // It ends; who started it misses the pods.
    onFailure(error) {
      throw error;
    },
  });
  return {
    take({ scenario, templates }) {
      limits = scenario;
      batches = new Map(templates.map(([name, template]) => [name, { template, started: 0, open: 0 }]));
    },
    begin: fill,
    async cancel() {
      isCancelled = true;
      await client.request('DELETE', `${collection}?propagationPolicy=Background`);
    },
  };
}

let loop: Loop | undefined;
process.on('disconnect', () => process.exit());
process.on('message', async (message: LoopMessage) => {
  switch (message.command) {
    case 'prepare':
      loop = await prepareLoop(message);
      process.send?.('ready');
      return;
    case 'take':
      loop?.take(message);
      process.send?.('taken');
      return;
    case 'begin':
      loop?.begin();
      return;
    case 'cancel':
      await loop?.cancel();
      return;
  }
});
