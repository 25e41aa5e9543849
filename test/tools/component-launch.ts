import { join } from 'node:path';
import type { ControlPlaneProgram } from './control-plane-binaries.ts';

/** TCP ports on 127.0.0.1. */
export interface ControlPlanePorts {
  readonly etcdClient: number;
  readonly etcdPeer: number;
  readonly apiServer: number;
  readonly controllerManager: number;
  readonly scheduler: number;
  readonly kwok: number;
}

/** What the components of one control plane need to know to find each other. */
export interface ControlPlaneLayout {
  /** Holds data, keys, kubeconfig files and logs. */
  readonly directory: string;
  readonly ports: ControlPlanePorts;
  /** On their own requests. */
  readonly clientLimits: Readonly<Record<'controllerManager' | 'scheduler', ClientLimit>>;
  /** Of Services; the first address in it is the API server's own Service. */
  readonly servicesRange: string;
  /** The API server keeps an audit log. */
  readonly isAudited: boolean;
}

/** Requests a second, and how many at once after a pause. */
export interface ClientLimit {
  readonly qps: number;
  readonly burst: number;
}

/** The command line, and the address that answers 200 once the component works. */
export interface ComponentLaunch {
  readonly args: readonly string[];
  readonly readinessUrl: string;
}

/** Files in the layout's directory that are written before, or by, the components. */
export const CONTROL_PLANE_FILES = {
  serviceAccountKey: 'service-account.key',
  serviceAccountPublicKey: 'service-account.pub',
  tokens: 'tokens.csv',
  /** Written by the API server at its first start: its certificate and the authority that signed it. */
  apiServerCertificate: 'certificates/apiserver.crt',
  auditPolicy: 'audit-policy.json',
  /** One audit event a line. */
  auditLog: 'audit.log',
} as const;

/** How each component is started. */
export function componentLaunch(program: ControlPlaneProgram, layout: ControlPlaneLayout): ComponentLaunch {
  const { ports } = layout;
  const file = (name: keyof typeof CONTROL_PLANE_FILES) => join(layout.directory, CONTROL_PLANE_FILES[name]);
  const kubeconfig = join(layout.directory, `${program}.kubeconfig`);
  const certificates = join(layout.directory, 'certificates');
  const etcdUrl = `http://127.0.0.1:${ports.etcdClient}`;
  const etcdPeerUrl = `http://127.0.0.1:${ports.etcdPeer}`;

  switch (program) {
    case 'etcd':
      return {
        args: [
          `--data-dir=${join(layout.directory, 'etcd')}`,
          `--listen-client-urls=${etcdUrl}`,
          `--advertise-client-urls=${etcdUrl}`,
          `--listen-peer-urls=${etcdPeerUrl}`,
          `--initial-advertise-peer-urls=${etcdPeerUrl}`,
          `--initial-cluster=default=${etcdPeerUrl}`,
          // The data lives as long as the test run; a crash of the machine need not be survived.
          '--unsafe-no-fsync',
        ],
        readinessUrl: `${etcdUrl}/health`,
      };
    case 'kube-apiserver':
      return {
        args: [
          `--etcd-servers=${etcdUrl}`,
          '--bind-address=127.0.0.1',
          '--advertise-address=127.0.0.1',
          `--secure-port=${ports.apiServer}`,
          `--cert-dir=${certificates}`,
          `--token-auth-file=${file('tokens')}`,
          '--authorization-mode=Node,RBAC',
          // As stricter clusters have it: whoever makes an object whose owner waits for it needs a right to the owner.
          '--enable-admission-plugins=OwnerReferencesPermissionEnforcement',
          `--service-cluster-ip-range=${layout.servicesRange}`,
          '--service-account-issuer=https://kubernetes.default.svc',
          `--service-account-key-file=${file('serviceAccountPublicKey')}`,
          `--service-account-signing-key-file=${file('serviceAccountKey')}`,
          '--allow-privileged=true',
          // The "kubernetes" Service would get a loopback address as its endpoint, which validation refuses.
          '--endpoint-reconciler-type=none',
          ...(layout.isAudited
            ? [
                `--audit-policy-file=${file('auditPolicy')}`,
                `--audit-log-path=${file('auditLog')}`,
                // Megabytes: one file for all of 10,000 trials, as only that is read.
                '--audit-log-maxsize=4096',
              ]
            : []),
        ],
        readinessUrl: `https://127.0.0.1:${ports.apiServer}/readyz`,
      };
    case 'kube-controller-manager':
      return {
        args: [
          ...kubernetesClientFlags(kubeconfig, certificates, ports.controllerManager),
          `--service-account-private-key-file=${file('serviceAccountKey')}`,
          `--root-ca-file=${file('apiServerCertificate')}`,
          ...clientLimitFlags(layout.clientLimits.controllerManager),
        ],
        readinessUrl: `https://127.0.0.1:${ports.controllerManager}/healthz`,
      };
    case 'kube-scheduler':
      return {
        args: [
          ...kubernetesClientFlags(kubeconfig, certificates, ports.scheduler),
          ...clientLimitFlags(layout.clientLimits.scheduler),
        ],
        readinessUrl: `https://127.0.0.1:${ports.scheduler}/readyz`,
      };
    case 'kwok':
      return {
        args: [
          `--kubeconfig=${kubeconfig}`,
          `--config=${join(import.meta.dirname, 'kwok-configuration.yaml')}`,
          '--manage-all-nodes=true',
          '--node-lease-duration-seconds=40',
          `--server-address=127.0.0.1:${ports.kwok}`,
        ],
        readinessUrl: `http://127.0.0.1:${ports.kwok}/healthz`,
      };
  }
}

const clientLimitFlags = ({ qps, burst }: ClientLimit): readonly string[] => [
  `--kube-api-qps=${qps}`,
  `--kube-api-burst=${burst}`,
];

function kubernetesClientFlags(kubeconfig: string, certificates: string, port: number): readonly string[] {
  return [
    `--kubeconfig=${kubeconfig}`,
    `--authentication-kubeconfig=${kubeconfig}`,
    `--authorization-kubeconfig=${kubeconfig}`,
    '--bind-address=127.0.0.1',
    `--secure-port=${port}`,
    `--cert-dir=${certificates}`,
    // There is one of each, so an election would only delay the start.
    '--leader-elect=false',
  ];
}
