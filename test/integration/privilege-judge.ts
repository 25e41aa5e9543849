/** Compares what somebody was granted with what they did, by the API server's audit log. */
import type { AuditEvent } from '../tools/audit-log.ts';

/** A rule of rbac.authorization.k8s.io/v1 about resources. */
export interface PolicyRule {
  readonly apiGroups: readonly string[];
  /** `pods`, or with a subresource `pods/log`. */
  readonly resources: readonly string[];
  readonly resourceNames?: readonly string[];
  readonly verbs: readonly string[];
}

/** What one binding gives. */
export interface Grant {
  /** For messages. */
  readonly role: string;
  /** Undefined: in the whole cluster. */
  readonly namespace: string | undefined;
  readonly rules: readonly PolicyRule[];
}

export interface PrivilegeVerdict {
  /** Requests that were answered 403. */
  readonly refused: readonly string[];
  /** Requests that no grant is for: they were allowed by something else, or refused. */
  readonly ungranted: readonly string[];
  /** Verbs that were granted and never needed. */
  readonly unused: readonly string[];
}

/** One thing that somebody may do: what a rule multiplies out to. */
interface Privilege {
  readonly role: string;
  readonly namespace: string | undefined;
  readonly apiGroup: string;
  readonly resource: string;
  readonly names: readonly string[] | undefined;
  readonly verb: string;
}

/** One thing that the API server asked its authorizer. */
interface Need {
  readonly namespace: string | undefined;
  readonly apiGroup: string;
  readonly resource: string;
  readonly name: string | undefined;
  readonly verb: string;
}

/** @param events of the one user to whom all of this was granted, and all of theirs */
export function judgePrivileges(grants: readonly Grant[], events: readonly AuditEvent[]): PrivilegeVerdict {
  const privileges = grants.flatMap(privilegesOf);
  const used = new Set<Privilege>();
  const ungranted = new Set<string>();
  for (const event of events) {
    for (const need of needsOf(event)) {
      const granting = privileges.filter((privilege) => grantsIt(privilege, need));
      for (const privilege of granting) used.add(privilege);
      if (granting.length === 0) ungranted.add(described(need));
    }
    if (event.objectRef === undefined) ungranted.add(`${event.verb} ${event.requestURI}`);
  }
  const refused = events.filter(({ responseStatus }) => responseStatus?.code === 403);
  return {
    refused: unique(
      refused.map((event) => `${event.verb} ${event.requestURI}: ${event.responseStatus?.message ?? ''}`),
    ),
    ungranted: [...ungranted],
    unused: privileges.filter((privilege) => !used.has(privilege)).map(inWords),
  };
}

const privilegesOf = ({ role, namespace, rules }: Grant): readonly Privilege[] =>
  rules.flatMap(({ apiGroups, resources, resourceNames, verbs }) =>
    apiGroups.flatMap((apiGroup) =>
      resources.flatMap((resource) =>
        verbs.map((verb) => ({ role, namespace, apiGroup, resource, names: resourceNames, verb })),
      ),
    ),
  );

/** Nothing is a wildcard here, so that one is never used and always told of. */
function grantsIt({ namespace, apiGroup, resource, names, verb }: Privilege, need: Need): boolean {
  return (
    (namespace === undefined || namespace === need.namespace) &&
    apiGroup === need.apiGroup &&
    resource === need.resource &&
    verb === need.verb &&
    (names === undefined || (need.name !== undefined && names.includes(need.name)))
  );
}

/** What had to be allowed for this request: itself, and what its object says about owners. */
function needsOf({ objectRef, verb, requestObject }: AuditEvent): readonly Need[] {
  if (objectRef === undefined) return [];
  const { apiGroup = '', resource, subresource, namespace, name } = objectRef;
  const isNamed = verb !== 'create' && verb !== 'deletecollection';
  const own = {
    namespace,
    apiGroup,
    resource: subresource === undefined ? resource : `${resource}/${subresource}`,
    // RBAC does not know the name of what is yet to be made, though the log does.
    name: isNamed ? name : undefined,
    verb,
  };
  return [own, ...blockedOwners(requestObject).map((owner) => ({ ...owner, namespace }))];
}

/** Admission (OwnerReferencesPermissionEnforcement) asks for this without a request that could be logged. */
function blockedOwners(object: unknown): readonly Omit<Need, 'namespace'>[] {
  const { metadata } = (object ?? {}) as {
    readonly metadata?: { readonly ownerReferences?: readonly Owner[] };
  };
  return (metadata?.ownerReferences ?? [])
    .filter(({ blockOwnerDeletion }) => blockOwnerDeletion === true)
    .map(({ apiVersion, kind, name }) => ({
      apiGroup: apiVersion.includes('/') ? apiVersion.replace(/\/.*$/, '') : '',
      resource: `${kind.toLowerCase()}s/finalizers`,
      name,
      verb: 'update',
    }));
}

interface Owner {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly blockOwnerDeletion?: boolean;
}

const described = ({ verb, apiGroup, resource, namespace, name }: Need): string =>
  `${verb} ${qualified(apiGroup, resource)}${name === undefined ? '' : ` ${name}`}${namespace === undefined ? ' of all namespaces' : ` in ${namespace}`}`;

const inWords = ({ role, verb, apiGroup, resource }: Privilege): string =>
  `${role}: ${verb} ${qualified(apiGroup, resource)}`;

const qualified = (apiGroup: string, resource: string): string =>
  apiGroup === '' ? resource : `${resource}.${apiGroup}`;

const unique = (lines: readonly string[]): readonly string[] => [...new Set(lines)];
