/**
 * An independent witness: watches a namespace with connections of its own and keeps everything that changed. etcd numbers every change of
 * a cluster in one sequence, whichever collection it belongs to, so what the watches tell can be put into the order in which it happened.
 */
import { API_VERSION, LABEL_RUN_UID, PLURAL } from '../../src/api/v1alpha1/constants.ts';
import type { BatchTestStatus } from '../../src/api/v1alpha1/status.ts';
import type {
  ConditionObject,
  JobObject,
  ObjectMeta,
  PodObject,
} from '../../src/engine/kubernetes/kubernetes-objects.ts';
import type { ClusterCredentials } from '../tools/kubeconfig.ts';
import { type ChangeType, followCollection } from './followed-collection.ts';

/** A BatchTest as the API server's JSON has it, as far as tests read it. */
export interface BatchTestObject {
  readonly metadata: ObjectMeta & { readonly generation: number };
  readonly spec: { readonly parallelism: number };
  readonly status?: BatchTestStatus;
}

interface ChangeOf<Kind extends string, Object> {
  readonly kind: Kind;
  readonly type: ChangeType;
  readonly object: Object;
  /** Of the change itself; all collections share one sequence. */
  readonly revision: number;
  /** `performance.now()` when it was seen here. */
  readonly at: number;
}

export type Change =
  | ChangeOf<'Job', JobObject>
  | ChangeOf<'Pod', PodObject>
  | ChangeOf<'BatchTest', BatchTestObject>;

/** How many trials of a run were live after a change. */
export interface LiveTrials {
  readonly change: Change;
  readonly live: number;
}

export interface WatchRecorder {
  /** Everything that was kept so far, in the order in which it happened. Throws when a watch has failed, as something may be missing then. */
  changes(): readonly Change[];
  /** Resolves with what `look` gives as soon as it gives something; `look` is asked after each change. */
  until<T>(
    what: string,
    look: (changes: readonly Change[]) => T | undefined,
    deadlineMs?: number,
  ): Promise<T>;
  /** Resolves when nothing has changed for a while. */
  untilQuietFor(quietMs: number): Promise<void>;
  close(): Promise<void>;
}

const DEADLINE_MS = 40_000;
const COLLECTIONS = [
  { kind: 'Job', path: (namespace: string) => `/apis/batch/v1/namespaces/${namespace}/jobs` },
  { kind: 'Pod', path: (namespace: string) => `/api/v1/namespaces/${namespace}/pods` },
  {
    kind: 'BatchTest',
    path: (namespace: string) => `/apis/${API_VERSION}/namespaces/${namespace}/${PLURAL}`,
  },
] as const;

/**
 * Begins to record a namespace. Resolves when nothing that happens from now on is missed.
 * @param onChange told of each change as soon as it is seen
 * @param keeps which changes are kept; all of a long run would take much memory
 */
export async function recordNamespace(
  credentials: ClusterCredentials,
  namespace: string,
  onChange: (change: Change) => void = () => undefined,
  keeps: (change: Change) => boolean = () => true,
): Promise<WatchRecorder> {
  const recorded: Change[] = [];
  const listeners = new Set<() => void>();
  let failure: Error | undefined;

  const announce = () => {
    for (const listener of [...listeners]) listener();
  };
  const ends = await Promise.all(
    COLLECTIONS.map(({ kind, path }) =>
      followCollection<ObjectWithMeta>(credentials, path(namespace), {
        onChange(type, object) {
          const change = changeOf(kind, type, object);
          if (keeps(change)) recorded.push(change);
          onChange(change);
        },
        onRead: announce,
        onFailure(error) {
          failure = new Error(`the recorder of ${namespace} failed`, { cause: error });
          announce();
        },
      }),
    ),
  );

  const changes = () => {
    if (failure !== undefined) throw failure;
    return [...recorded].sort((a, b) => a.revision - b.revision);
  };

  return {
    changes,
    until(what, look, deadlineMs = DEADLINE_MS) {
      return new Promise((resolve, reject) => {
        const end = (settle: () => void) => {
          clearTimeout(timer);
          listeners.delete(check);
          settle();
        };
        const check = () => {
          try {
            const found = look(changes());
            if (found !== undefined) end(() => resolve(found));
          } catch (error) {
            end(() => reject(error));
          }
        };
        const timer = setTimeout(
          () =>
            end(() =>
              reject(new Error(`${what}: not within ${deadlineMs} ms; seen: ${summaryOf(recorded)}`)),
            ),
          deadlineMs,
        );
        listeners.add(check);
        check();
      });
    },
    untilQuietFor(quietMs) {
      return new Promise((resolve, reject) => {
        const timer = setTimeout(() => end(resolve), quietMs);
        const giveUp = setTimeout(
          () =>
            end(() => reject(new Error(`no ${quietMs} ms without a change; seen: ${summaryOf(recorded)}`))),
          DEADLINE_MS,
        );
        const onChange = () => timer.refresh();
        const end = (settle: () => void) => {
          clearTimeout(timer);
          clearTimeout(giveUp);
          listeners.delete(onChange);
          settle();
        };
        listeners.add(onChange);
      });
    },
    async close() {
      await Promise.all(ends.map((end) => end()));
    },
  };
}

