import { FINALIZER, GROUP, PLURAL, VERSION } from '../../api/v1alpha1/constants.ts';
import type { BatchTestStatus } from '../../api/v1alpha1/status.ts';
import { isFinished } from '../../core/status.ts';
import type { DesiredRun, RunSource } from '../run-source.ts';
import { isApiError } from './api-error.ts';
import {
  type BatchTestObject,
  type BatchTestProjection,
  prepareProjection,
  projectBatchTest,
  wantedAlike,
} from './batchtest-projection.ts';
import type { KubeClient } from './kube-client.ts';
import type { ObjectMeta } from './kubernetes-objects.ts';
import { Reflector, type ReflectorProblem, type ReflectorTimes } from './reflector.ts';
import { allSynced, seenWithin, type View, type ViewHealth } from './view-health.ts';

export interface KubernetesRunSourceOptions {
  readonly client: KubeClient;
  /** The namespaces whose BatchTests are run; `All` for every namespace. */
  readonly namespaces: readonly string[] | 'All';
  /**
   * What else has to be seen of a namespace before one of its runs is shown: an attempt that is not known of would be started a second time. Default: nothing.
   */
  readonly engine?: { viewsOf(namespace: string | undefined): readonly View[] };
  /** Told of each namespace when its runs are shown from now on; undefined for all namespaces at once. */
  readonly onSeen?: (namespace: string | undefined) => void;
  /** Told of each failed list or watch. */
  readonly onProblem?: (problem: ReflectorProblem) => void;
  readonly reflectorTimes?: Partial<ReflectorTimes>;
  /** In [0, 1). */
  readonly random?: () => number;
  /** Milliseconds since the epoch. */
  readonly now?: () => number;
}

/** How often a change of the object is tried that others change at the same time. */
const EDIT_TRIES = 5;

const API = `/apis/${GROUP}/${VERSION}`;

/** The BatchTests of one namespace, or of all of them. */
interface Scope {
  /** Undefined for all of them. */
  readonly namespace: string | undefined;
  readonly reflector: Reflector<BatchTestObject, BatchTestProjection>;
  /** What has to be seen before its runs are shown. */
  readonly views: readonly View[];
  isSeen: boolean;
}

/** A namespace whose runs are not shown yet. */
export interface UnseenNamespace {
  /** Undefined for all namespaces at once. */
  readonly namespace: string | undefined;
  /** What is in the way; undefined while it is merely being listed. */
  readonly problem: ReflectorProblem | undefined;
}

/**
 * The BatchTests of a cluster. A run's key is `namespace/name` of its object. Those of a namespace are shown once everything that there is of it was seen, so that
 * a namespace which cannot be seen is in the way of no other.
 */
export class KubernetesRunSource implements RunSource {
  readonly directory = undefined;
  readonly #client: KubeClient;
  readonly #scopes: readonly Scope[];
  readonly #onSeen: ((namespace: string | undefined) => void) | undefined;
  readonly #keys = new Map<string, string>();
  readonly #listeners = new Set<{ readonly call: (key: string) => void }>();

