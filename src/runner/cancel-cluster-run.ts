import { END_OF_DELETED } from '../core/completion-policy.ts';
import { defineRun } from '../core/run.ts';
import { finishedCondition } from '../core/status.ts';
import { isApiError } from '../engine/kubernetes/api-error.ts';
import type { KubeClient } from '../engine/kubernetes/kube-client.ts';
import type { ResultStore, StoredRun } from '../results/result-store.ts';
import { type BatchTestObject, collectionPath } from './batchtest-object.ts';
import { clusterError, connect } from './cluster.ts';
import { NoSuchRunError } from './errors.ts';
import type { Environment } from './presets.ts';

export interface CancelOptions {
  readonly kubeconfig?: string;
  /** Undefined: that of the kubeconfig's current context. */
  readonly namespace?: string | undefined;
  readonly environment: Environment;
}

/**
 * Asks the operator of a cluster to end a run: sets `spec.cancel`.
 * @param name of the BatchTest
 * @returns what was done, as a sentence
 * @throws NoSuchRunError when there is no such object, or its run is over
 * @throws ClusterUnavailableError
 */
export async function cancelClusterRun(name: string, options: CancelOptions): Promise<string> {
  const asked = await operatorAsked({ name, uid: undefined }, options);
  if (asked.kind === 'Gone') throw new NoSuchRunError(`there is no BatchTest ${asked.object} in the cluster`);
  return asked.sentence;
}

/**
 * The same for a stored run. One whose object is gone is ended in the store, as its operator would have: no operator knows of it any more that has started since,
 * as when its object was let go while the database was away.
 */
export async function cancelStoredClusterRun(
  store: Pick<ResultStore, 'openRun' | 'finishRun'>,
  { uid, name, namespace, manifest }: StoredRun,
  options: CancelOptions,
): Promise<string> {
  // In another namespace than its own it would be found to be gone.
  const asked = await operatorAsked({ name, uid }, { ...options, namespace: namespace ?? options.namespace });
  if (asked.kind === 'Asked') return asked.sentence;
  const { fence, end } = await store.openRun(
    defineRun(manifest, { uid, engine: 'kubernetes', directory: undefined }),
  );
  // Its operator may just have ended it.
  if (end !== undefined) return `run ${uid} (${name}) is over: ${end.state}`;
  await store.finishRun(uid, fence, END_OF_DELETED);
  return `run ${uid} (${name}) is cancelled in the result store: BatchTest ${asked.object} with this UID is gone from the cluster ${asked.server}, and no operator had stored its end`;
}

/** What came of asking for the end of a run. */
type Asked =
  | { readonly kind: 'Asked'; readonly sentence: string }
  /** The API server has no object of this name, or one of another UID. `object` is its namespace and name. */
  | { readonly kind: 'Gone'; readonly object: string; readonly server: string };

/** As often as this an object may be replaced or changed between two requests; more is no coincidence. */
const TRIES = 3;

/** @param uid undefined: whichever object there is of this name */
async function operatorAsked(
  { name, uid }: { readonly name: string; readonly uid: string | undefined },
  options: CancelOptions,
): Promise<Asked> {
  const { client, defaultNamespace } = await connect({ kubeconfig: options.kubeconfig }, options.environment);
  const namespace = options.namespace ?? defaultNamespace;
  const object = `${namespace}/${name}`;
  const path = `${collectionPath(namespace)}/${encodeURIComponent(name)}`;
  let wanted = uid;
  try {
    for (let tried = 1; ; tried += 1) {
      const found = await objectAt(client, path);
      wanted ??= found?.metadata.uid;
      if (found === undefined || found.metadata.uid !== wanted)
        return { kind: 'Gone', object, server: client.server };
      const { status } = found;
      const end = finishedCondition(status);
      if (end !== undefined) throw new NoSuchRunError(`BatchTest ${object} is over: ${end.type}`);
      try {
        await client.request('PATCH', path, { body: { metadata: { uid: wanted }, spec: { cancel: true } } });
      } catch (error) {
        // It has gone, or has been replaced, since it was found: the next look tells.
        if (tried < TRIES && (isApiError(error, 404) || isApiError(error, 409))) continue;
        throw clusterError(error, client);
      }
      const sentence =
        status === undefined
          ? `BatchTest ${object} will be cancelled by the operator that picks it up; none has so far`
          : `BatchTest ${object} is being cancelled by its operator`;
      return { kind: 'Asked', sentence };
    }
  } finally {
    await client.close();
  }
}

/** Undefined only when the API server says that it has no object of this name: that it does not know BatchTests at all is another matter. */
async function objectAt(client: KubeClient, path: string): Promise<BatchTestObject | undefined> {
  try {
    return await client.request<BatchTestObject>('GET', path);
  } catch (error) {
    if (isApiError(error, 404) && error.details.name !== undefined) return undefined;
    throw clusterError(error, client);
  }
}
