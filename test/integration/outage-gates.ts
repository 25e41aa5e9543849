import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { inject, onTestFinished } from 'vitest';
import { createTcpGate, type TcpGate } from '../tools/tcp-gate.ts';
import { CANARY } from './canaries.ts';
import type { OperatorWorld } from './operator-world.ts';

/** A way to the world's database that can be shut; shut at first. */
export async function aGateToTheStore(
  world: OperatorWorld,
): Promise<{ readonly gate: TcpGate; readonly url: string }> {
  const { host, port, user, database } = world.connection;
  const gate = await createTcpGate({ path: join(host, `.s.PGSQL.${port}`) });
  onTestFinished(() => gate.shut());
  return { gate, url: `postgres://${user}:${CANARY.databasePassword}@127.0.0.1:${gate.port}/${database}` };
}

/** A way to the API server that can be shut, for the account of the operator; shut at first. */
export async function aGateToTheCluster(
  world: OperatorWorld,
): Promise<{ readonly gate: TcpGate; readonly kubeconfigPath: string }> {
  const { url } = inject('controlPlane');
  const gate = await createTcpGate({ host: '127.0.0.1', port: Number(new URL(url).port) });
  onTestFinished(() => gate.shut());
  const kubeconfig = await world.cluster.kubeconfigForServiceAccount(world.namespace, 'operator');
  const kubeconfigPath = join(world.directory, 'gate.kubeconfig');
  await writeFile(kubeconfigPath, kubeconfig.replace(url, `https://127.0.0.1:${gate.port}`), { mode: 0o600 });
  return { gate, kubeconfigPath };
}
