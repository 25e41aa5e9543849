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
import {
  type ResultStore,
  ResultStoreUnavailableError,
  SchemaTooNewError,
  type StoredRun,
} from '../results/result-store.ts';
import { type BatchTestObject, collectionPath, objectOf } from './batchtest-object.ts';
import { type Cluster, clusterError, connect } from './cluster.ts';
import { ClusterUnavailableError, NameInUseError, RunNotBegunError, RunNotResumableError } from './errors.ts';
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
/** A creation whose answer was lost is asked for again. */
const CREATION_TRIES = 4;
/** How long the operator may take to store the end of a run whose object was deleted. */
const STORED_END_DEADLINE_MS = 10_000;
/** How long a shutdown waits for the operator to end what is under way: its pods get their grace period meanwhile, which is 30 s by default. */
const SHUTDOWN_PATIENCE_MS = 60_000;
const POLL_MS = 200;

/** Runs BatchTests by handing them to the operator of a cluster and following what it says. */
export class KubernetesRunner {
  readonly #config: KubernetesRunnerConfig;
  readonly #shutdownPatienceMs: number;
  readonly #cluster: OpenedOnce<Cluster>;
  readonly #store: OpenedOnce<ResultStore>;
  readonly #runs = new RunsUnderWay();

  constructor(
    config: KubernetesRunnerConfig,
    environment: Environment,
    shutdownPatienceMs = SHUTDOWN_PATIENCE_MS,
  ) {
    this.#config = config;
    this.#shutdownPatienceMs = shutdownPatienceMs;
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
    return this.#runs.track(options.signal, (cancel, giveUp) =>
      this.#run(manifest, { cancel, giveUp }, options),
    );
  }

  /** The store that the configuration names; opened by whoever needs it first. */
  store(): Promise<ResultStore> {
    return this.#store.get();
  }

  async shutdown(): Promise<void> {
    await this.#runs.end(this.#shutdownPatienceMs);
    await this.#cluster.close();
    await this.#store.close();
  }

  async #run(manifest: BatchTest, signals: EndSignals, options: RunOptions): Promise<RunResult> {
    const { client, defaultNamespace } = await this.#cluster.get();
    const namespace = manifest.metadata.namespace ?? this.#config.namespace ?? defaultNamespace;
    const { metadata } = await createdObject(client, manifest, namespace, signals.cancel);
    const { uid } = metadata;
    const outcome = await followedToEnd(client, namespace, metadata, signals, options);
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
      // The operator of a later version has migrated it: it is this command that is old.
      if (error instanceof SchemaTooNewError)
        return {
          problem: { kind: 'Unavailable', message: `${this.#storeName} cannot be read: ${error.message}` },
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

/** What ends the following of a run: `cancel` has the run ended and waits for that, `giveUp` waits no more. */
interface EndSignals {
  readonly cancel: AbortSignal;
  readonly giveUp: AbortSignal;
}

/**
 * Creates the object. One of the same name that is over is replaced, its results stay; one that runs the same thing is followed; one that
 * runs something else is left alone.
 * @throws NameInUseError
 * @throws RunNotBegunError when it is cancelled before
 */
async function createdObject(
  client: KubeClient,
  manifest: BatchTest,
  namespace: string,
  cancel: AbortSignal,
): Promise<BatchTestObject> {
  const { name } = manifest.metadata;
  const collection = collectionPath(namespace);
  const deadline = Date.now() + REPLACEMENT_DEADLINE_MS;
  const refuseOnceCancelled = (): void => {
    if (cancel.aborted)
      throw new RunNotBegunError(
        `cancelled before BatchTest ${namespace}/${name} was created: nothing of it was started`,
      );
  };
  const unlessCancelled = <T>(waiting: Promise<T>): Promise<T> =>
    waiting.catch((error: unknown) => {
      refuseOnceCancelled();
      throw error;
    });
  for (;;) {
    refuseOnceCancelled();
    try {
      // Not interrupted: nobody would know whether the object is there. One that was created meanwhile is ended by whoever follows it.
      return await client.request<BatchTestObject>('POST', collection, {
        body: objectOf(manifest, namespace),
        // One that was done, and whose answer was lost, is found to be there by the next.
        maxTries: CREATION_TRIES,
      });
    } catch (error) {
      if (!isApiError(error, 409)) throw clusterError(error, client);
    }
    const existing = await unlessCancelled(found(client, `${collection}/${name}`, cancel));
    // What is there is not this run's to end.
    refuseOnceCancelled();
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
    if (deletionTimestamp === undefined)
      await unlessCancelled(removed(client, `${collection}/${name}`, uid, cancel));
    await unlessCancelled(sleep(POLL_MS, undefined, { signal: cancel }));
  }
}

async function found(
  client: KubeClient,
  path: string,
  signal?: AbortSignal,
): Promise<BatchTestObject | undefined> {
  try {
    return await client.request<BatchTestObject>('GET', path, signal === undefined ? {} : { signal });
  } catch (error) {
    if (isApiError(error, 404)) return undefined;
    throw clusterError(error, client);
  }
}

/** Deletes the object of this UID; one that is gone, or is another by now, is left as it is. */
async function removed(client: KubeClient, path: string, uid: string, signal: AbortSignal): Promise<void> {
  try {
    await client.request('DELETE', path, {
      signal,
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
  { cancel, giveUp }: EndSignals,
  { onProgress, onNotice }: RunOptions,
): Promise<FollowOutcome> {
  const leave = new AbortController();
  let asked = 'it could not be asked to; batchtest cancel asks it';
  const onCancel = () => {
    ended(client, `${collectionPath(namespace)}/${name}`, uid).then(
      () => {
        asked = 'it is asked to, and will once it is there';
      },
      (error: unknown) => leave.abort(error),
    );
  };
  const onGiveUp = () =>
    leave.abort(
      new ClusterUnavailableError(
        `the runner was shut down, and no operator has ended the run of BatchTest ${namespace}/${name} in time: ${asked}`,
      ),
    );
  cancel.addEventListener('abort', onCancel);
  giveUp.addEventListener('abort', onGiveUp);
  if (cancel.aborted) onCancel();
  if (giveUp.aborted) onGiveUp();
  try {
    const outcome = await followedRun(
      client,
      { namespace, name, uid },
      {
        signal: leave.signal,
        onChange: ({ status }) => {
          if (status !== undefined) onProgress?.(status);
        },
        ...(onNotice === undefined ? {} : { onNotice }),
      },
    );
    if (outcome.kind === 'Left') throw leave.signal.reason;
    return outcome;
  } finally {
    cancel.removeEventListener('abort', onCancel);
    giveUp.removeEventListener('abort', onGiveUp);
  }
}
