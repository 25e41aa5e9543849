import type { ClusterClient } from '../tools/cluster-client.ts';

/** A namespace as a careful administrator has it: pods that do not keep to the restricted Pod Security Standard are refused. */
export const createRestrictedNamespace = (cluster: ClusterClient, prefix: string): Promise<string> =>
  cluster.createNamespace(prefix, { 'pod-security.kubernetes.io/enforce': 'restricted' });
