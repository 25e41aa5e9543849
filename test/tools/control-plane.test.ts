import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { access, chmod, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterAll, describe, expect, inject, onTestFinished, test } from 'vitest';
import { parse } from 'yaml';
import { type ApiRequestError, createClusterClient } from './cluster-client.ts';
import { startControlPlane } from './control-plane.ts';
import { resolveControlPlaneBinaries } from './control-plane-binaries.ts';
import { connectControlPlane } from './vitest-control-plane.ts';

const provided = inject('controlPlane');
const cluster = connectControlPlane(provided);
afterAll(() => cluster.close());

interface Pod {
  readonly metadata: { readonly name: string };
  readonly spec: { readonly nodeName?: string };
  readonly status: {
    readonly phase: string;
    readonly containerStatuses?: readonly {
      readonly state: { readonly terminated?: { exitCode: number; reason: string; message?: string } };
    }[];
  };
}

interface Job {
  readonly status: {
    readonly failed?: number;
    readonly conditions?: readonly { readonly type: string; readonly status: string }[];
  };
}

/** Asks again until the answer passes, or fails the test with the last answer after 30 s. */
async function eventually<Answer>(ask: () => Promise<Answer>, passes: (answer: Answer) => boolean) {
  const deadline = performance.now() + 30_000;
  let answer = await ask();
  while (!passes(answer)) {
    if (performance.now() > deadline) expect.fail(`still so after 30 s: ${JSON.stringify(answer, null, 1)}`);
    await sleep(50);
    answer = await ask();
  }
  return answer;
}

async function podsIn(namespace: string): Promise<readonly Pod[]> {
  const list = await cluster.request<{ items: readonly Pod[] }>(
    'GET',
    `/api/v1/namespaces/${namespace}/pods`,
  );
  return list.items;
}

function podTemplate(annotations: Readonly<Record<string, string>>) {
  return {
    metadata: { annotations },
    spec: { restartPolicy: 'Never', containers: [{ name: 'test', image: 'registry.invalid/program' }] },
  };
}

function createJob(namespace: string, name: string, annotations: Readonly<Record<string, string>>) {
  return cluster.request('POST', `/apis/batch/v1/namespaces/${namespace}/jobs`, {
    metadata: { name },
    spec: { backoffLimit: 0, template: podTemplate(annotations) },
  });
}

describe('the shared control plane', () => {
  test('ends the pod of a Job with the exit code, message and reason that the template asks for', async () => {
    const namespace = await cluster.createNamespace('job');
    const message = '{"metrics":{"p95_ms":41.2},"outputs":{"quote":"\\"\\n"}}';
    await createJob(namespace, 'fails', {
      'kwok.test/run': '100ms',
      'kwok.test/exit': '3',
      'kwok.test/message': message,
    });
    await createJob(namespace, 'out-of-memory', {
      'kwok.test/run': '100ms',
      'kwok.test/exit': '137',
      'kwok.test/reason': 'OOMKilled',
    });

    const pods = await eventually(
      () => podsIn(namespace),
      (found) => found.length === 2 && found.every((pod) => pod.status.phase === 'Failed'),
    );
    const ends = Object.fromEntries(
      pods.map((pod) => [
        pod.metadata.name.replace(/-[^-]+$/, ''),
        pod.status.containerStatuses?.[0]?.state.terminated,
      ]),
    );
    expect(ends.fails).toMatchObject({ exitCode: 3, reason: 'Error', message });
    expect(ends['out-of-memory']).toMatchObject({ exitCode: 137, reason: 'OOMKilled' });
    await eventually(
      () => cluster.request<Job>('GET', `/apis/batch/v1/namespaces/${namespace}/jobs/fails`),
      (job) => job.status.conditions?.some(({ type }) => type === 'Failed') ?? false,
    );
  });

  test('schedules a bare pod and runs it to its end', async () => {
    const namespace = await cluster.createNamespace('pod');
    const pods = `/api/v1/namespaces/${namespace}/pods`;
    await cluster.request('POST', pods, {
      ...podTemplate({}),
      metadata: { name: 'bare', annotations: { 'kwok.test/run': '50ms', 'kwok.test/message': 'done' } },
    });

    const pod = await eventually(
      () => cluster.request<Pod>('GET', `${pods}/bare`),
      (found) => found.status.phase === 'Succeeded',
    );
    expect(pod.spec.nodeName).toMatch(/^node-/);
    expect(pod.status.containerStatuses?.[0]?.state.terminated).toMatchObject({
      exitCode: 0,
      reason: 'Completed',
      message: 'done',
    });
  });

  test('keeps namespaces apart, also those of the same prefix', async () => {
    const [first, second] = await Promise.all([
      cluster.createNamespace('apart'),
      cluster.createNamespace('apart'),
    ]);
    await createJob(first, 'only-here', { 'kwok.test/run': '10m' });

    await eventually(
      () => podsIn(first),
      (pods) => pods.length === 1,
    );
    expect(first).not.toBe(second);
    expect(await podsIn(second)).toEqual([]);
  });

  test('removes the running pod of a Job that is deleted with background propagation', async () => {
    const namespace = await cluster.createNamespace('delete');
    await createJob(namespace, 'long', { 'kwok.test/run': '10m' });
    await eventually(
      () => podsIn(namespace),
      (pods) => pods[0]?.status.phase === 'Running',
    );

    await cluster.request('DELETE', `/apis/batch/v1/namespaces/${namespace}/jobs/long`, {
      propagationPolicy: 'Background',
    });
    await eventually(
      () => podsIn(namespace),
      (pods) => pods.length === 0,
    );
  });

  test('grants a service account what a binding says, and nothing else', async () => {
    const namespace = await cluster.createNamespace('rights');
    const kubeconfig = parse(await cluster.kubeconfigForServiceAccount(namespace, 'reader'));
    const reader = createClusterClient({ ...provided, token: kubeconfig.users[0].user.token });
    onTestFinished(() => reader.close());
    const pods = `/api/v1/namespaces/${namespace}/pods`;
    await expect(reader.request('GET', pods)).rejects.toMatchObject({ statusCode: 403, reason: 'Forbidden' });

    await cluster.request('POST', `/apis/rbac.authorization.k8s.io/v1/namespaces/${namespace}/rolebindings`, {
      metadata: { name: 'reader' },
      subjects: [{ kind: 'ServiceAccount', name: 'reader', namespace }],
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'view' },
    });
    await eventually(
      () =>
        reader.request('GET', pods).then(
          () => 200,
          (error: ApiRequestError) => error.statusCode,
        ),
      (statusCode) => statusCode === 200,
    );
    await expect(reader.request('POST', pods, podTemplate({}))).rejects.toMatchObject({ statusCode: 403 });
  });
});

