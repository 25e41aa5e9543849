import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type AuditEvent, type AuditPolicy, readAuditLog, writeAuditPolicy } from './audit-log.ts';
import { type ClusterClient, createClusterClient } from './cluster-client.ts';
import {
  type ClientLimit,
  CONTROL_PLANE_FILES,
  type ControlPlaneLayout,
  type ControlPlanePorts,
  componentLaunch,
} from './component-launch.ts';
import {
  CONTROL_PLANE_PROGRAMS,
  type ControlPlaneProgram,
  resolveControlPlaneBinaries,
} from './control-plane-binaries.ts';
import { type ControlPlaneComponent, createComponent } from './control-plane-component.ts';
import { STATIC_USERS, writeSecrets } from './control-plane-secrets.ts';
import { createNodes, NODE_NAMES, waitForNodes } from './fake-nodes.ts';
import { BUILD_OPTIONS } from './go-programs.ts';
import { type ClusterCredentials, kubeconfigText } from './kubeconfig.ts';
import { freeLoopbackPorts } from './loopback-port.ts';
import { isRunning } from './supervised-process.ts';

/**
 * A real Kubernetes control plane on loopback, for tests: etcd, API server (RBAC on), controller manager and scheduler,
 * with KWOK in the place of nodes and kubelets. Jobs make pods, pods are scheduled, "run" and end as their annotations
 * say (kwok-configuration.yaml), owners' deletion is followed by the garbage collector. No container image runs.
 */
export interface ControlPlane extends ClusterClient, ClusterCredentials {
  /** Of an administrator (group system:masters). */
  readonly kubeconfigPath: string;
  readonly kubeconfig: string;
  /** Of the one node that may be a real one: `real-node/`. */
  readonly kubeletToken: string;
  /** Of etcd itself, which asks nobody who they are. */
  readonly etcdUrl: string;
  /** Process ids of the components that run now. */
  readonly pids: readonly number[];
  /** Throws for a component that this control plane was started without. */
  component(name: ControlPlaneProgram): ControlPlaneComponent;
  /** What the API server has logged so far; empty without an audit policy. */
  auditLog(): Promise<readonly AuditEvent[]>;
  /** Ends every process and removes all data. A second call waits for the first. */
  stop(): Promise<void>;
}

export interface ControlPlaneOptions {
  /** Components to leave out, for tests that need only an API server; none by default. */
  readonly without?: readonly Exclude<ControlPlaneProgram, 'etcd' | 'kube-apiserver'>[];
  /**
   * What the controller manager and the scheduler limit their own requests to: Kubernetes' defaults (20 a second and bursts of 30, at which the Job controller
   * starts about 5 Jobs a second; 50 and 100), or the raised 500 and 1,000 of a tuned cluster, which is the default here.
   */
  readonly clientLimits?: keyof typeof CLIENT_LIMITS;
  /** The range of Services' addresses, 10.0.0.0/24 by default; its first address is the API server's own Service. */
  readonly servicesRange?: string;
  /** Audit policy (audit.k8s.io/v1) by which the API server keeps a log of requests; by default it keeps none. */
  readonly auditPolicy?: AuditPolicy;
  /** Where KUBEBUILDER_ASSETS, XDG_CACHE_HOME and Go's settings are looked up; this process' own by default. */
  readonly environment?: NodeJS.ProcessEnv;
  /** Told what is being built, should the programs have to be built first; standard error by default. */
  readonly report?: (line: string) => void;
}

const RAISED: ClientLimit = { qps: 500, burst: 1_000 };
const CLIENT_LIMITS = {
  raised: { controllerManager: RAISED, scheduler: RAISED },
  stock: { controllerManager: { qps: 20, burst: 30 }, scheduler: { qps: 50, burst: 100 } },
} as const satisfies Readonly<Record<string, ControlPlaneLayout['clientLimits']>>;

const DIRECTORY_PREFIX = 'batchtest-control-plane-';

/**
 * Starts a control plane and resolves when it schedules pods, in a few seconds (minutes the very first time, when its
 * programs are built). Throws, with the end of its log, when a component does not start; nothing is left running then.
 * It ends with `stop`, and by itself when this process dies.
 */
