import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ClusterClient } from '../../tools/cluster-client.ts';
import { logTail, startSupervised } from '../../tools/supervised-process.ts';

export interface ControllerLaunch {
  readonly name: string;
  readonly command: string;
  readonly args: (kubeconfigPath: string) => readonly string[];
  readonly environment?: NodeJS.ProcessEnv;
  readonly namespace: string;
  readonly directory: string;
  /** A line of its log as soon as it waits for work. */
  readonly readyLine: RegExp;
}

export interface Controller {
  readonly pid: number;
  account(): Promise<string>;
  end(): Promise<void>;
}

const READY_DEADLINE_MS = 300_000;

/** Starts another project's controller out of the cluster, as a service account that may do everything; resolves when it is ready. */
export async function startController(cluster: ClusterClient, launch: ControllerLaunch): Promise<Controller> {
  const { name, namespace, directory } = launch;
  const file = (ending: string) => join(directory, `${namespace}-${name}.${ending}`);
  await writeFile(file('kubeconfig'), await cluster.kubeconfigForServiceAccount(namespace, 'contender'), {
    mode: 0o600,
  });
  await cluster.request('POST', '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings', {
    metadata: { name: `${namespace}-contender` },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'cluster-admin' },
    subjects: [{ kind: 'ServiceAccount', name: 'contender', namespace }],
  });
  const logFile = file('log');
  const started = await startSupervised({
    name,
    command: launch.command,
    args: launch.args(file('kubeconfig')),
    environment: { HOME: directory, PATH: '/usr/bin:/bin', ...launch.environment },
    workingDirectory: directory,
    logFile,
    graceSeconds: 5,
  });
  let hasEnded = false;
  void started.exited.then(() => {
    hasEnded = true;
  });
  const deadline = performance.now() + READY_DEADLINE_MS;
  while (!launch.readyLine.test(await readFile(logFile, 'utf8').catch(() => ''))) {
    if (hasEnded || performance.now() > deadline) {
      await started.kill();
      throw new Error(`${name} did not become ready; ${await logTail(logFile)}`);
    }
    await sleep(50);
  }
  return { pid: started.pid, account: () => logTail(logFile), end: () => started.kill() };
}