/** The run that a change belongs to, by its UID. */
export const runOf = ({ kind, object }: Change): string | undefined =>
  kind === 'BatchTest' ? object.metadata.uid : object.metadata.labels?.[LABEL_RUN_UID];

/** True for a change of what carries an attempt: a Job, or a pod that no Job made. */
export const isOfCarrier = ({ kind, object }: Change): boolean =>
  kind === 'Job' || (kind === 'Pod' && object.metadata.ownerReferences?.[0]?.kind !== 'Job');

/** What carries the attempt of a pod: its Job, or itself. */
export function carrierOfPod({ name, uid, ownerReferences }: ObjectMeta): Pick<ObjectMeta, 'name' | 'uid'> {
  const owner = ownerReferences?.[0];
  return owner?.kind === 'Job' ? owner : { name, uid };
}

/** How many times each Job of a run, or each pod that carries an attempt itself, was created, by its name. */
export function carrierCreations(changes: readonly Change[], runUid: string): ReadonlyMap<string, number> {
  const creations = new Map<string, number>();
  for (const change of changes)
    if (isOfCarrier(change) && change.type === 'ADDED' && runOf(change) === runUid) {
      const { name } = change.object.metadata;
      creations.set(name, (creations.get(name) ?? 0) + 1);
    }
  return creations;
}

/** Names of a run's Jobs, pods, or what carries its attempts, that were there after the last of the changes. */
export function present(
  changes: readonly Change[],
  runUid: string,
  kind: 'Job' | 'Pod' | 'Carrier',
): readonly string[] {
  const names = new Set<string>();
  for (const change of changes) {
    const isOfKind = kind === 'Carrier' ? isOfCarrier(change) : change.kind === kind;
    if (!isOfKind || runOf(change) !== runUid) continue;
    if (change.type === 'DELETED') names.delete(change.object.metadata.name);
    else names.add(change.object.metadata.name);
  }
  return [...names];
}

/**
 * How many trials of a run were live after each change: from the creation of the Job, or of a pod without one, until the pod has ended, or all is gone. A Job
 * that has no pod yet is live, and so is a pod whose Job was deleted while it runs on.
 */
export function liveTrials(changes: readonly Change[], runUid: string): readonly LiveTrials[] {
  const jobs = new Set<string>();
  const livePods = new Map<string, Set<string>>();
  const begun = new Set<string>();
  const over: LiveTrials[] = [];
  for (const change of changes) {
    if (runOf(change) !== runUid || change.kind === 'BatchTest') continue;
    const { name } = change.object.metadata;
    if (change.kind === 'Job') {
      if (change.type === 'DELETED') jobs.delete(name);
      else jobs.add(name);
    } else {
      const { name: job } = carrierOfPod(change.object.metadata);
      const pods = livePods.get(job) ?? new Set();
      livePods.set(job, pods);
      begun.add(job);
      if (change.type === 'DELETED' || hasEnded(change.object)) pods.delete(name);
      else pods.add(name);
    }
    const waiting = [...jobs].filter((job) => !begun.has(job)).length;
    const running = [...livePods.values()].filter((pods) => pods.size > 0).length;
    over.push({ change, live: waiting + running });
  }
  return over;
}

