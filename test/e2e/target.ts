import type { ClusterCredentials } from '../tools/kubeconfig.ts';
import { openKindTarget } from './kind-target.ts';
import { openKubeconfigTarget } from './kubeconfig-target.ts';
import { openRealNodeTarget } from './real-node-target.ts';

/** A cluster that runs containers, for the end-to-end tests. They may do everything in it. */
export interface Target extends ClusterCredentials {
  /** Of an administrator. */
  readonly kubeconfigPath: string;
  /** Address of this machine as pods reach it: Postgres listens there. */
  readonly machineAddress: string;
  /** What the names of images begin with. */
  readonly registry: string;
  /** Whether programs in its containers are processes of this machine, which these tests may kill. */
  readonly runsHere: boolean;
}

export interface OpenTarget {
  readonly target: Target;
  close(): Promise<void>;
}

const TARGETS = {
  'real-node': openRealNodeTarget,
  kind: openKindTarget,
  kubeconfig: openKubeconfigTarget,
} as const;

const isTarget = (name: string): name is keyof typeof TARGETS => Object.hasOwn(TARGETS, name);

/** The cluster that E2E_CLUSTER names: a real node of this machine by default. */
export function openTarget(): Promise<OpenTarget> {
  const name = process.env.E2E_CLUSTER || 'real-node';
  if (!isTarget(name))
    throw new Error(`E2E_CLUSTER is "${name}"; expected one of: ${Object.keys(TARGETS).join(', ')}`);
  return TARGETS[name]();
}
