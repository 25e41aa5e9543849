import { CHART, openHelm } from '../integration/helm-chart.ts';
import { type Connection, startPostgresServer } from '../integration/postgres-server.ts';
import { type ClusterClient, createClusterClient } from '../tools/cluster-client.ts';
import { freeLoopbackPorts } from '../tools/loopback-port.ts';
import { createTcpGate } from '../tools/tcp-gate.ts';
import { imagesIn } from './images.ts';
import type { Target } from './target.ts';

export interface InstalledOperator {
  readonly connection: Connection;
  uninstall(): Promise<void>;
}

/** Of the release. It is a restricted one: the operator's pods must keep to the restricted Pod Security Standard. */
export const OPERATOR_NAMESPACE = 'batchtest-e2e';

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
      // Two trials of an example want a core each, of a machine that may have two.
      ...['--set', 'operator.resources.requests.cpu=0,operator.logLevel=debug'],
    );
  } catch (error) {
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
