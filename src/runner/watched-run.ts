import type { BatchTestStatus } from '../api/v1alpha1/status.ts';
import type { RunEnd } from '../core/plan.ts';
import { isApiError } from '../engine/kubernetes/api-error.ts';
import type { KubeClient } from '../engine/kubernetes/kube-client.ts';
import { type BatchTestObject, collectionPath } from './batchtest-object.ts';
import { clusterError, connect } from './cluster.ts';
import { NoSuchRunError } from './errors.ts';
import { followedRun } from './followed-run.ts';
import type { Environment } from './presets.ts';

/** Where to look for a BatchTest. */
export interface ClusterOptions {
  readonly kubeconfig?: string | undefined;
  /** Undefined: that of the kubeconfig's current context. */
  readonly namespace?: string | undefined;
  readonly environment: Environment;
}

export interface WatchRunOptions {
  /** Aborting it ends the watching; the run goes on. */
  readonly signal?: AbortSignal;
  /** Told of the object as it is found, and of each change of it after that. */
  readonly onChange?: (object: BatchTestObject) => void;
  /** Told in a sentence for a person what the run, or the one who watches it, waits for; once for each such thing. */
  readonly onNotice?: (notice: string) => void;
}

/** Why a run is watched no more. */
export type WatchOutcome =
  | { readonly kind: 'Over'; readonly end: RunEnd; readonly status: BatchTestStatus }
  /** Its object was deleted before it was over. `replacedBy` is the UID of another object of the same name, when there is one now. */
  | {
      readonly kind: 'Deleted';
      readonly status: BatchTestStatus | undefined;
      readonly replacedBy: string | undefined;
    }
  /** The signal was aborted. */
  | { readonly kind: 'Left'; readonly status: BatchTestStatus | undefined };

/**
 * The BatchTest of this name, as the cluster has it now.
 * @throws NoSuchRunError when there is none
 * @throws ClusterUnavailableError
 */
export const clusterRun = (name: string, options: ClusterOptions): Promise<BatchTestObject> =>
  withCluster(options, (client, namespace) => foundRun(client, namespace, name, undefined));

/**
 * Watches the BatchTest of this name until its run is over or the object is gone. Needs no database, and changes nothing.
 * @throws NoSuchRunError when there is none to begin with
 * @throws ClusterUnavailableError when the cluster cannot be reached to begin with; later on that is waited for
 */
export function watchedRun(
  name: string,
  options: ClusterOptions,
  { signal = new AbortController().signal, onChange, onNotice }: WatchRunOptions = {},
): Promise<WatchOutcome> {
  return withCluster(options, async (client, namespace): Promise<WatchOutcome> => {
    let found: BatchTestObject;
    try {
      found = await foundRun(client, namespace, name, signal);
    } catch (error) {
      if (signal.aborted) return { kind: 'Left', status: undefined };
      throw error;
    }
    const outcome = await followedRun(
      client,
      { namespace, name, uid: found.metadata.uid },
      {
        signal,
        ...(onChange === undefined ? {} : { onChange }),
        ...(onNotice === undefined ? {} : { onNotice }),
      },
    );
    if (outcome.kind !== 'Deleted') return outcome;
    return { ...outcome, replacedBy: await uidAt(client, namespace, name) };
  });
}

async function withCluster<T>(
  { kubeconfig, namespace, environment }: ClusterOptions,
  use: (client: KubeClient, namespace: string) => Promise<T>,
): Promise<T> {
  const { client, defaultNamespace } = await connect({ kubeconfig }, environment);
  try {
    return await use(client, namespace ?? defaultNamespace);
  } finally {
    await client.close();
  }
}

async function foundRun(
  client: KubeClient,
  namespace: string,
  name: string,
  signal: AbortSignal | undefined,
): Promise<BatchTestObject> {
  try {
    return await client.request<BatchTestObject>('GET', objectPath(namespace, name), {
      ...(signal === undefined ? {} : { signal }),
    });
  } catch (error) {
    if (isApiError(error, 404) && error.details.name !== undefined)
      throw new NoSuchRunError(`there is no BatchTest ${namespace}/${name} in the cluster`, { cause: error });
    throw clusterError(error, client);
  }
}

/** The UID of the object of this name; undefined when there is none, or it cannot be told. */
async function uidAt(client: KubeClient, namespace: string, name: string): Promise<string | undefined> {
  try {
    const { metadata } = await client.request<BatchTestObject>('GET', objectPath(namespace, name), {
      maxTries: 1,
    });
    return metadata.uid;
  } catch {
    return undefined;
  }
}

const objectPath = (namespace: string, name: string): string =>
  `${collectionPath(namespace)}/${encodeURIComponent(name)}`;
