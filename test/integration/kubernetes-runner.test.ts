/** The same manifest handed to the operator of a cluster: through the API of this package, and through the command line. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, inject, it, onTestFinished, vi } from 'vitest';
import type { BatchTestManifest } from '../../src/api/v1alpha1/schema.ts';
import { runReport } from '../../src/report/run-report.ts';
import { createRunner } from '../../src/runner/create-runner.ts';
import { ClusterUnavailableError, NameInUseError, RunNotBegunError } from '../../src/runner/errors.ts';
import { KubernetesRunner } from '../../src/runner/kubernetes-runner.ts';
import { presets } from '../../src/runner/presets.ts';
import type { BatchTestRunner, RunResult } from '../../src/runner/runner.ts';
import { freeLoopbackPorts } from '../tools/loopback-port.ts';
import {
  aDataDirectory,
  type FinishedCommand,
  type RunningCommand,
  runCommand,
  startCommand,
} from '../unit/cli/command-line.ts';
import { FORWARD, openFaultyProxy, serverCertificate } from './faulty-proxy.ts';
import { runningPods, untilNothingIsLeft, untilSucceeded } from './operator-steps.ts';
import {
  aBatchTest,
  ENDS_SOON,
  measured,
  type OperatorSite,
  type OperatorWorld,
  openOperatorSite,
  RUNS_ON,
} from './operator-world.ts';
import { carrierCreations, lastOf, present } from './watch-recorder.ts';

// Several calls of the command line, one after the other.
vi.setConfig({ testTimeout: 120_000 });

let site: OperatorSite;
beforeAll(async () => {
  site = await openOperatorSite(inject('controlPlane'));
});
afterAll(() => site?.close());

describe('a runner of a cluster', () => {
  it('gives the report that a local run of the same manifest gives', async () => {
    const world = await site.aWorld('runner');
    await world.startOperator();
    const manifest = withLocalProgram(
      aBatchTest({ variants: ['lru', 'fifo'], repetitions: 2, parallelism: 2, pod: ENDS_SOON }),
    );
    const progress: number[] = [];
    const cluster = aRunner(world);
    const there = await cluster.run(manifest, {
      onProgress: ({ trials }) => progress.push(trials?.succeeded ?? 0),
    });
    const local = createRunner(presets.testing());
    onTestFinished(() => local.shutdown());
    const here = await local.run(manifest);

    expect(there.end).toEqual(here.end);
    expect(there.end.state).toBe('Complete');
    expect(there.bestVariantName).toBe(here.bestVariantName);
    expect(comparable(there)).toEqual(comparable(here));
    // The operator reads back what is stored in its own time.
    const { verification } = await local.results.report(here.uid);
    await expect
      .poll(async () => (await cluster.results.report(there.uid)).verification, { timeout: 30_000 })
      .toEqual(verification);
    expect(there.stored).toMatchObject({ engine: 'kubernetes', namespace: world.namespace });
    expect(progress.at(-1)).toBe(4);
  });

  it('follows what it has created though the answer to that was lost', async () => {
    const world = await site.aWorld('answer-lost');
    await world.startOperator();
    const upstream = inject('controlPlane');
    const proxy = await openFaultyProxy(upstream, await serverCertificate(upstream.kubeconfigPath));
    onTestFinished(() => proxy.close());
    let creations = 0;
    proxy.onRequest(({ method, url }) => {
      if (method !== 'POST' || !url.endsWith('/batchtests')) return FORWARD;
      creations += 1;
      return creations === 1 ? { kind: 'LoseAnswer' } : FORWARD;
    });
    const kubeconfig = join(world.directory, 'lossy.kubeconfig');
    const direct = await readFile(upstream.kubeconfigPath, 'utf8');
    await writeFile(kubeconfig, direct.replace(upstream.url, proxy.access.server), { mode: 0o600 });
    const store = { kind: 'database', url: world.databaseUrl } as const;
    const runner = createRunner({ engine: 'kubernetes', store, kubeconfig, namespace: world.namespace });
    onTestFinished(() => runner.shutdown());
    const { end } = await runner.run(aBatchTest({ parallelism: 1, pod: ENDS_SOON }));
    expect(end.state).toBe('Complete');
    expect(creations).toBe(2);
  });

  it('replaces an object of the same name that is over, whose results stay', async () => {
    const world = await site.aWorld('replaced');
    await world.startOperator();
    const runner = aRunner(world);
    const first = await runner.run(aBatchTest({ parallelism: 1, pod: ENDS_SOON }));
    const second = await runner.run(aBatchTest({ variants: 2, parallelism: 2, pod: ENDS_SOON }));
    expect(second.uid).not.toBe(first.uid);
    expect(await world.storedRun(first.uid)).toMatchObject({ state: 'Complete', succeeded: 1 });
    expect(await world.storedRun(second.uid)).toMatchObject({ state: 'Complete', succeeded: 2 });
  });

  it('follows one that runs the same, and leaves alone one that runs something else', async () => {
    const world = await site.aWorld('in-use');
    await world.startOperator();
    const manifest = aBatchTest({ parallelism: 1, pod: { ...ENDS_SOON, runMs: 4_000 } });
    const uid = await world.create(manifest);
    const runner = aRunner(world);
    const followed = runner.run(manifest);
    const error = await runner
      .run(aBatchTest({ variants: 2, parallelism: 1, pod: ENDS_SOON }))
      .catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(NameInUseError);
    expect(String(error)).toContain(
      `BatchTest ${world.namespace}/cache is running with another spec: wait for it, delete it, or choose another metadata.name`,
    );
    expect(await followed).toMatchObject({ uid, end: { state: 'Complete' } });
  });

  it('tells how a run ended though it cannot read the results', async () => {
    const world = await site.aWorld('no-database');
    await world.startOperator();
    const [port] = await freeLoopbackPorts(1);
    const store = { kind: 'database', url: `postgres://nobody@127.0.0.1:${port}/none` } as const;
    const result = await aRunner(world, store).run(aBatchTest({ parallelism: 1, pod: ENDS_SOON }));
    expect(result).toMatchObject({ bestVariantName: 'v0', comparisonMatrix: [], stored: undefined });
    expect(result.end).toMatchObject({ state: 'Complete', reason: 'AllTrialsSucceeded' });
    expect(result.end.message).toMatch(
      /^its one trial succeeded; its results cannot be read: .*ECONNREFUSED/,
    );
  });
});

describe('a runner of a cluster that is to end a run', () => {
  it('creates nothing once it is told to, also while an earlier object of the name does not go', async () => {
    const world = await site.aWorld('not-begun');
    const manifest = aBatchTest({ parallelism: 1, pod: RUNS_ON });
    const runner = aRunner(world);
    await expect(runner.run(manifest, { signal: AbortSignal.abort() })).rejects.toThrow(RunNotBegunError);

    await world.create({ ...manifest, metadata: { name: 'cache', finalizers: ['example.com/stays'] } });
    onTestFinished(async () => {
      await world.cluster.request('PATCH', world.path('cache'), { metadata: { finalizers: null } });
    });
    await world.cluster.request('DELETE', world.path('cache'));
    const cancel = new AbortController();
    const run = runner.run(manifest, { signal: cancel.signal }).catch((error: unknown) => error);
    // Long enough to be waiting for the earlier one, which it would do for two minutes.
    await sleep(1_000);
    const cancelledAt = performance.now();
    cancel.abort();
    const error = await run;
    expect(performance.now() - cancelledAt).toBeLessThan(20_000);
    expect(error).toBeInstanceOf(RunNotBegunError);
    expect(error).toMatchObject({
      message: `cancelled before BatchTest ${world.namespace}/cache was created: nothing of it was started`,
    });
    const created = world.recorder
      .changes()
      .filter(({ type, kind }) => type === 'ADDED' && kind === 'BatchTest');
    expect(created).toHaveLength(1);
  });

  it('gives a run up at its shutdown when no operator ends it, and says so', async () => {
    const world = await site.aWorld('shut-down');
    const operator = await world.startOperator();
    const { kubeconfigPath } = inject('controlPlane');
    const { namespace } = world;
    const store = { kind: 'database', url: world.databaseUrl } as const;
    const runner = new KubernetesRunner(
      { engine: 'kubernetes', kubeconfig: kubeconfigPath, namespace, store },
      process.env,
      3_000,
    );
    const run = runner.run(aBatchTest({ parallelism: 1, pod: RUNS_ON })).catch((error: unknown) => error);
    await world.recorder.until('a pod runs', (changes) => {
      const uid = changes.findLast(({ kind }) => kind === 'BatchTest')?.object.metadata.uid;
      return uid === undefined ? undefined : runningPods(changes, uid)[0];
    });
    await operator.kill();
    await runner.shutdown();
    const error = await run;
    expect(error).toBeInstanceOf(ClusterUnavailableError);
    expect(error).toMatchObject({
      message: `the runner was shut down, and no operator has ended the run of BatchTest ${namespace}/cache in time: it is asked to, and will once it is there`,
    });
    const { spec } = await world.cluster.request<{ spec: object }>('GET', world.path('cache'));
    expect(spec).toMatchObject({ cancel: true });
  });
});

describe('batchtest run --engine kubernetes', () => {
  it('prints the report and answers with the exit code of the end', async () => {
    const world = await site.aWorld('cli');
    await world.startOperator();
    const good = await command(world, aBatchTest({ name: 'good', parallelism: 1, pod: ENDS_SOON }));
    expect(good.exitCode, good.stderr).toBe(0);
    expect(JSON.parse(good.stdout)).toMatchObject({
      run: { name: 'good', namespace: world.namespace, engine: 'kubernetes', state: 'Complete' },
      best: { name: 'v0' },
      matrix: [{ variant: 'v0', metrics: { x: { n: 1, mean: 1 } } }],
    });
    const bad = await command(
      world,
      aBatchTest({ name: 'bad', parallelism: 1, pod: { runMs: 50, exitCode: 3, message: 'no' } }),
    );
    expect(bad.exitCode, bad.stderr).toBe(1);
    expect(JSON.parse(bad.stdout)).toMatchObject({
      best: null,
      failures: [{ variant: 'v0', outcome: 'TestFailed', message: 'exit code 3: no' }],
    });
  });

  it('cancels the run on Ctrl-C: the object stays and says so, and so does the report', async () => {
    const world = await site.aWorld('interrupted');
    await world.startOperator();
    const { running, uid } = await anEndlessRun(world);
    running.kill('SIGINT');
    const { exitCode, stdout, stderr } = await running.finished;
    expect(exitCode, stderr).toBe(4);
    expect(JSON.parse(stdout)).toMatchObject({ run: { uid, ...CANCELLED } });
    await expectCancelledObject(world, uid);
  });

  it('says what is wrong when there is no cluster to be had, and exits with 3', async () => {
    const world = await site.aWorld('no-cluster');
    const manifest = aBatchTest({ parallelism: 1, pod: ENDS_SOON });
    const missing = await command(world, manifest, join(world.directory, 'missing.kubeconfig'));
    expect(missing).toMatchObject({ exitCode: 3, stdout: '' });
    expect(missing.stderr).toMatch(/^cluster: kubeconfig .*missing\.kubeconfig cannot be used: .*\n$/);

    const { url } = inject('controlPlane');
    const [port] = await freeLoopbackPorts(1);
    const elsewhere = join(world.directory, 'elsewhere.kubeconfig');
    const kubeconfig = await world.cluster.kubeconfigForServiceAccount(world.namespace, 'operator');
    await writeFile(elsewhere, kubeconfig.replace(url, `https://127.0.0.1:${port}`), { mode: 0o600 });
    const refused = await command(world, manifest, elsewhere);
    expect(refused).toMatchObject({ exitCode: 3, stdout: '' });
    expect(refused.stderr).toContain(
      `cluster: the API server https://127.0.0.1:${port} cannot be reached: connect ECONNREFUSED 127.0.0.1:${port}`,
    );
  });

  it('refuses an invalid manifest before it asks the cluster, with exit code 2', async () => {
    const world = await site.aWorld('invalid-file');
    const { spec, ...manifest } = aBatchTest({ parallelism: 1, pod: ENDS_SOON });
    const { exitCode, stderr } = await command(world, { ...manifest, spec: { ...spec, parallelism: -1 } });
    expect(exitCode).toBe(2);
    expect(stderr).toContain('spec.parallelism');
    expect(world.recorder.changes()).toEqual([]);
  });
});

describe('batchtest cancel', () => {
  it('ends a run of the cluster by the name of its object, and refuses it when it is over', async () => {
    const world = await site.aWorld('cancelled');
    await world.startOperator();
    const { running, uid } = await anEndlessRun(world);
    const cancel = () => calledWith(world, ['cancel', 'cache', '--engine', 'kubernetes']);
    expect(await cancel()).toEqual({
      exitCode: 0,
      stdout: `BatchTest ${world.namespace}/cache is being cancelled by its operator\n`,
      stderr: '',
    });
    const { exitCode, stdout, stderr } = await running.finished;
    expect(exitCode, stderr).toBe(4);
    expect(JSON.parse(stdout)).toMatchObject({ run: { uid, ...CANCELLED } });
    await expectCancelledObject(world, uid);
    expect(await cancel()).toEqual({
      exitCode: 2,
      stdout: '',
      stderr: `BatchTest ${world.namespace}/cache is over: Cancelled\n`,
    });
    const unknown = await calledWith(world, ['cancel', 'nobody', '--engine', 'kubernetes']);
    expect(unknown).toEqual({
      exitCode: 2,
      stdout: '',
      stderr: `there is no BatchTest ${world.namespace}/nobody in the cluster\n`,
    });
  });

  it('finds the object of a stored run by the UID, in the namespace that is stored', async () => {
    const world = await site.aWorld('cancelled-stored');
    await world.startOperator();
    const { running, uid } = await anEndlessRun(world);
    const options = ['--kubeconfig', inject('controlPlane').kubeconfigPath];
    const cancel = await runCommand(['cancel', uid.slice(0, 8), ...options], {
      environment: { DATABASE_URL: world.databaseUrl },
    });
    expect(cancel.exitCode, cancel.stderr).toBe(0);
    expect((await running.finished).exitCode).toBe(4);
    await expectCancelledObject(world, uid);
  });
});

describe('batchtest cancel of a stored run that no operator knows of any more', () => {
  it('ends it in the database as the operator would have, once its object is gone, and touches no other of the name', async () => {
    const world = await site.aWorld('cancelled-gone');
    const former = await world.startOperator();
    await former.untilReady();
    const manifest = aBatchTest({ variants: 3, parallelism: 2, pod: RUNS_ON });
    const uid = await world.create(manifest);
    await endOnePod(world, uid);
    await untilSucceeded(world, uid, 1);
    await former.kill();
    await letGo(world, 'cache');
    await untilNothingIsLeft(world, uid);
    const other = await world.create(manifest);
    const operator = await world.startOperator();
    await operator.untilReady();
    await world.recorder.until('the other run goes on', (changes) =>
      runningPods(changes, other).length === 2 ? true : undefined,
    );
    expect(await world.storedRun(uid)).toMatchObject({ state: 'Running', succeeded: 1 });

    const { kubeconfigPath, url } = inject('controlPlane');
    const cancel = (...options: string[]) =>
      runCommand(['cancel', uid, '--kubeconfig', kubeconfigPath, ...options], {
        environment: { DATABASE_URL: world.databaseUrl },
      });
    // It is of another namespace.
    expect(await cancel('-n', 'default')).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining(uid),
    });
    expect(await cancel()).toEqual({
      exitCode: 0,
      stdout: `run ${uid} (cache) is cancelled in the result store: BatchTest ${world.namespace}/cache with this UID is gone from the cluster ${url}, and no operator had stored its end\n`,
      stderr: '',
    });
    expect(await world.storedRun(uid)).toMatchObject({
      state: 'Cancelled',
      reason: 'Deleted',
      message: 'the BatchTest was deleted while it ran',
      succeeded: 1,
      cancelled: 2,
      pending: 0,
    });
    expect(await cancel()).toMatchObject({
      exitCode: 2,
      stderr: `run ${uid} (cache) is over: Cancelled\n`,
    });
    expect(lastOf(world.recorder.changes(), other)?.spec).not.toMatchObject({ cancel: true });
    expect(await world.storedRun(other)).toMatchObject({ state: 'Running' });
  });

  it('leaves it as it is when the API server does not say that the object is gone', async () => {
    const world = await site.aWorld('cancelled-unknown');
    const operator = await world.startOperator();
    await operator.untilReady();
    const uid = await world.create(aBatchTest({ parallelism: 1, pod: RUNS_ON }));
    await world.recorder.until('a pod runs', (changes) => runningPods(changes, uid)[0]);
    // Of what it does not serve at all the server says 404 as well, as one without the CRD does.
    const { kubeconfigPath, url } = inject('controlPlane');
    const elsewhere = join(world.directory, 'nowhere.kubeconfig');
    const kubeconfig = await readFile(kubeconfigPath, 'utf8');
    await writeFile(elsewhere, kubeconfig.replace(url, `${url}/nowhere`), { mode: 0o600 });
    const { exitCode, stderr } = await runCommand(['cancel', uid, '--kubeconfig', elsewhere], {
      environment: { DATABASE_URL: world.databaseUrl },
    });
    expect(exitCode).toBe(3);
    expect(stderr).toContain('does not know BatchTests');
    expect(await world.storedRun(uid)).toMatchObject({ state: 'Running' });
  });
});

describe('batchtest rerun', () => {
  it('runs only what did not succeed again in the cluster, as a new run of the same name', async () => {
    const world = await site.aWorld('rerun');
    await world.startOperator();
    const { running, uid } = await anEndlessRun(world);
    await endOnePod(world, uid);
    await untilSucceeded(world, uid, 1);
    running.kill('SIGINT');
    expect((await running.finished).exitCode).toBe(4);

    const rerun = calledWith(world, ['rerun', uid.slice(0, 8), '--failed', '-o', 'json', '--quiet']);
    const next = await world.recorder.until('another run of the name', (changes) => {
      const newest = changes.findLast(({ kind }) => kind === 'BatchTest')?.object.metadata.uid;
      return newest === uid ? undefined : newest;
    });
    await endOnePod(world, next);
    await endOnePod(world, next);
    const { exitCode, stdout, stderr } = await rerun;
    expect(exitCode, stderr).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      run: { uid: next, state: 'Complete', trials: { total: 3, succeeded: 3, reused: 1 } },
    });
    expect(carrierCreations(world.recorder.changes(), next).size).toBe(2);
  });
});

const CANCELLED = { state: 'Cancelled', reason: 'CancelRequested', trials: { succeeded: 0, cancelled: 3 } };

/** A run of three trials of which two run, and do not end by themselves. */
async function anEndlessRun(
  world: OperatorWorld,
): Promise<{ readonly running: RunningCommand; readonly uid: string }> {
  const running = startCommand(await runArguments(world), {
    input: JSON.stringify(aBatchTest({ variants: 3, parallelism: 2, pod: RUNS_ON })),
    environment: { DATABASE_URL: world.databaseUrl },
  });
  onTestFinished(() => running.kill('SIGKILL'));
  const uid = await world.recorder.until('two pods run', (changes) => {
    const last = changes.findLast(({ kind }) => kind === 'BatchTest')?.object.metadata.uid;
    return last !== undefined && present(changes, last, 'Pod').length === 2 ? last : undefined;
  });
  return { running, uid };
}

