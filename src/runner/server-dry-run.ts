import { API_VERSION, KIND } from '../api/v1alpha1/constants.ts';
import type { BatchTest } from '../api/v1alpha1/schema.ts';
import { ApiError, isApiError } from '../engine/kubernetes/api-error.ts';
import { carrierOf } from '../engine/kubernetes/attempt-carrier.ts';
import { attemptPod } from '../engine/kubernetes/attempt-pod.ts';
import type { KubeClient } from '../engine/kubernetes/kube-client.ts';
import { variantAttempts } from '../parity/dry-run.ts';
import type { CheckedObject, ServerCheck } from '../parity/server-check.ts';
import { collectionPath, objectOf } from './batchtest-object.ts';
import { clusterError, connect } from './cluster.ts';
import { ClusterUnavailableError } from './errors.ts';
import type { ClusterOptions } from './watched-run.ts';

/** The server admits or refuses as ever, and keeps nothing. An unknown field is refused as kubectl does it. */
const DRY_RUN = { dryRun: 'All', fieldValidation: 'Strict' };

/**
 * Asks the API server whether it would take the BatchTest, a Job of it, and that Job's pod, or a pod that needs no Job: by the schema, and by what the namespace
 * enforces, such as a quota or a Pod Security Standard. Nothing is created.
 */
export async function serverDryRun(
  manifest: BatchTest,
  { kubeconfig, namespace: given, environment }: ClusterOptions,
): Promise<ServerCheck> {
  let client: KubeClient | undefined;
  try {
    const cluster = await connect({ kubeconfig }, environment);
    client = cluster.client;
    const namespace = manifest.metadata.namespace ?? given ?? cluster.defaultNamespace;
    const objects = await checkedObjects(client, manifest, namespace);
    return { kind: 'Checked', server: client.server, namespace, objects };
  } catch (error) {
    if (error instanceof ClusterUnavailableError) return { kind: 'NoCluster', message: error.message };
    throw error;
  } finally {
    await client?.close();
  }
}

async function checkedObjects(
  client: KubeClient,
  manifest: BatchTest,
  namespace: string,
): Promise<readonly CheckedObject[]> {
  const [attempt] = variantAttempts(manifest, namespace, 1);
  if (attempt === undefined) throw new Error(`BatchTest ${manifest.metadata.name} has no variant`);
  const { kind, collection, manifest: rendered } = carrierOf(attempt.run);
  const { metadata, spec } = attemptPod(attempt, undefined);
  const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { ...metadata, name: attempt.name }, spec };
  return [
    await checkedBatchTest(client, manifest, namespace),
    await checked(client, kind, collection(namespace), rendered(attempt)),
    ...(kind === 'Pod' ? [] : [await checked(client, 'Pod', `/api/v1/namespaces/${namespace}/pods`, pod)]),
  ];
}

/** One of its name that is there already says nothing of this one, which is then checked under another name. */
async function checkedBatchTest(
  client: KubeClient,
  manifest: BatchTest,
  namespace: string,
): Promise<CheckedObject> {
  const path = collectionPath(namespace);
  try {
    await client.request('POST', path, { body: objectOf(manifest, namespace), query: DRY_RUN });
    return { kind: 'BatchTest', outcome: 'Accepted', message: null };
  } catch (error) {
    if (!isApiError(error, 409)) return judged(client, 'BatchTest', error);
  }
  const { name: _, ...metadata } = manifest.metadata;
  const body = {
    apiVersion: API_VERSION,
    kind: KIND,
    metadata: { ...metadata, namespace, generateName: 'parity-' },
    spec: manifest.spec,
  };
  return checked(client, 'BatchTest', path, body);
}

async function checked(
  client: KubeClient,
  kind: CheckedObject['kind'],
  path: string,
  body: unknown,
): Promise<CheckedObject> {
  try {
    await client.request('POST', path, { body, query: DRY_RUN });
    return { kind, outcome: 'Accepted', message: null };
  } catch (error) {
    return judged(client, kind, error);
  }
}

/** @throws ClusterUnavailableError when there was no answer */
function judged(client: KubeClient, kind: CheckedObject['kind'], error: unknown): CheckedObject {
  if (!(error instanceof ApiError) || error.status >= 500 || error.status === 429)
    throw clusterError(error, client);
  // A person who may not create it is told so by the authorizer; admission uses the same status with other words.
  const isForbidden =
    error.status === 401 || (error.status === 403 && / cannot create resource /.test(error.statement));
  const isUnknown = error.status === 404 && error.details.name === undefined;
  const message = isUnknown ? clusterError(error, client).message : error.statement;
  return { kind, outcome: isForbidden ? 'NotAllowed' : 'Refused', message };
}
