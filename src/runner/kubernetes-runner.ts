import { setTimeout as sleep } from 'node:timers/promises';
import { FINALIZER } from '../api/v1alpha1/constants.ts';
import type { BatchTest, BatchTestManifest } from '../api/v1alpha1/schema.ts';
import { validManifest } from '../api/v1alpha1/valid-manifest.ts';
import { canonicalJson } from '../core/canonical-json.ts';
import { END_OF_DELETED } from '../core/completion-policy.ts';
import { refuseFloatingImages } from '../core/floating-images.ts';
import { finishedCondition } from '../core/status.ts';
import { expandVariants } from '../core/variants.ts';
import { isApiError } from '../engine/kubernetes/api-error.ts';
import type { KubeClient } from '../engine/kubernetes/kube-client.ts';
import { EmbeddedPostgresError } from '../results/postgres/embedded/embedded-postgres-error.ts';
import { type ResultStore, ResultStoreUnavailableError, type StoredRun } from '../results/result-store.ts';
import { type BatchTestObject, collectionPath, objectOf } from './batchtest-object.ts';
import { type Cluster, clusterError, connect } from './cluster.ts';
import { NameInUseError, RunNotResumableError } from './errors.ts';
import { type FollowOutcome, followedRun } from './followed-run.ts';
import { OpenedOnce } from './opened-once.ts';
import type { Environment } from './presets.ts';
import { openResultStore } from './result-store.ts';
import { runResult } from './run-result.ts';
import type { RunOptions, RunResult } from './runner.ts';
import type { KubernetesRunnerConfig } from './runner-config.ts';
import { RunsUnderWay } from './runs-under-way.ts';
import type { UnreadProblem } from './unread-run.ts';

/** How long an object that is replaced may take to go: its pods get their grace period meanwhile. */
const REPLACEMENT_DEADLINE_MS = 120_000;
/** How long the operator may take to store the end of a run whose object was deleted. */
const STORED_END_DEADLINE_MS = 10_000;
const POLL_MS = 200;

/** Runs BatchTests by handing them to the operator of a cluster and following what it says. */
export class KubernetesRunner {
  readonly #config: KubernetesRunnerConfig;
  readonly #cluster: OpenedOnce<Cluster>;
  readonly #store: OpenedOnce<ResultStore>;
  readonly #runs = new RunsUnderWay();

  constructor(config: KubernetesRunnerConfig, environment: Environment) {
    this.#config = config;
    this.#cluster = new OpenedOnce(
      () => connect(config, environment),
      ({ client }) => client.close(),
    );
    this.#store = new OpenedOnce(
      () => openResultStore(config.store),
      (store) => store.close(),
    );
  }

  async run(batchTest: BatchTestManifest, options: RunOptions = {}): Promise<RunResult> {
    const manifest = validManifest(batchTest);
    if (options.resume !== undefined)
      throw new RunNotResumableError('the operator of a cluster goes on with its runs by itself');
    expandVariants(manifest.spec);
    refuseFloatingImages(manifest.spec);
    return this.#runs.track(options.signal, (cancel) => this.#run(manifest, cancel, options));
  }

  /** The store that the configuration names; opened by whoever needs it first. */
  store(): Promise<ResultStore> {
    return this.#store.get();
  }

  async shutdown(): Promise<void> {
    await this.#runs.end();
    await this.#cluster.close();
    await this.#store.close();
  }

  async #run(manifest: BatchTest, cancel: AbortSignal, options: RunOptions): Promise<RunResult> {
    const { client, defaultNamespace } = await this.#cluster.get();
    const namespace = manifest.metadata.namespace ?? this.#config.namespace ?? defaultNamespace;
    const { metadata } = await createdObject(client, manifest, namespace);
    const { uid } = metadata;
    const outcome = await followedToEnd(client, namespace, metadata, cancel, options);
    const { status } = outcome;
    const end = outcome.kind === 'Over' ? outcome.end : END_OF_DELETED;
    const read = await this.#storedEnd(uid);
    if (!('problem' in read)) return runResult(read.run);
    const { problem } = read;
    return {
      uid,
      end: { ...end, message: `${end.message}; its results cannot be read: ${problem.message}` },
      bestVariantName: status?.best?.name,
      comparisonMatrix: [],
      stored: undefined,
      unread: {
        ...{ uid, manifest, namespace, end, status, problem },
        createdAt: metadata.creationTimestamp,
      },
    };
  }

  /**
   * What the store holds of a run that is over. The operator stores an end before it says so in the object; only when the object was
   * deleted it is stored after that. A run is not undone by a store that cannot be read, so that is told and not thrown.
   */
  async #storedEnd(uid: string): Promise<{ readonly run: StoredRun } | { readonly problem: UnreadProblem }> {
    const deadline = performance.now() + STORED_END_DEADLINE_MS;
    try {
      const store = await this.#store.get();
      for (;;) {
        const run = await store.loadRun(uid);
        if (run === undefined)
          return { problem: { kind: 'NotThere', message: `the run is not in ${this.#storeName}` } };
        if (run.state !== 'Running') return { run };
        if (performance.now() > deadline)
          return {
            problem: {
              kind: 'NotEnded',
              message: `no operator has stored the end of the run in ${this.#storeName} within ${STORED_END_DEADLINE_MS / 1_000} s`,
            },
          };
        await sleep(POLL_MS);
      }
    } catch (error) {
      if (error instanceof ResultStoreUnavailableError || error instanceof EmbeddedPostgresError)
        return {
          problem: { kind: 'Unavailable', message: `${this.#storeName} cannot be reached: ${error.message}` },
        };
      throw error;
    }
  }

  get #storeName(): string {
    const { store } = this.#config;
    return store.kind === 'embedded'
      ? `the embedded Postgres of ${store.dataDirectory}`
      : 'the given database';
  }
}

