import { mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ControlPlane, startControlPlane } from '../control-plane.ts';
import { waitForNodes } from '../fake-nodes.ts';
import { kubeconfigText } from '../kubeconfig.ts';
import { isRunning, logTail, startSupervised } from '../supervised-process.ts';
import { createTcpGate } from '../tcp-gate.ts';
import { type LocalImage, writeImageArchive } from './image-archive.ts';
import { resolveKubelet } from './kubelet-binary.ts';
import { copyShell } from './local-files.ts';
import { missingForNode } from './machine-check.ts';
import {
  containerdConfiguration,
  kubeletConfiguration,
  NODE_NAME,
  type NodeLayout,
  networkConfiguration,
  SANDBOX_IMAGE,
} from './node-configuration.ts';

/** A control plane with one real node: containers of images that were made of local files, on a network of their own. */
export interface RealNode {
  readonly controlPlane: ControlPlane;
  /** At which pods reach this machine. */
  readonly machineAddress: string;
  /** A folder of this machine that is there in the node as well, for hostPath volumes. */
  readonly volumes: string;
  /** Where containerd and the kubelet log. */
  readonly directory: string;
  /** Ends pods, node and control plane, as a power cut would, and removes their files. */
  stop(): Promise<void>;
}

const DIRECTORY_PREFIX = 'batchtest-real-node-';

/**
 * Starts the node and resolves when pods can run on it. Throws at once, with all that is missing, when this machine cannot host one. It ends with
 * `stop`, and by itself when this process dies.
 * @param images writes their archives, NAME.tar, into the folder; each is loaded and then removed
 */
export async function startRealNode(images: (folder: string) => Promise<unknown>): Promise<RealNode> {
  const missing = missingForNode();
  if (missing.length > 0)
    throw new Error(`this machine cannot host a real node. It lacks: ${missing.join('; ')}`);
  const kubelet = await resolveKubelet();
  await removeAbandonedDirectories();
  const directory = await mkdtemp(join(tmpdir(), `${DIRECTORY_PREFIX}${process.pid}-`));
  const layout = chooseAddresses(directory);
  const opened: (() => Promise<unknown>)[] = [() => rm(directory, { recursive: true, force: true })];
  const stop = async () => {
    for (let close = opened.pop(); close !== undefined; close = opened.pop()) await close();
  };
  try {
    const controlPlane = await startControlPlane({ without: ['kwok'], servicesRange: layout.servicesRange });
    opened.push(() => controlPlane.stop());
    await symlink(kubelet, join(directory, 'kubelet'));
    await writeConfiguration(layout, controlPlane);
    const archives = join(directory, 'images');
    await mkdir(archives);
    await writeSandboxImage(archives, directory);
    await images(archives);

    const logFile = join(directory, 'node.log');
    const node = await startSupervised({
      name: 'real node',
      command: '/bin/sh',
      args: [
        join(import.meta.dirname, 'node.sh'),
        ...[layout.name, directory, layout.machineAddress, layout.nodeAddress, layout.podsRange],
      ],
      environment: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', HOME: directory },
      workingDirectory: directory,
      logFile,
      graceSeconds: 20,
    });
    opened.push(() => node.stop());
    await untilAddressed(layout.machineAddress);
    // What pods and the kubelet know as the API server's Service.
    const { port } = new URL(controlPlane.url);
    const apiServer = await createTcpGate(
      { host: '127.0.0.1', port: Number(port) },
      { host: layout.machineAddress, port: 443 },
    );
    await apiServer.open();
    opened.push(() => apiServer.shut());
    const ended = node.exited.then(async (exitCode) => {
      throw new Error(`the node ended with exit code ${exitCode}; ${await logTail(logFile)}`);
    });
    await Promise.race([waitForNodes(controlPlane, [NODE_NAME]), ended]);
    ended.catch(() => undefined);
    return {
      controlPlane,
      machineAddress: layout.machineAddress,
      volumes: join(directory, 'volumes'),
      directory,
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Addresses of the ranges 10.97, 10.98 and 10.99 that no other node of this machine has: two test runs may go on at once. */
function chooseAddresses(directory: string): NodeLayout {
  const taken = new Set(
    Object.values(networkInterfaces()).flatMap((addresses) => addresses?.map(({ address }) => address) ?? []),
  );
  const numbers = Array.from({ length: 256 }, (_, index) => (process.pid + index) % 256);
  const number = numbers.find((candidate) => !taken.has(`10.97.${candidate}.1`));
  if (number === undefined) throw new Error('all addresses 10.97.*.1 of this machine are taken');
  return {
    name: `bt-node-${number}`,
    directory,
    machineAddress: `10.97.${number}.1`,
    servicesRange: `10.97.${number}.0/24`,
    podsRange: `10.98.${number}.0/24`,
    nodeAddress: `10.99.${number}.1`,
  };
}

async function writeConfiguration(layout: NodeLayout, controlPlane: ControlPlane): Promise<void> {
  const { directory, machineAddress } = layout;
  const { certificateAuthority, kubeletToken } = controlPlane;
  for (const folder of ['cni', 'volumes']) await mkdir(join(directory, folder));
  const credentials = { url: `https://${machineAddress}:443`, certificateAuthority, token: kubeletToken };
  const files = {
    'containerd.toml': containerdConfiguration(layout),
    'cni/pods.conflist': networkConfiguration(layout),
    'kubelet.yaml': kubeletConfiguration(layout),
    'kubelet.kubeconfig': kubeconfigText(credentials, 'kubelet'),
  };
  for (const [file, text] of Object.entries(files))
    await writeFile(join(directory, file), text, { mode: 0o600 });
}

/** Holds a pod's namespaces: a program that waits, and takes no signal but the last. */
async function writeSandboxImage(archives: string, directory: string): Promise<void> {
  const root = join(directory, 'pause');
  await copyShell(root);
  const image: LocalImage = { name: SANDBOX_IMAGE, layers: [root], entrypoint: ['/bin/sleep', '2147483647'] };
  await writeImageArchive([image], join(archives, 'pause.tar'));
  await rm(root, { recursive: true });
}

/** The script gives this machine its address when the node has a network. */
async function untilAddressed(address: string): Promise<void> {
  const deadline = performance.now() + 60_000;
  const isThere = () =>
    Object.values(networkInterfaces()).some((addresses) => addresses?.some((own) => own.address === address));
  while (!isThere()) {
    if (performance.now() > deadline) throw new Error(`no interface has the address ${address} after 60 s`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Removes the files of nodes whose process was killed and could not do so itself. */
async function removeAbandonedDirectories(): Promise<void> {
  for (const entry of await readdir(tmpdir())) {
    if (!entry.startsWith(DIRECTORY_PREFIX)) continue;
    if (isRunning(Number.parseInt(entry.slice(DIRECTORY_PREFIX.length), 10))) continue;
    await rm(join(tmpdir(), entry), { recursive: true, force: true });
  }
}
