import { ApiError } from '../engine/kubernetes/api-error.ts';
import { type ClusterAccess, findClusterAccess } from '../engine/kubernetes/cluster-access.ts';
import { KubeClient } from '../engine/kubernetes/kube-client.ts';
import { VERSION } from '../version.ts';
import { ClusterUnavailableError } from './errors.ts';
import type { Environment } from './presets.ts';
import type { KubernetesRunnerConfig } from './runner-config.ts';

/** A connection to a cluster on behalf of a person. */
export interface Cluster {
  readonly client: KubeClient;
  readonly defaultNamespace: string;
}

/** @throws ClusterUnavailableError when no cluster is configured, or its configuration cannot be read */
export async function connect(
  config: Pick<KubernetesRunnerConfig, 'kubeconfig'>,
  environment: Environment,
): Promise<Cluster> {
  const access = await configuredAccess(config, environment);
  return {
    client: new KubeClient({ access, version: VERSION }),
    defaultNamespace: access.namespace ?? 'default',
  };
}

/**
 * How the configured cluster is reached.
 * @throws ClusterUnavailableError when no cluster is configured, or its configuration cannot be read
 */
export const configuredAccess = (
  { kubeconfig }: Pick<KubernetesRunnerConfig, 'kubeconfig'>,
  environment: Environment,
): Promise<ClusterAccess> =>
  findClusterAccess({ kubeconfig, environment }).catch((cause: unknown) => {
    throw new ClusterUnavailableError(messageOf(cause), { cause });
  });

/** What a request to the cluster failed with, in words for a person. */
export function clusterError(error: unknown, { server }: KubeClient): Error {
  const say = (text: string) => new ClusterUnavailableError(text, { cause: error });
  if (!(error instanceof ApiError))
    return say(`the API server ${server} cannot be reached: ${messageOf(error)}`);
  // A 404 that names no object is about the whole collection.
  if (error.status === 404 && error.details.name === undefined)
    return say(
      `the API server ${server} does not know BatchTests: install the CRD (kubectl apply --server-side -f crds/)`,
    );
  return say(error.message);
}

/** What an attempt to connect to several addresses failed with has no message of its own. */
function messageOf(error: unknown): string {
  if (error instanceof AggregateError && error.message === '') return error.errors.map(messageOf).join(', ');
  return error instanceof Error ? error.message : String(error);
}
