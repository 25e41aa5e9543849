import { readFileSync } from 'node:fs';
import { type PostgresServer, query } from '../../integration/postgres-server.ts';
import type { ClusterClient } from '../../tools/cluster-client.ts';
import { measuredVersion } from '../measured-version.ts';

/** What was measured, and with what. */
export async function versionsOf(
  cluster: ClusterClient,
  postgres: PostgresServer,
): Promise<Readonly<Record<string, string>>> {
  const { gitVersion } = await cluster.request<{ readonly gitVersion: string }>('GET', '/version');
  const [row] = await query<{ readonly version: string }>(
    await postgres.createDatabase(),
    `select current_setting('server_version') as version`,
  );
  return {
    BatchTest: measuredVersion(),
    'Node.js': process.version,
    Kubernetes: gitVersion,
    etcd: pinned('kubernetes', 'go.etcd.io/etcd/server/v3'),
    KWOK: pinned('kwok', 'sigs.k8s.io/kwok'),
    'Argo Workflows': pinned('argo', 'github.com/argoproj/argo-workflows/v4'),
    Kueue: pinned('kueue', 'sigs.k8s.io/kueue'),
    Postgres: row?.version ?? '',
  };
}

/** The version at which a module of test/tools is built. */
function pinned(folder: string, module: string): string {
  const file = new URL(`../../tools/${folder}/go.mod`, import.meta.url);
  const line = readFileSync(file, 'utf8')
    .split('\n')
    .find((text) =>
      text
        .replace(/^require /, '')
        .trim()
        .startsWith(`${module} v`),
    );
  const version = line?.split(`${module} `)[1]?.split(' ')[0];
  if (version === undefined) throw new Error(`${file.pathname} requires no ${module}`);
  return version;
}
