import { setTimeout as sleep } from 'node:timers/promises';
import type { ClusterClient } from './cluster-client.ts';

/** Of the nodes that KWOK plays. */
export const NODE_NAMES = ['node-a', 'node-b', 'node-c'];
const NODES_READY_DEADLINE_MS = 60_000;

/** Creates the nodes that KWOK plays; together they have room for 6000 pods. */
export async function createNodes(client: ClusterClient): Promise<void> {
  for (const name of NODE_NAMES) {
    await client.request('POST', '/api/v1/nodes', {
      metadata: {
        name,
        labels: {
          'kubernetes.io/hostname': name,
          'kubernetes.io/os': 'linux',
          'kubernetes.io/arch': 'amd64',
        },
      },
    });
  }
}

interface Node {
  readonly metadata: { readonly name: string };
  readonly spec: { readonly taints?: readonly { readonly key: string }[] };
  readonly status: { readonly conditions?: readonly { readonly type: string; readonly status: string }[] };
}

/** Waits until pods can be scheduled: a node is tainted until the controller manager has seen it ready. */
export async function waitForNodes(client: ClusterClient, names: readonly string[]): Promise<void> {
  const deadline = performance.now() + NODES_READY_DEADLINE_MS;
  for (;;) {
    const { items } = await client.request<{ items: readonly Node[] }>('GET', '/api/v1/nodes');
    const waitingFor = items.filter((node) => !isSchedulable(node)).map((node) => node.metadata.name);
    if (items.length === names.length && waitingFor.length === 0) return;
    if (performance.now() > deadline) {
      throw new Error(
        `nodes ${(items.length === 0 ? names : waitingFor).join(', ')} are not ready and free of taints after ${NODES_READY_DEADLINE_MS / 1000} s`,
      );
    }
    await sleep(25);
  }
}

function isSchedulable(node: Node): boolean {
  const ready =
    node.status.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') ?? false;
  return ready && (node.spec.taints ?? []).length === 0;
}
