import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parse } from 'yaml';
import type { ClusterClient } from '../../tools/cluster-client.ts';

interface Crd {
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly spec: object;
  readonly status?: { readonly conditions?: readonly { readonly type: string; readonly status: string }[] };
}

const DEADLINE_MS = 60_000;

/**
 * Applies the CRDs of another project's folder; resolves when the API server serves them. Nothing happens when they are there already.
 * @param also what their spec has beside what the file says
 */
export async function installCrds(cluster: ClusterClient, folder: string, also: object = {}): Promise<void> {
  for (const file of await readdir(folder)) {
    const crd: Crd = parse(await readFile(join(folder, file), 'utf8'));
    if (crd.kind !== 'CustomResourceDefinition') continue;
    const path = `/apis/apiextensions.k8s.io/v1/customresourcedefinitions/${crd.metadata.name}`;
    await cluster.request(
      'PATCH',
      `${path}?fieldManager=bench&force=true`,
      { ...crd, spec: { ...crd.spec, ...also } },
      'application/apply-patch+yaml',
    );
    await untilEstablished(cluster, path);
  }
}

async function untilEstablished(cluster: ClusterClient, path: string): Promise<void> {
  const deadline = performance.now() + DEADLINE_MS;
  for (;;) {
    const { status } = await cluster.request<Crd>('GET', path);
    if (status?.conditions?.some(({ type, status }) => type === 'Established' && status === 'True')) return;
    if (performance.now() > deadline)
      throw new Error(`${path} is not established: ${JSON.stringify(status)}`);
    await sleep(50);
  }
}

/** Where objects of a kind are, and one of them. */
interface Example {
  readonly path: string;
  readonly object: {
    readonly apiVersion: string;
    readonly kind: string;
    readonly metadata: { readonly name: string };
    readonly spec?: object;
  };
}

/** Resolves when what belongs to a deleted owner goes: the garbage collector looks for new kinds only now and then, and an installed one has been there for longer. */
export async function untilCollected(cluster: ClusterClient, owner: Example, owned: Example): Promise<void> {
  const { apiVersion, kind, metadata } = owner.object;
  const { name } = metadata;
  const created = await cluster.request<{ readonly metadata: { readonly uid: string } }>(
    'POST',
    owner.path,
    owner.object,
  );
  await cluster.request('POST', owned.path, {
    ...owned.object,
    metadata: {
      ...owned.object.metadata,
      ownerReferences: [{ apiVersion, kind, name, uid: created.metadata.uid }],
    },
  });
  await cluster.request('DELETE', `${owner.path}/${name}`);
  const deadline = performance.now() + COLLECTED_DEADLINE_MS;
  const isThere = async () => {
    const { items } = await cluster.request<{ items: readonly Example['object'][] }>('GET', owned.path);
    return items.some(({ metadata }) => metadata.name === owned.object.metadata.name);
  };
  while (await isThere()) {
    if (performance.now() > deadline) throw new Error(`what a deleted ${kind} owned was not collected`);
    await sleep(100);
  }
}

const COLLECTED_DEADLINE_MS = 120_000;