  /** Watches from {@link start} on. */
  constructor(options: KubernetesRunSourceOptions) {
    const { client, namespaces, engine, onSeen, onProblem, reflectorTimes, random, now } = options;
    this.#client = client;
    this.#onSeen = onSeen;
    this.#scopes = (namespaces === 'All' ? [undefined] : namespaces).map((namespace) => {
      const reflector = new Reflector<BatchTestObject, BatchTestProjection>({
        client,
        path: `${API}${namespace === undefined ? '' : `/namespaces/${namespace}`}/${PLURAL}`,
        project: projectBatchTest,
        onChange: (key, before, after) => {
          if (scope.isSeen) this.#changed(key, before, after);
        },
        ...(onProblem === undefined ? {} : { onProblem }),
        ...(reflectorTimes === undefined ? {} : { times: reflectorTimes }),
        ...(random === undefined ? {} : { random }),
        ...(now === undefined ? {} : { now }),
      });
      const views = [reflector, ...(engine?.viewsOf(namespace) ?? [])];
      const scope: Scope = { namespace, reflector, views, isSeen: false };
      return scope;
    });
  }

  /**
   * Begins to watch, and resolves when the runs of a namespace are shown; those of the others are once they can be. Rejects when that takes longer than
   * `timeoutMs`.
   */
  async start(timeoutMs: number): Promise<void> {
    for (const { reflector } of this.#scopes) reflector.start();
    prepareProjection();
    const seen = this.#scopes.map((scope) => allSynced(scope.views).then(() => this.#show(scope)));
    const views = this.#scopes.flatMap((scope) => scope.views);
    await seenWithin(Promise.any(seen), views, timeoutMs, this.#client.server);
  }

  /** Stops watching; nothing is announced any more. */
  async close(): Promise<void> {
    await Promise.all(this.#scopes.map(({ reflector }) => reflector.stop()));
  }

  /** One entry per watched collection. */
  health(): readonly ViewHealth[] {
    return this.#scopes.map(({ reflector: { path, lastActivityAt, lastProblem } }) => ({
      path,
      lastActivityAt,
      lastProblem,
    }));
  }

  /** The namespaces whose runs are not shown yet. */
  unseen(): readonly UnseenNamespace[] {
    return this.#scopes
      .filter(({ isSeen }) => !isSeen)
      .map(({ namespace, views }) => ({
        namespace,
        problem: views.find(({ lastProblem }) => lastProblem !== undefined)?.lastProblem,
      }));
  }

  /** The status of every object, with its namespace. */
  *statuses(): IterableIterator<{
    readonly namespace: string;
    readonly status: BatchTestStatus | undefined;
  }> {
    for (const key of this.#keys.values()) {
      const desired = this.get(key);
      const [namespace] = key.split('/');
      if (desired !== undefined && namespace !== undefined) yield { namespace, status: desired.status };
    }
  }

  get(key: string): DesiredRun | undefined {
    return this.#seen(key)?.desired;
  }

  #seen(key: string): BatchTestProjection | undefined {
    for (const { reflector, isSeen } of this.#scopes) {
      const found = isSeen ? reflector.get(key) : undefined;
      if (found !== undefined) return found;
    }
    return undefined;
  }

  keys(): Iterable<string> {
    return this.#keys.values();
  }

  keyOf(uid: string): string | undefined {
    return this.#keys.get(uid);
  }

  /**
   * Replaces the status of the object in one request, without having read the object. The patch itself tests the UID, so that an
   * object of the same name that is another run is left alone; a UID in a merge patch would be ignored on this subresource. That the end of a run is not
   * taken back is a rule of the resource.
   */
  async writeStatus(key: string, uid: string, status: BatchTestStatus): Promise<boolean> {
    const path = objectPath(key);
    try {
      await this.#client.request('PATCH', `${path}/status`, {
        contentType: 'application/json-patch+json',
        body: [
          { op: 'test', path: '/metadata/uid', value: uid },
          { op: 'add', path: '/status', value: status },
        ],
      });
      return true;
    } catch (error) {
      if (isApiError(error, 404)) return false;
      // A test that fails is answered as 422, and so is a status that breaks the schema or takes back the end of the run.
      if (!isApiError(error, 422)) throw error;
      const object = await this.#read(path);
      if (object === undefined) return false;
      const { desired } = projectBatchTest(object, undefined);
      if (desired.uid !== uid || (isFinished(desired.status) && !isFinished(status))) return false;
      throw error;
    }
  }

  hold(key: string, uid: string): Promise<void> {
    return this.#editFinalizers(key, uid, (finalizers) =>
      finalizers.includes(FINALIZER) ? undefined : [...finalizers, FINALIZER],
    );
  }

  letGo(key: string, uid: string): Promise<void> {
    return this.#editFinalizers(key, uid, (finalizers) =>
      finalizers.includes(FINALIZER) ? finalizers.filter((name) => name !== FINALIZER) : undefined,
    );
  }

  async remove(key: string, uid: string): Promise<void> {
    try {
      await this.#client.request('DELETE', objectPath(key), {
        body: {
          apiVersion: 'v1',
          kind: 'DeleteOptions',
          propagationPolicy: 'Background',
          preconditions: { uid },
        },
      });
    } catch (error) {
      // Gone already, or another object has the name by now.
      if (!isApiError(error, 404) && !isApiError(error, 409)) throw error;
    }
  }

  onChange(listener: (key: string) => void): () => void {
    const entry = { call: listener };
    this.#listeners.add(entry);
    return () => this.#listeners.delete(entry);
  }

  /**
   * Replaces the list of finalizers, which others have a share in: under the version that was seen, and when that is not the latest, or has nothing to be changed,
   * under one that is read.
   * @param edit gives the new list; undefined when it need not change
   */
  async #editFinalizers(
    key: string,
    uid: string,
    edit: (finalizers: readonly string[]) => readonly string[] | undefined,
  ): Promise<void> {
    const path = objectPath(key);
    let version: Pick<ObjectMeta, 'uid' | 'resourceVersion' | 'finalizers'> | undefined = this.#seen(key);
    for (let reads = 0; ; reads += 1) {
      const finalizers = version?.uid === uid ? edit(version.finalizers ?? []) : undefined;
      if (version !== undefined && finalizers !== undefined) {
        const { resourceVersion } = version;
        try {
          await this.#client.request('PATCH', path, {
            contentType: 'application/merge-patch+json',
            body: { metadata: { uid, resourceVersion, finalizers } },
          });
          return;
        } catch (error) {
          if (isApiError(error, 404)) return;
          // Somebody else has changed the object since.
          if (!isApiError(error, 409) || reads === EDIT_TRIES) throw error;
        }
      } else if (reads > 0) return;
      version = (await this.#read(path))?.metadata;
    }
  }

  /** Undefined when there is no such object. */
  async #read(path: string): Promise<BatchTestObject | undefined> {
    try {
      return await this.#client.request<BatchTestObject>('GET', path);
    } catch (error) {
      if (isApiError(error, 404)) return undefined;
      throw error;
    }
  }

  #show(scope: Scope): void {
    scope.isSeen = true;
    this.#onSeen?.(scope.namespace);
    for (const [key, batchTest] of scope.reflector.entries()) this.#changed(key, undefined, batchTest);
  }

  #changed(
    key: string,
    before: BatchTestProjection | undefined,
    after: BatchTestProjection | undefined,
  ): void {
    if (after !== undefined) this.#keys.set(after.uid, key);
    else if (before !== undefined) this.#keys.delete(before.uid);
    if (wantedAlike(before, after)) return;
    for (const { call } of [...this.#listeners]) call(key);
  }
}

function objectPath(key: string): string {
  const [namespace, name] = key.split('/');
  return `${API}/namespaces/${namespace}/${PLURAL}/${name}`;
}
