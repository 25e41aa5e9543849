import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { inject } from 'vitest';
import { type FaultyProxy, openFaultyProxy, serverCertificate } from '../integration/faulty-proxy.ts';
import type { OperatorWorld, TestHooks } from '../integration/operator-world.ts';
import type { OperatorLaunch, RunningOperator } from '../integration/running-operator.ts';
import { apiWriteName, isLeaseWrite } from './api-write.ts';
import { openStoreProxy, type StoreProxy } from './store-proxy.ts';

/** What is between one operator and the rest of a world: a proxy before the API server, and one before Postgres. */
export interface FaultyWay {
  readonly api: FaultyProxy;
  readonly store: StoreProxy;
  /** Of the operator; its server is the proxy. */
  readonly kubeconfigPath: string;
  /** Names of the operator's writes to the API server so far, renewals of its Lease left out. */
  apiWrites(): readonly string[];
  /** Starts an operator that has no other way. */
  startOperator(launch?: Partial<OperatorLaunch>): Promise<RunningOperator>;
}

let ways = 0;

/**
 * Opens a way that breaks nothing yet. It goes with the test.
 * @param rights whose the operator's are: an operator's, or an administrator's, which do not go with the namespace
 */
export async function aFaultyWay(
  world: OperatorWorld,
  test: Pick<TestHooks, 'onTestFinished'>,
  rights: 'Operator' | 'Administrator' = 'Operator',
): Promise<FaultyWay> {
  ways += 1;
  const upstream = inject('controlPlane');
  const { host, port, user, database } = world.connection;
  const [api, store] = await Promise.all([
    serverCertificate(upstream.kubeconfigPath).then((tls) => openFaultyProxy(upstream, tls)),
    openStoreProxy({ path: join(host, `.s.PGSQL.${port}`) }),
  ]);
  test.onTestFinished(async () => {
    await Promise.all([api.close(), store.close()]);
  });
  const kubeconfigPath = join(world.directory, `way-${ways}.kubeconfig`);
  const direct = await readFile(
    rights === 'Operator' ? world.operatorKubeconfig : upstream.kubeconfigPath,
    'utf8',
  );
  await writeFile(kubeconfigPath, direct.replace(upstream.url, api.access.server), { mode: 0o600 });
  return {
    api,
    store,
    kubeconfigPath,
    apiWrites: () =>
      api.requests
        .map(({ method, url }) => apiWriteName(method, url))
        .filter((name): name is string => name !== undefined && !isLeaseWrite(name)),
    startOperator: (launch = {}) =>
      world.startOperator({
        kubeconfigPath,
        databaseUrl: `postgres://${user}@127.0.0.1:${store.port}/${database}`,
        ...launch,
      }),
  };
}