const apiServerOnly = ['kube-controller-manager', 'kube-scheduler', 'kwok'] as const;

describe('a control plane of its own', () => {
  test('keeps its data and its address while components crash and start again', async () => {
    const controlPlane = await startControlPlane({ without: apiServerOnly });
    onTestFinished(() => controlPlane.stop());
    const kept = '/api/v1/namespaces/default/configmaps/kept';
    await controlPlane.request('POST', '/api/v1/namespaces/default/configmaps', {
      metadata: { name: 'kept' },
      data: { answer: '42' },
    });

    const apiServer = controlPlane.component('kube-apiserver');
    const pidBefore = apiServer.pid;
    await apiServer.kill();
    expect(apiServer.pid).toBeUndefined();
    await expect(controlPlane.request('GET', kept)).rejects.toThrow();
    await controlPlane.component('etcd').stop();
    await controlPlane.component('etcd').start();
    await apiServer.start();

    expect(apiServer.pid).not.toBe(pidBefore);
    expect(await controlPlane.request('GET', kept)).toMatchObject({ data: { answer: '42' } });
    expect(() => controlPlane.component('kwok')).toThrow(/started without kwok/);
  });

  test('leaves no process and no data after stop', async () => {
    const controlPlane = await startControlPlane({ without: apiServerOnly });
    const pids = controlPlane.pids;
    expect(pids).toHaveLength(2);
    await controlPlane.stop();

    expect(await livingProcesses(pids)).toEqual([]);
    await expect(access(controlPlane.kubeconfigPath)).rejects.toThrow();
  });

  test('leaves no process when the process that started it is killed', async () => {
    const parent = startControlPlaneInChildProcess();
    onTestFinished(() => void parent.kill('SIGKILL'));
    const [started] = await Promise.race([once(parent, 'message'), once(parent, 'exit')]);
    const { pids, kubeconfigPath } = started;
    expect(pids).toHaveLength(2);
    // The components and the shells that watch over them.
    const processes = [...pids, ...(await childProcesses(parent))];
    expect(processes).toHaveLength(4);
    expect(await livingProcesses(processes)).toHaveLength(4);

    parent.kill('SIGKILL');
    await eventually(
      () => livingProcesses(processes),
      (living) => living.length === 0,
    );

    // The killed process could not remove its data; the next start, here or in another test, does.
    const next = await startControlPlane({ without: apiServerOnly });
    onTestFinished(() => next.stop());
    await expect(access(kubeconfigPath)).rejects.toThrow();
  });

  test('says what is wrong, with the end of its log, when a component does not start', async () => {
    const assets = await temporaryFolder();
    const { etcd: _replaced, ...others } = await resolveControlPlaneBinaries({
      environment: process.env,
      report: () => undefined,
    });
    for (const [program, path] of Object.entries(others)) await symlink(path, join(assets, program));
    await writeExecutable(join(assets, 'etcd'), 'echo "the disk is on fire"; exit 7');
    const start = startControlPlane({
      without: apiServerOnly,
      environment: { ...process.env, KUBEBUILDER_ASSETS: assets },
    });

    const error = await start.then(
      () => expect.fail('it started'),
      (reason: Error) => reason,
    );
    expect(error.message).toMatch(/^etcd did not start.*\n.*the disk is on fire$/);
    expect(String(error.cause)).toMatch(/exit code 7/);
  });
});

