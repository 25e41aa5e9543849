import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { parse } from 'yaml';
import type { ClusterCredentials } from '../tools/kubeconfig.ts';
import { resolveKubectl } from '../tools/kubectl-binary.ts';

interface Kubeconfig {
  readonly clusters: readonly [{ readonly cluster: Readonly<Record<string, string>> }];
}

const ACCOUNT = 'batchtest-e2e';

/** Makes a service account that may do everything in the cluster of a kubeconfig, however that proves who one is; gives its token. */
export async function administratorOf(kubeconfigPath: string): Promise<ClusterCredentials> {
  const kubectl = await resolveKubectl();
  const run = async (...args: readonly string[]) =>
    (await promisify(execFile)(kubectl, ['--kubeconfig', kubeconfigPath, ...args])).stdout;
  const create = async (...args: readonly string[]) => {
    if ((await run('get', ...args.slice(0, 2), '-n', 'kube-system', '--ignore-not-found')) === '')
      await run('create', ...args, '-n', 'kube-system');
  };
  await create('serviceaccount', ACCOUNT);
  const grant = ['--clusterrole=cluster-admin', `--serviceaccount=kube-system:${ACCOUNT}`];
  await create('clusterrolebinding', ACCOUNT, ...grant);
  const token = await run('create', 'token', ACCOUNT, '-n', 'kube-system', '--duration=4h');
  const { clusters }: Kubeconfig = parse(await run('config', 'view', '--minify', '--flatten', '--raw'));
  const { server, 'certificate-authority-data': authority } = clusters[0].cluster;
  if (server === undefined || authority === undefined)
    throw new Error(`${kubeconfigPath} names no server with a certificate authority`);
  return {
    url: server,
    certificateAuthority: Buffer.from(authority, 'base64').toString(),
    token: token.trim(),
  };
}