/** Has the object go though its run is not over, as an operator does whose database does not come back. */
async function letGo(world: OperatorWorld, name: string): Promise<void> {
  await world.cluster.request('PATCH', world.path(name), { metadata: { finalizers: null } });
  await world.remove(name);
}

/** Plays the kubelet for one of the run's pods, once one runs: its program ends well. */
async function endOnePod(world: OperatorWorld, uid: string): Promise<void> {
  const pod = await world.recorder.until('a pod runs', (changes) => runningPods(changes, uid)[0]);
  await world.endPod(pod, { exitCode: 0, message: measured(2) });
  await world.recorder.until('the pod has ended', (changes) =>
    runningPods(changes, uid).some(({ metadata }) => metadata.name === pod.metadata.name) ? undefined : true,
  );
}

/** The object stays, says how its run ended, and nothing of it runs. */
async function expectCancelledObject(world: OperatorWorld, uid: string): Promise<void> {
  const { spec } = await world.untilCondition(uid, 'Cancelled');
  expect(spec).toMatchObject({ cancel: true });
  await untilNothingIsLeft(world, uid);
  expect(lastOf(world.recorder.changes(), uid)).toBeDefined();
}

/** A command about the world's namespace, with its database. */
async function calledWith(world: OperatorWorld, args: readonly string[]): Promise<FinishedCommand> {
  const { kubeconfigPath } = inject('controlPlane');
  return runCommand([...args, '-n', world.namespace, '--kubeconfig', kubeconfigPath], {
    environment: { DATABASE_URL: world.databaseUrl },
  });
}

