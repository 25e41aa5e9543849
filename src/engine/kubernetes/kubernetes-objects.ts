/**
 * The fields of Kubernetes objects that are read here, as the API server's JSON has them: times are RFC 3339 text, and whatever may be
 * missing is optional. The typed models of the client library have Dates in their place and cost a conversion per object.
 */

export interface OwnerReference {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly uid: string;
  readonly controller?: boolean;
}

export interface ObjectMeta {
  readonly name: string;
  readonly namespace?: string;
  readonly uid: string;
  readonly resourceVersion: string;
  readonly creationTimestamp?: string;
  readonly deletionTimestamp?: string;
  readonly deletionGracePeriodSeconds?: number;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly finalizers?: readonly string[];
  readonly ownerReferences?: readonly OwnerReference[];
}

export interface ConditionObject {
  readonly type: string;
  readonly status: string;
  readonly reason?: string;
  readonly message?: string;
  readonly lastTransitionTime?: string;
}

export interface TerminatedState {
  readonly exitCode: number;
  readonly reason?: string;
  readonly message?: string;
  readonly startedAt?: string;
  readonly finishedAt?: string;
}

export interface ContainerStatus {
  readonly name: string;
  readonly state?: {
    readonly waiting?: { readonly reason?: string; readonly message?: string };
    readonly running?: { readonly startedAt?: string };
    readonly terminated?: TerminatedState;
  };
}

export interface PodObject {
  readonly metadata: ObjectMeta;
  readonly spec?: {
    readonly containers?: readonly { readonly name: string }[];
    readonly initContainers?: readonly unknown[];
    readonly ephemeralContainers?: readonly unknown[];
  };
  readonly status?: {
    readonly phase?: string;
    readonly reason?: string;
    readonly message?: string;
    readonly startTime?: string;
    readonly conditions?: readonly ConditionObject[];
    readonly containerStatuses?: readonly ContainerStatus[];
    readonly initContainerStatuses?: readonly ContainerStatus[];
  };
}

export interface JobObject {
  readonly metadata: ObjectMeta;
  readonly spec?: { readonly suspend?: boolean };
  readonly status?: { readonly conditions?: readonly ConditionObject[] };
}

/** The owner that manages the object; undefined when none does. */
export const controllerOf = ({ ownerReferences }: ObjectMeta): OwnerReference | undefined =>
  ownerReferences?.find(({ controller }) => controller === true);

/** The condition of this type, when it holds. */
export const holdingCondition = (
  conditions: readonly ConditionObject[] | undefined,
  type: string,
): ConditionObject | undefined =>
  conditions?.find((condition) => condition.type === type && condition.status === 'True');

/** Milliseconds since the epoch; undefined for a time that is missing, or that a kubelet did not know and gives as the epoch. */
export function timeOf(text: string | undefined): number | undefined {
  const time = text === undefined ? Number.NaN : Date.parse(text);
  return time > 0 ? time : undefined;
}