export async function startControlPlane(options: ControlPlaneOptions = {}): Promise<ControlPlane> {
  const report = options.report ?? BUILD_OPTIONS.report;
  const binaries = await resolveControlPlaneBinaries({
    environment: options.environment ?? BUILD_OPTIONS.environment,
    report,
  });
  await removeAbandonedDirectories();
  const directory = await mkdtemp(join(tmpdir(), `${DIRECTORY_PREFIX}${process.pid}-`));
  const layout: ControlPlaneLayout = {
    directory,
    ports: await choosePorts(),
    clientLimits: CLIENT_LIMITS[options.clientLimits ?? 'raised'],
    servicesRange: options.servicesRange ?? '10.0.0.0/24',
    isAudited: options.auditPolicy !== undefined,
  };
  if (options.auditPolicy !== undefined) await writeAuditPolicy(directory, options.auditPolicy);
  const leftOut: readonly ControlPlaneProgram[] = options.without ?? [];
  const selected = CONTROL_PLANE_PROGRAMS.filter((name) => !leftOut.includes(name));
  const components = selected.map((name) =>
    createComponent(name, binaries[name], componentLaunch(name, layout), directory),
  );
  try {
    return await startComponents(components, layout);
  } catch (error) {
    await stopComponents(components, directory);
    throw error;
  }
}

async function startComponents(
  components: readonly ControlPlaneComponent[],
  layout: ControlPlaneLayout,
): Promise<ControlPlane> {
  const { directory } = layout;
  const find = (name: ControlPlaneProgram) => components.find((component) => component.name === name);
  const tokens = await writeSecrets(directory);
  await find('etcd')?.start();
  await find('kube-apiserver')?.start();

  const url = `https://127.0.0.1:${layout.ports.apiServer}`;
  const certificateAuthority = await readFile(
    join(directory, CONTROL_PLANE_FILES.apiServerCertificate),
    'utf8',
  );
  for (const { user } of STATIC_USERS) {
    const text = kubeconfigText({ url, certificateAuthority, token: tokens[user] }, user);
    await writeFile(join(directory, `${user}.kubeconfig`), text, { mode: 0o600 });
  }
  const kubeconfigPath = join(directory, 'admin.kubeconfig');
  const credentials = { url, certificateAuthority, token: tokens.admin };
  const client = createClusterClient(credentials);

  const others = components.filter(({ name }) => name !== 'etcd' && name !== 'kube-apiserver');
  // All of them are waited for, also when one fails: one that is just starting could not be stopped.
  const starts = await Promise.allSettled([
    ...others.map((component) => component.start()),
    ...(find('kwok') === undefined ? [] : [createNodes(client)]),
  ]);
  for (const start of starts) if (start.status === 'rejected') throw start.reason;
  if (find('kwok') !== undefined && find('kube-controller-manager') !== undefined)
    await waitForNodes(client, NODE_NAMES);

  let stopping: Promise<void> | undefined;
  return {
    ...client,
    ...credentials,
    kubeconfigPath,
    kubeletToken: tokens.kubelet,
    kubeconfig: await readFile(kubeconfigPath, 'utf8'),
    etcdUrl: `http://127.0.0.1:${layout.ports.etcdClient}`,
    get pids() {
      return components.map(({ pid }) => pid).filter((pid) => pid !== undefined);
    },
    component(name) {
      const component = find(name);
      if (component === undefined) throw new Error(`this control plane was started without ${name}`);
      return component;
    },
    auditLog: () => readAuditLog(directory),
    stop() {
      stopping ??= client.close().then(() => stopComponents(components, directory));
      return stopping;
    },
  };
}

/** In the reverse order, so that none spends its last seconds on retries against one that has gone. */
async function stopComponents(
  components: readonly ControlPlaneComponent[],
  directory: string,
): Promise<void> {
  const clients = components.filter(({ name }) => name !== 'etcd' && name !== 'kube-apiserver');
  await Promise.all(clients.map((component) => component.stop()));
  for (const name of ['kube-apiserver', 'etcd'] as const) {
    await components.find((component) => component.name === name)?.stop();
  }
  await rm(directory, { recursive: true, force: true });
}

async function choosePorts(): Promise<ControlPlanePorts> {
  const ports = await freeLoopbackPorts(6);
  const [etcdClient = 0, etcdPeer = 0, apiServer = 0, controllerManager = 0, scheduler = 0, kwok = 0] = ports;
  return { etcdClient, etcdPeer, apiServer, controllerManager, scheduler, kwok };
}

/** Removes the data of control planes whose process was killed and could not do so itself. */
async function removeAbandonedDirectories(): Promise<void> {
  for (const entry of await readdir(tmpdir())) {
    if (!entry.startsWith(DIRECTORY_PREFIX)) continue;
    const owner = Number.parseInt(entry.slice(DIRECTORY_PREFIX.length), 10);
    if (isRunning(owner)) continue;
    // Another user's directory cannot be removed, and is not this run's business.
    await rm(join(tmpdir(), entry), { recursive: true, force: true }).catch(() => undefined);
  }
}