function aRunner(
  world: OperatorWorld,
  store: { readonly kind: 'database'; readonly url: string } = { kind: 'database', url: world.databaseUrl },
): BatchTestRunner {
  const { kubeconfigPath: kubeconfig } = inject('controlPlane');
  const runner = createRunner({ engine: 'kubernetes', store, kubeconfig, namespace: world.namespace });
  onTestFinished(() => runner.shutdown());
  return runner;
}

/** The same result without a cluster. */
function withLocalProgram(manifest: BatchTestManifest): BatchTestManifest {
  const program = `require('node:fs').writeFileSync(process.env.BATCHTEST_RESULT_FILE, '${measured(1)}')`;
  return { ...manifest, spec: { ...manifest.spec, local: { command: ['node', '-e', program] } } };
}

/** What of a report does not depend on where and when the trials ran. */
function comparable({ stored }: RunResult): unknown {
  if (stored === undefined) throw new Error('nothing is stored');
  const { run, matrix, verification: ______, ...rest } = runReport(stored);
  const { uid: _, engine: __, namespace: ___, startedAt: ____, finishedAt: _____, ...ofRun } = run;
  const rows = matrix.map(({ metrics: { duration_seconds: _, ...metrics }, ...row }) => ({
    ...row,
    metrics,
  }));
  return { ...rest, run: ofRun, matrix: rows };
}

async function runArguments(world: OperatorWorld, kubeconfig?: string): Promise<readonly string[]> {
  const data = aDataDirectory();
  onTestFinished(() => data.remove());
  return [
    ...['run', '-', '--engine', 'kubernetes', '-o', 'json', '--namespace', world.namespace],
    ...['--kubeconfig', kubeconfig ?? inject('controlPlane').kubeconfigPath, '--data-dir', data.path],
  ];
}

const command = async (world: OperatorWorld, manifest: unknown, kubeconfig?: string) =>
  runCommand([...(await runArguments(world, kubeconfig)), '--quiet'], {
    input: JSON.stringify(manifest),
    environment: { DATABASE_URL: world.databaseUrl },
  });
