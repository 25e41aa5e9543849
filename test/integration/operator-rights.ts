import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ClusterClient } from '../tools/cluster-client.ts';

/** What an operator of one namespace may do: nothing else is granted to those that tests start. */
export const OPERATOR_RULES = {
  /** For a candidate of an election that does not lead. */
  watching: [
    { apiGroups: ['batchtest.dev'], resources: ['batchtests'], verbs: ['get', 'list', 'watch'] },
    { apiGroups: ['batch'], resources: ['jobs'], verbs: ['get', 'list', 'watch'] },
    { apiGroups: [''], resources: ['pods'], verbs: ['get', 'list', 'watch'] },
    { apiGroups: ['coordination.k8s.io'], resources: ['leases'], verbs: ['get', 'create', 'update'] },
  ],
  leading: [
    { apiGroups: ['batchtest.dev'], resources: ['batchtests'], verbs: ['patch', 'delete'] },
    { apiGroups: ['batchtest.dev'], resources: ['batchtests/status'], verbs: ['patch'] },
    { apiGroups: ['batchtest.dev'], resources: ['batchtests/finalizers'], verbs: ['update'] },
    { apiGroups: ['batch'], resources: ['jobs'], verbs: ['create', 'delete', 'deletecollection'] },
    { apiGroups: [''], resources: ['pods'], verbs: ['create', 'delete', 'deletecollection'] },
    { apiGroups: ['events.k8s.io'], resources: ['events'], verbs: ['create'] },
  ],
} as const;

/** Writes the kubeconfig of a service account that has these rights in the namespace; the path of the file. */
export async function kubeconfigWithRights(
  cluster: ClusterClient,
  namespace: string,
  account: string,
  directory: string,
  rights: readonly (keyof typeof OPERATOR_RULES)[],
): Promise<string> {
  const file = join(directory, `${account}.kubeconfig`);
  await writeFile(file, await cluster.kubeconfigForServiceAccount(namespace, account), { mode: 0o600 });
  for (const right of rights) await grant(cluster, namespace, account, right);
  return file;
}

/** Gives a service account of the namespace these rights in it. */
export async function grant(
  cluster: ClusterClient,
  namespace: string,
  account: string,
  right: keyof typeof OPERATOR_RULES,
): Promise<void> {
  const rbac = `/apis/rbac.authorization.k8s.io/v1/namespaces/${namespace}`;
  const metadata = { name: `${account}-${right}` };
  await cluster.request('POST', `${rbac}/roles`, { metadata, rules: OPERATOR_RULES[right] });
  await cluster.request('POST', `${rbac}/rolebindings`, {
    metadata,
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: metadata.name },
    subjects: [{ kind: 'ServiceAccount', name: account, namespace }],
  });
}
