import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { administratorOf } from './administrator.ts';
import { LOCAL_REGISTRY, writeImages } from './images.ts';
import type { OpenTarget } from './target.ts';

const CLUSTER = 'batchtest-e2e';

/** A kind cluster of its own, which is deleted afterwards. */
export async function openKindTarget(): Promise<OpenTarget> {
  const folder = await mkdtemp(join(tmpdir(), 'batchtest-kind-'));
  const kubeconfigPath = join(folder, 'kubeconfig');
  const close = async () => {
    await run('kind', 'delete', 'cluster', '--name', CLUSTER, '--kubeconfig', kubeconfigPath);
    await rm(folder, { recursive: true });
  };
  try {
    await run('kind', 'create', 'cluster', '--name', CLUSTER, '--kubeconfig', kubeconfigPath, '--wait', '5m');
    const archive = join(folder, 'images.tar');
    await writeImages(archive);
    await run('kind', 'load', 'image-archive', archive, '--name', CLUSTER);
    // kind's containers reach this machine at the gateway of Docker's network.
    const gateways = await run(
      'docker',
      ...['network', 'inspect', 'kind', '-f', '{{range .IPAM.Config}}{{.Gateway}} {{end}}'],
    );
    const machineAddress = gateways.split(/\s+/).find((gateway) => /^[\d.]+$/.test(gateway));
    if (machineAddress === undefined)
      throw new Error(`Docker's network "kind" has no IPv4 gateway: ${gateways}`);
    const administrator = await administratorOf(kubeconfigPath);
    return {
      target: { ...administrator, kubeconfigPath, machineAddress, registry: LOCAL_REGISTRY, runsHere: false },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

const run = async (program: string, ...args: readonly string[]): Promise<string> =>
  (await promisify(execFile)(program, [...args])).stdout;
