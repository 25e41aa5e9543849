import { finishedCondition } from '../core/status.ts';
import { isApiError } from '../engine/kubernetes/api-error.ts';
import { type BatchTestObject, collectionPath } from './batchtest-object.ts';
import { clusterError, connect } from './cluster.ts';
import { NoSuchRunError } from './errors.ts';
import type { Environment } from './presets.ts';

/** The object of a run in a cluster. */
export interface ClusterRun {
  readonly name: string;
  /** Undefined: whichever run the object of that name is. */
  readonly uid: string | undefined;
  readonly namespace: string | undefined;
}

/**
 * Asks the operator of a cluster to end a run: sets `spec.cancel`.
 * @returns what was done, as a sentence
 * @throws NoSuchRunError when there is no such object, or its run is over
 * @throws ClusterUnavailableError
 */
export async function cancelClusterRun(
  { name, uid, namespace }: ClusterRun,
  options: { readonly kubeconfig?: string; readonly namespace?: string; readonly environment: Environment },
): Promise<string> {
  const { client, defaultNamespace } = await connect({ kubeconfig: options.kubeconfig }, options.environment);
  const where = options.namespace ?? namespace ?? defaultNamespace;
  const path = `${collectionPath(where)}/${encodeURIComponent(name)}`;
  const missing = (cause?: unknown) =>
    new NoSuchRunError(
      `there is no BatchTest ${where}/${name}${uid === undefined ? '' : ` with the UID ${uid}`} in the cluster`,
      { cause },
    );
  try {
    const { metadata, status } = await client.request<BatchTestObject>('GET', path);
    if (uid !== undefined && metadata.uid !== uid) throw missing();
    const end = finishedCondition(status);
    if (end !== undefined) throw new NoSuchRunError(`BatchTest ${where}/${name} is over: ${end.type}`);
    await client.request('PATCH', path, {
      body: { metadata: { uid: metadata.uid }, spec: { cancel: true } },
    });
    return status === undefined
      ? `BatchTest ${where}/${name} will be cancelled by the operator that picks it up; none has so far`
      : `BatchTest ${where}/${name} is being cancelled by its operator`;
  } catch (error) {
    if (error instanceof NoSuchRunError) throw error;
    if (isApiError(error, 404) || isApiError(error, 409)) throw missing(error);
    throw clusterError(error, client);
  } finally {
    await client.close();
  }
}
