/** The process of a loop that keeps trials open until all were (loop-contender.ts). It ends with the process that started it. */
import { recordNamespace } from '../../integration/watch-recorder.ts';
import { createClusterClient } from '../../tools/cluster-client.ts';
import { podTemplateOfJob } from './contender.ts';
import type { LoopMessage } from './loop-contender.ts';

/** Enough to fill all slots at once, without a connection for each. */
const CREATIONS_AT_ONCE = 16;

interface Loop {
  begin(): void;
  cancel(): Promise<void>;
}

async function prepareLoop({
  unit,
  scenario,
  credentials,
  namespace,
}: Extract<LoopMessage, { command: 'prepare' }>): Promise<Loop> {
  const client = createClusterClient(credentials);
  const collection =
    unit === 'Job' ? `/apis/batch/v1/namespaces/${namespace}/jobs` : `/api/v1/namespaces/${namespace}/pods`;
  const template = podTemplateOfJob(scenario);
  const objectCalled = (name: string) =>
    unit === 'Job'
      ? { metadata: { name }, spec: { backoffLimit: 0, template } }
      : { metadata: { ...template.metadata, name }, spec: template.spec };
  let started = 0;
  let open = 0;
  let creating = 0;
  let isCancelled = false;
  const over = new Set<string>();

  const create = async (name: string) => {
    await client.request('POST', collection, objectCalled(name));
    creating -= 1;
    fill();
  };
  const fill = () => {
    while (
      !isCancelled &&
      creating < CREATIONS_AT_ONCE &&
      open < scenario.parallelism &&
      started < scenario.trials
    ) {
      creating += 1;
      open += 1;
      started += 1;
      void create(`trial-${started}`);
    }
  };
  await recordNamespace(credentials, namespace, (change) => {
    if (change.kind !== 'Pod') return;
    const { metadata, status } = change.object;
    if (!['Succeeded', 'Failed'].includes(status?.phase ?? '') || over.has(metadata.uid)) return;
    over.add(metadata.uid);
    open -= 1;
    fill();
    const name = unit === 'Job' ? metadata.ownerReferences?.[0]?.name : metadata.name;
    void client.request('DELETE', `${collection}/${name}?propagationPolicy=Background`);
  });
  return {
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
    case 'begin':
      loop?.begin();
      return;
    case 'cancel':
      await loop?.cancel();
      return;
  }
});