/** Names of a run's pods that were seen ended. */
export const endedPods = (changes: readonly Change[], runUid: string): ReadonlySet<string> =>
  new Set(
    changes.flatMap((change) =>
      change.kind === 'Pod' && runOf(change) === runUid && hasEnded(change.object)
        ? [change.object.metadata.name]
        : [],
    ),
  );

/** The most trials of a run that were live at one instant. */
export const mostLive = (changes: readonly Change[], runUid: string): number =>
  Math.max(0, ...liveTrials(changes, runUid).map(({ live }) => live));

/**
 * The creations of Jobs, or pods without one, that brought a run above its `spec.parallelism`, in words. An edit counts from the moment at which a status says
 * that it was observed; before that, either value is allowed.
 */
export function creationsAboveParallelism(changes: readonly Change[], runUid: string): readonly string[] {
  const live = new Map(liveTrials(changes, runUid).map((entry) => [entry.change, entry.live]));
  const wanted = new Map<number, number>();
  let observedGeneration = 0;
  const found: string[] = [];
  for (const change of changes) {
    if (runOf(change) !== runUid) continue;
    if (change.kind === 'BatchTest') {
      wanted.set(change.object.metadata.generation, change.object.spec.parallelism);
      observedGeneration = change.object.status?.observedGeneration ?? observedGeneration;
    }
    if (!isOfCarrier(change) || change.type !== 'ADDED') continue;
    const allowed = Math.max(
      ...[...wanted]
        .filter(([generation]) => generation >= observedGeneration)
        .map(([, parallelism]) => parallelism),
    );
    const now = live.get(change) ?? 0;
    if (now > allowed)
      found.push(
        `revision ${change.revision}: ${change.object.metadata.name} was the ${now}th of ${allowed}`,
      );
  }
  return found;
}

/** A kubelet says that a pod's containers have ended before it says so of the pod, whose sandbox it takes down first. */
const hasEnded = ({ spec, status }: PodObject): boolean => {
  const ended = (status?.containerStatuses ?? []).filter(({ state }) => state?.terminated !== undefined);
  const areAllEnded = ended.length > 0 && ended.length === spec?.containers?.length;
  return areAllEnded || ['Succeeded', 'Failed'].includes(status?.phase ?? '');
};

/** The condition of a type in a BatchTest's status. */
export const conditionOf = (object: BatchTestObject | undefined, type: string): ConditionObject | undefined =>
  object?.status?.conditions?.find((condition) => condition.type === type);

/** The BatchTest as it was after the last of the changes; undefined when it was not there. */
export function lastOf(changes: readonly Change[], runUid: string): BatchTestObject | undefined {
  const last = changes.findLast((change) => change.kind === 'BatchTest' && runOf(change) === runUid);
  return last?.kind === 'BatchTest' && last.type !== 'DELETED' ? last.object : undefined;
}

interface ObjectWithMeta {
  readonly metadata: ObjectMeta;
}

function changeOf(kind: Change['kind'], type: Change['type'], object: ObjectWithMeta): Change {
  const seen = { type, revision: Number(object.metadata.resourceVersion), at: performance.now() };
  // The collection that was asked for says what its objects are.
  return { kind, object, ...seen } as Change;
}

/** What was seen, for an error message. */
function summaryOf(changes: readonly Change[]): string {
  const counts = new Map<string, number>();
  for (const { kind, type } of changes)
    counts.set(`${kind} ${type}`, (counts.get(`${kind} ${type}`) ?? 0) + 1);
  const lastStatus = changes.findLast(({ kind }) => kind === 'BatchTest')?.object;
  const counted = [...counts].map(([what, count]) => `${count} ${what}`).join(', ');
  return `${counted === '' ? 'nothing' : counted}; last BatchTest: ${JSON.stringify(lastStatus && 'status' in lastStatus ? lastStatus.status : lastStatus)}`;
}
