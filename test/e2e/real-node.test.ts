/** The node that these tests have made on this machine: that nothing is left of one, however the process ends that started it. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { parse } from 'yaml';
import { type ClusterClient, createClusterClient } from '../tools/cluster-client.ts';
import { REPOSITORY } from '../tools/markdown-page.ts';
import { SANDBOX_IMAGE } from '../tools/real-node/node-configuration.ts';
import { DEADLINE_MS } from './e2e-world.ts';

/** Another cluster is not of these tests' making. */
const isOurs = (process.env.E2E_CLUSTER || 'real-node') === 'real-node';

it.runIf(isOurs).each(['SIGTERM', 'SIGKILL'] as const)(
  'leaves no process, mount, network or cgroup behind when its process ends by %s',
  async (signal) => {
    const folder = await mkdtemp(join(tmpdir(), 'batchtest-node-test-'));
    onTestFinished(() => rm(folder, { recursive: true }));
    const program = ['--import', 'tsx', 'test/tools/real-node/run-real-node.ts'];
    const starter = spawn(process.execPath, program, {
      cwd: REPOSITORY,
      env: { ...process.env, TMPDIR: folder },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    onTestFinished(() => {
      starter.kill('SIGKILL');
    });
    const [said] = await once(starter.stdout, 'data');
    const kubeconfig = /KUBECONFIG=(\S+)/.exec(String(said))?.[1];
    const directory = /logs are in (\S+)\./.exec(String(said))?.[1];
    if (kubeconfig === undefined || directory === undefined) throw new Error(`unexpected: ${said}`);
    const cluster = await clusterOf(kubeconfig);
    await runPod(cluster);
    await cluster.close();

    const { cgroupRoot } = parse(await readFile(join(directory, 'kubelet.yaml'), 'utf8'));
    const left = () => leftOf(folder, cgroupRoot.slice(1));
    // Otherwise it is not these that are looked for.
    expect(await left()).toMatchObject({
      processes: expect.arrayContaining(['etcd', 'containerd', 'kubelet', 'containerd-shim', 'sleep']),
      networks: 1,
      cgroups: expect.arrayContaining([expect.stringContaining('cgroup')]),
    });
    starter.kill(signal);
    await once(starter, 'exit');
    await expect
      .poll(left, { timeout: DEADLINE_MS, interval: 500 })
      .toEqual({ processes: [], mounts: [], networks: 0, cgroups: [] });
  },
);

async function clusterOf(kubeconfig: string): Promise<ClusterClient> {
  const { clusters, users } = parse(await readFile(kubeconfig, 'utf8'));
  const { server, 'certificate-authority-data': authority } = clusters[0].cluster;
  const certificateAuthority = Buffer.from(authority, 'base64').toString();
  return createClusterClient({ url: server, certificateAuthority, token: users[0].user.token });
}

/** Has a pod run that goes on for longer than the test. */
async function runPod(cluster: ClusterClient): Promise<void> {
  const pods = `/api/v1/namespaces/${await cluster.createNamespace('node')}/pods`;
  const containers = [{ name: 'sleeper', image: SANDBOX_IMAGE }];
  await cluster.request('POST', pods, { metadata: { name: 'sleeper' }, spec: { containers } });
  const phase = async () =>
    (await cluster.request<{ status: { phase: string } }>('GET', `${pods}/sleeper`)).status.phase;
  await expect.poll(phase, { timeout: DEADLINE_MS }).toBe('Running');
}

/** What there is on this machine of a node whose files are below the folder, and of its control plane. */
async function leftOf(folder: string, name: string) {
  const mounts = (await readFile('/proc/mounts', 'utf8')).split('\n').map((line) => line.split(' '));
  const cgroups = mounts
    .filter(([, , type = '']) => /^cgroup2?$/.test(type))
    .map(([, place = '']) => join(place, name));
  return {
    processes: await programsOf(folder, name),
    mounts: mounts.filter(([, place = '']) => place.startsWith(folder)),
    networks: Object.keys(networkInterfaces()).filter((network) => network === name).length,
    cgroups: cgroups.filter((cgroup) => existsSync(cgroup)),
  };
}

/** Names of processes with a path in the folder in their command line, or in a cgroup of the node. */
async function programsOf(folder: string, cgroup: string): Promise<readonly string[]> {
  const read = (pid: string, file: string) => readFile(`/proc/${pid}/${file}`, 'utf8').catch(() => '');
  const programs = await Promise.all(
    (await readdir('/proc'))
      .filter((entry) => /^\d+$/.test(entry))
      .map(async (pid) => {
        const isOne =
          (await read(pid, 'cmdline')).includes(folder) ||
          (await read(pid, 'cgroup')).includes(`/${cgroup}/`);
        return isOne ? (await read(pid, 'comm')).trim() : '';
      }),
  );
  return programs.filter((program) => program !== '');
}
