import { mean } from 'simple-statistics';
import { PLURAL } from '../../../src/api/v1alpha1/constants.ts';
import type { AuditEvent, AuditPolicy } from '../../tools/audit-log.ts';

/** Who writes: the contender with whoever asked for the work, and the parts of the control plane. */
export const ACTORS = ['contender', 'controllerManager', 'scheduler', 'kwok'] as const;
export type Actor = (typeof ACTORS)[number];

/** Every write to what trials are made of, and to nothing else, is logged. */
export const WRITES_POLICY: AuditPolicy = {
  rules: [
    {
      level: 'Metadata',
      verbs: ['create', 'update', 'patch', 'delete', 'deletecollection'],
      resources: [
        { group: '', resources: ['pods', 'pods/*', 'events'] },
        { group: 'batch', resources: ['jobs', 'jobs/*'] },
        { group: 'batchtest.dev', resources: ['batchtests', 'batchtests/*'] },
        { group: 'argoproj.io', resources: ['*'] },
        { group: 'kueue.x-k8s.io', resources: ['*'] },
        { group: 'events.k8s.io', resources: ['events'] },
      ],
    },
    { level: 'None' },
  ],
};

/** Writes of a namespace by who made them; refused ones count, as the server had to answer them too. */
export function writesByActor(
  events: readonly AuditEvent[],
  namespace: string,
): Readonly<Record<Actor, number>> {
  const writes = { contender: 0, controllerManager: 0, scheduler: 0, kwok: 0 };
  for (const { objectRef, user } of events)
    if (objectRef !== undefined && isOf(namespace, objectRef)) writes[actorOf(user.username)] += 1;
  return writes;
}

/** What was written of BatchTests, by the operator and by who asked for them. */
export interface BatchTestWrites {
  /** Of Jobs and pods, all together. */
  readonly ofTrials: number;
  /** Of each status, a second, from the first to the last time; 0 when it was written once. */
  readonly statusPerSecond: number;
  /** Whatever else, for each BatchTest: its creation, its finalizer, its events. */
  readonly further: number;
}

/** Undefined when the namespace has no BatchTest. */
export function batchTestWrites(
  events: readonly AuditEvent[],
  namespace: string,
): BatchTestWrites | undefined {
  const own = events.flatMap(({ objectRef, user, requestReceivedTimestamp }) =>
    objectRef !== undefined && isOf(namespace, objectRef) && actorOf(user.username) === 'contender'
      ? [{ ...objectRef, at: Date.parse(requestReceivedTimestamp) }]
      : [],
  );
  const ofTrials = own.filter(({ resource }) => resource === 'jobs' || resource === 'pods').length;
  const ofStatus = own.filter(({ resource, subresource }) => resource === PLURAL && subresource === 'status');
  const names = [...new Set(ofStatus.map(({ name }) => name))];
  if (names.length === 0) return undefined;
  const timesOf = (whose: string | undefined) =>
    ofStatus.filter(({ name }) => name === whose).map(({ at }) => at);
  return {
    ofTrials,
    statusPerSecond: mean(names.map((name) => rateBetween(timesOf(name)))),
    further: (own.length - ofTrials - ofStatus.length) / names.length,
  };
}

function rateBetween(times: readonly number[]): number {
  const seconds = (Math.max(...times) - Math.min(...times)) / 1_000;
  return seconds === 0 ? 0 : (times.length - 1) / seconds;
}

/** An object without a namespace is of the one that it is named after. */
const isOf = (namespace: string, { namespace: own, name }: NonNullable<AuditEvent['objectRef']>): boolean =>
  own === undefined ? name?.startsWith(namespace) === true : own === namespace;

function actorOf(userName: string): Actor {
  if (userName === 'admin' || userName.startsWith('system:serviceaccount:')) return 'contender';
  if (userName === 'system:kube-controller-manager') return 'controllerManager';
  if (userName === 'system:kube-scheduler') return 'scheduler';
  if (userName === 'kwok') return 'kwok';
  throw new Error(`the audit log has writes of "${userName}", whom the benchmark does not know`);
}
