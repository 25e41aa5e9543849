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
