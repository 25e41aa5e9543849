import { CHART, openHelm } from '../integration/helm-chart.ts';
import { type Connection, startPostgresServer } from '../integration/postgres-server.ts';
import { type ClusterClient, createClusterClient } from '../tools/cluster-client.ts';
import { freeLoopbackPorts } from '../tools/loopback-port.ts';
import { createTcpGate } from '../tools/tcp-gate.ts';
import { imagesIn } from './images.ts';
import type { Target } from './target.ts';
import { whatTheClusterSays } from './what-the-cluster-says.ts';

export interface InstalledOperator {
  readonly connection: Connection;
  uninstall(): Promise<void>;
}

/** Of the release. It is a restricted one: the operator's pods must keep to the restricted Pod Security Standard. */
export const OPERATOR_NAMESPACE = 'batchtest-e2e';
/** By which pods reach whoever takes pushed results. */
export const INGEST_SERVICE = `batchtest-ingest.${OPERATOR_NAMESPACE}.svc`;
export const INGEST_PORT = 8082;

/** Installs the chart as docs/install.md says, with two operators and a Postgres of this machine; resolves when both are ready. */
export async function installOperator(target: Target): Promise<InstalledOperator> {
  const [helm, postgres] = await Promise.all([openHelm(), startPostgresServer()]);
  const cluster = createClusterClient(target);
  const connection = await postgres.createDatabase();
  const [port = 0] = await freeLoopbackPorts(1);
  // The server itself listens on a socket only.
  const gate = await createTcpGate(
    { path: `${connection.host}/.s.PGSQL.${connection.port}` },
    { host: target.machineAddress, port },
  );
  const run = (...args: readonly string[]) => helm.run(...args, '--kubeconfig', target.kubeconfigPath);
  const uninstall = async () => {
    await run('uninstall', 'batchtest', '-n', OPERATOR_NAMESPACE, '--wait', '--ignore-not-found');
    await cluster.request('DELETE', `/api/v1/namespaces/${OPERATOR_NAMESPACE}`);
    await cluster.close();
    await gate.shut();
    await Promise.all([postgres.stop(), helm.close()]);
  };
  try {
    await gate.open();
    await createNamespace(cluster);
    await cluster.request('POST', `/api/v1/namespaces/${OPERATOR_NAMESPACE}/secrets`, {
      metadata: { name: 'batchtest-database' },
      stringData: {
        url: `postgres://${connection.user}:unused@${target.machineAddress}:${port}/${connection.database}`,
      },
    });
    const [repository = '', tag = ''] = imagesIn(target.registry).operator.split(/:(?=[^:/]+$)/);
    await run(
      ...['install', 'batchtest', CHART, '-n', OPERATOR_NAMESPACE, '--wait', '--timeout', '180s'],
      ...['--set', 'database.existingSecret.name=batchtest-database'],
      ...['--set-string', `image.repository=${repository},image.tag=${tag}`],
      ...['--set', `resultIngest.enabled=true,resultIngest.port=${INGEST_PORT}`],
      // Two trials of an example want a core each, of a machine that may have two.
      ...['--set', 'operator.resources.requests.cpu=0,operator.logLevel=debug'],
    );
  } catch (error) {
    process.stderr.write(await whatTheClusterSays(target.kubeconfigPath, OPERATOR_NAMESPACE));
    await uninstall();
    throw error;
  }
  return { connection, uninstall };
}

const createNamespace = (cluster: ClusterClient): Promise<unknown> =>
  cluster.request('POST', '/api/v1/namespaces', {
    metadata: {
      name: OPERATOR_NAMESPACE,
      labels: { 'pod-security.kubernetes.io/enforce': 'restricted' },
    },
  });

export interface OperatorPod {
  readonly metadata: { readonly name: string };
  readonly status: {
    readonly podIP?: string;
    readonly containerStatuses?: readonly { readonly containerID?: string }[];
  };
}

/** The operator's pod that leads, and those that stand by. */
export async function operatorPods(
  cluster: ClusterClient,
): Promise<{ readonly leader: OperatorPod; readonly others: readonly OperatorPod[] }> {
  const [leases, { items: pods }] = await Promise.all([
    cluster.request<{ items: readonly { spec: { holderIdentity?: string } }[] }>(
      'GET',
      `/apis/coordination.k8s.io/v1/namespaces/${OPERATOR_NAMESPACE}/leases`,
    ),
    cluster.request<{ items: readonly OperatorPod[] }>(
      'GET',
      `/api/v1/namespaces/${OPERATOR_NAMESPACE}/pods`,
    ),
  ]);
  const identity = leases.items[0]?.spec.holderIdentity;
  const leader = pods.find(({ metadata }) => identity?.includes(metadata.name));
  if (leader === undefined)
    throw new Error(`no pod of the operator is the leader ${identity}: ${JSON.stringify(pods)}`);
  return { leader, others: pods.filter((pod) => pod !== leader) };
}