/**
 * Creates the object. One of the same name that is over is replaced, its results stay; one that runs the same thing is followed; one that
 * runs something else is left alone.
 * @throws NameInUseError
 */
async function createdObject(
  client: KubeClient,
  manifest: BatchTest,
  namespace: string,
): Promise<BatchTestObject> {
  const { name } = manifest.metadata;
  const collection = collectionPath(namespace);
  const deadline = Date.now() + REPLACEMENT_DEADLINE_MS;
  for (;;) {
    try {
      return await client.request<BatchTestObject>('POST', collection, {
        body: objectOf(manifest, namespace),
      });
    } catch (error) {
      if (!isApiError(error, 409)) throw clusterError(error, client);
    }
    const existing = await found(client, `${collection}/${name}`);
    if (existing === undefined) continue;
    const { uid, deletionTimestamp } = existing.metadata;
    if (deletionTimestamp === undefined && finishedCondition(existing.status) === undefined) {
      if (canonicalJson(existing.spec) === canonicalJson(manifest.spec)) return existing;
      throw new NameInUseError(
        `BatchTest ${namespace}/${name} is running with another spec: wait for it, delete it, or choose another metadata.name`,
      );
    }
    if (Date.now() > deadline)
      throw new NameInUseError(
        `BatchTest ${namespace}/${name} of an earlier run is being deleted and does not go`,
      );
    if (deletionTimestamp === undefined) await removed(client, `${collection}/${name}`, uid);
    await sleep(POLL_MS);
  }
}

async function found(client: KubeClient, path: string): Promise<BatchTestObject | undefined> {
  try {
    return await client.request<BatchTestObject>('GET', path);
  } catch (error) {
    if (isApiError(error, 404)) return undefined;
    throw clusterError(error, client);
  }
}

/** Deletes the object of this UID; one that is gone, or is another by now, is left as it is. */
async function removed(client: KubeClient, path: string, uid: string): Promise<void> {
  try {
    await client.request('DELETE', path, {
      body: { propagationPolicy: 'Background', preconditions: { uid } },
    });
  } catch (error) {
    if (!isApiError(error, 404) && !isApiError(error, 409)) throw clusterError(error, client);
  }
}

/** Ends a run that is not wanted any more: by its operator, or by deleting the object when no operator has picked it up, as nobody else would end it. */
async function ended(client: KubeClient, path: string, uid: string): Promise<void> {
  for (;;) {
    const object = await found(client, path);
    if (object?.metadata.uid !== uid) return;
    const { finalizers = [] } = object.metadata;
    if (object.status !== undefined || finalizers.includes(FINALIZER)) return cancelled(client, path, uid);
    if (await removedUnchanged(client, path, object)) return;
  }
}

/** Deletes the object unless it has changed since it was read; false when it has, as when an operator has just picked it up. */
async function removedUnchanged(
  client: KubeClient,
  path: string,
  { metadata: { uid, resourceVersion } }: BatchTestObject,
): Promise<boolean> {
  try {
    await client.request('DELETE', path, {
      body: { propagationPolicy: 'Background', preconditions: { uid, resourceVersion } },
    });
    return true;
  } catch (error) {
    if (isApiError(error, 404)) return true;
    if (isApiError(error, 409)) return false;
    throw clusterError(error, client);
  }
}

/** Asks the operator to end the run: the object stays, to tell how it ended. One that is gone, or is another by now, is left as it is. */
async function cancelled(client: KubeClient, path: string, uid: string): Promise<void> {
  try {
    await client.request('PATCH', path, { body: { metadata: { uid }, spec: { cancel: true } } });
  } catch (error) {
    if (!isApiError(error, 404) && !isApiError(error, 409)) throw clusterError(error, client);
  }
}

/**
 * How the following of the object ended. Its run is ended when the signal says so.
 * @throws what the run could not be ended with
 */
async function followedToEnd(
  client: KubeClient,
  namespace: string,
  { name, uid }: BatchTestObject['metadata'],
  cancel: AbortSignal,
  { onProgress, onNotice }: RunOptions,
): Promise<FollowOutcome> {
  const giveUp = new AbortController();
  const onAbort = () => {
    void ended(client, `${collectionPath(namespace)}/${name}`, uid).catch((error: unknown) =>
      giveUp.abort(error),
    );
  };
  cancel.addEventListener('abort', onAbort);
  if (cancel.aborted) onAbort();
  try {
    const outcome = await followedRun(
      client,
      { namespace, name, uid },
      {
        signal: giveUp.signal,
        onChange: ({ status }) => {
          if (status !== undefined) onProgress?.(status);
        },
        ...(onNotice === undefined ? {} : { onNotice }),
      },
    );
    if (outcome.kind === 'Left') throw giveUp.signal.reason;
    return outcome;
  } finally {
    cancel.removeEventListener('abort', onAbort);
  }
}