describe('the programs of the control plane', () => {
  const silent = () => undefined;

  test('are asked for by naming what to install when there is no Go', async () => {
    const cache = await temporaryFolder();
    const resolution = resolveControlPlaneBinaries({
      environment: { PATH: await temporaryFolder(), XDG_CACHE_HOME: cache },
      report: silent,
    });
    await expect(resolution).rejects.toThrow(/built with Go 1\.\d+(\.\d+)? or newer .*https:\/\/go\.dev\/dl/);
  });

  test('are not built with a Go that is too old', async () => {
    const oldGo = await temporaryFolder();
    await writeExecutable(join(oldGo, 'go'), 'echo go1.20.4');
    const resolution = resolveControlPlaneBinaries({
      environment: { PATH: `${oldGo}:/usr/bin:/bin`, XDG_CACHE_HOME: await temporaryFolder() },
      report: silent,
    });
    await expect(resolution).rejects.toThrow(/^Go is go1\.20\.4, which is too old/);
  });

  test('are not taken from a build that failed', async () => {
    const brokenGo = await temporaryFolder();
    await writeExecutable(
      join(brokenGo, 'go'),
      'if [ "$1" = env ]; then echo go1.99.0; exit; fi\n' +
        'while [ "$1" != -o ]; do shift; done; echo half > "$2"; chmod +x "$2"; echo "no space left"; exit 1',
    );
    const environment = { PATH: `${brokenGo}:/usr/bin:/bin`, XDG_CACHE_HOME: await temporaryFolder() };
    for (const _attempt of ['first', 'second']) {
      const resolution = resolveControlPlaneBinaries({ environment, report: silent });
      await expect(resolution).rejects.toThrow(/exit code 1; .*\nno space left/);
    }
  });

  test('are built once when they are needed twice at the same time', async () => {
    const countingGo = await temporaryFolder();
    const builds = join(countingGo, 'builds');
    await writeExecutable(
      join(countingGo, 'go'),
      'if [ "$1" = env ]; then echo go1.99.0; exit; fi\n' +
        `while [ "$1" != -o ]; do shift; done; echo "$3" >> ${builds}; sleep 0.1; echo whole > "$2"; chmod +x "$2"`,
    );
    const environment = { PATH: `${countingGo}:/usr/bin:/bin`, XDG_CACHE_HOME: await temporaryFolder() };
    const [first, second] = await Promise.all([
      resolveControlPlaneBinaries({ environment, report: silent }),
      resolveControlPlaneBinaries({ environment, report: silent }),
    ]);

    expect(second).toEqual(first);
    expect((await readFile(builds, 'utf8')).trim().split('\n')).toHaveLength(5);
  });
});

async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'batchtest-tools-test-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

async function writeExecutable(path: string, script: string): Promise<void> {
  await writeFile(path, `#!/bin/sh\n${script}\n`);
  await chmod(path, 0o755);
}

function startControlPlaneInChildProcess(): ChildProcess {
  const program = `
    import { startControlPlane } from ${JSON.stringify(new URL('control-plane.ts', import.meta.url).href)};
    const { pids, kubeconfigPath } = await startControlPlane({ without: ${JSON.stringify(apiServerOnly)} });
    process.send({ pids, kubeconfigPath });
  `;
  return spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', program], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
}

/** Those that run. A process that has ended and whose parent has not asked for its exit code (Z) does not run. */
async function livingProcesses(pids: readonly number[]): Promise<readonly number[]> {
  const processes = await listProcesses();
  return processes
    .filter(({ pid, state }) => pids.includes(pid) && !state.startsWith('Z'))
    .map(({ pid }) => pid);
}

async function childProcesses(parent: ChildProcess): Promise<readonly number[]> {
  const processes = await listProcesses();
  const shells = processes.filter(
    ({ parentPid, command }) => parentPid === parent.pid && /(^|\/)sh$/.test(command),
  );
  return shells.map(({ pid }) => pid);
}

async function listProcesses() {
  const { stdout } = await promisify(execFile)('ps', ['-A', '-o', 'pid=,ppid=,stat=,comm=']);
  return stdout
    .trim()
    .split('\n')
    .map((line) => {
      const [pid, parentPid, state = '', command = ''] = line.trim().split(/\s+/);
      return { pid: Number(pid), parentPid: Number(parentPid), state, command };
    });
}
