import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFailed, onTestFinished } from 'vitest';
import { API_VERSION, KIND, PLURAL } from '../../src/api/v1alpha1/constants.ts';
import type { BatchTestManifest } from '../../src/api/v1alpha1/schema.ts';
import type { PodObject } from '../../src/engine/kubernetes/kubernetes-objects.ts';
import { ApiRequestError, type ClusterClient } from '../tools/cluster-client.ts';
import { connectControlPlane, type ProvidedControlPlane } from '../tools/vitest-control-plane.ts';
import { CANARY, secretsIn } from './canaries.ts';
import { installCrd } from './installed-crd.ts';
import { type PlayedPod, withPlay } from './kubernetes-world.ts';
import { kubeconfigWithRights } from './operator-rights.ts';
import {
  type Connection,
  databaseUrlOf,
  type PostgresServer,
  query,
  startPostgresServer,
} from './postgres-server.ts';
import { createRestrictedNamespace } from './restricted-namespace.ts';
import { type OperatorLaunch, type RunningOperator, startOperator } from './running-operator.ts';
import { type StoredAttemptRow, storedAttempts } from './stored-attempts.ts';
import {
  type BatchTestObject,
  type Change,
  conditionOf,
  lastOf,
  recordNamespace,
  type WatchRecorder,
} from './watch-recorder.ts';

/** What a test says of a BatchTest; the rest does not matter to it. */
export interface BatchTestOptions {
  readonly name?: string;
  /** Names, or how many. */
  readonly variants?: number | readonly string[];
  readonly repetitions?: number;
  readonly parallelism: number;
  readonly trialDeadlineSeconds?: number;
  /** Any other fields of the spec. */
  readonly spec?: Partial<BatchTestManifest['spec']>;
  readonly pod: PlayedPod;
}

export interface StoredRunRow {
  readonly state: string;
  readonly reason: string | null;
  readonly message: string | null;
  readonly fence: number;
  readonly pending: number;
  readonly succeeded: number;
  readonly failed: number;
  readonly cancelled: number;
}

/** A namespace, a database and a witness of what happens in the namespace, for one test. */
export interface OperatorWorld {
  /** The test's own way in, with nothing of the product in it. */
  readonly cluster: ClusterClient;
  readonly namespace: string;
  readonly connection: Connection;
  readonly databaseUrl: string;
  readonly recorder: WatchRecorder;
  /** A kubeconfig with the rights of an operator, and with nothing more. */
  readonly operatorKubeconfig: string;
  readonly directory: string;
  startOperator(launch?: Partial<OperatorLaunch>): Promise<RunningOperator>;
  /** Creates the BatchTest in the cluster; its UID. */
  create(manifest: BatchTestManifest): Promise<string>;
  path(name: string, subresource?: string): string;
  /** The run's object once a condition of this type is true. */
  untilCondition(runUid: string, type: string, status?: string): Promise<BatchTestObject>;
  /** The run's object once its run is over and the operator has done with it. */
  untilLetGo(runUid: string): Promise<BatchTestObject>;
  /** Deletes the run's object and waits until it is gone, as kubectl does. */
  remove(name: string): Promise<void>;
  /** Plays the kubelet: the pod's program ends like that. */
  endPod(
    pod: PodObject,
    end: { readonly exitCode: number; readonly message?: string; readonly reason?: string },
  ): Promise<void>;
  storedRun(runUid: string): Promise<StoredRunRow | undefined>;
  storedAttempts(runUid: string): Promise<readonly StoredAttemptRow[]>;
}

/** How a test is told of its end: vitest's own hooks, or those of the context of a test that runs beside others. */
export interface TestHooks {
  onTestFailed(listener: () => Promise<void>): void;
  onTestFinished(listener: () => Promise<void>): void;
}

/** What the tests of one file share. */
export interface OperatorSite {
  /** A new world, which goes when the test is done. Should the test fail, the end of its operators' logs is printed. */
  aWorld(name: string, test?: TestHooks): Promise<OperatorWorld>;
  close(): Promise<void>;
}

export async function openOperatorSite(provided: ProvidedControlPlane): Promise<OperatorSite> {
  const cluster = connectControlPlane(provided);
  const [postgres, directory] = await Promise.all([
    startPostgresServer(),
    mkdtemp(join(tmpdir(), 'batchtest-operator-')),
    installCrd(cluster),
  ]);
  let worlds = 0;
  return {
    aWorld(name, test = { onTestFailed, onTestFinished }) {
      worlds += 1;
      return openOperatorWorld(provided, cluster, postgres, join(directory, String(worlds)), name, test);
    },
    async close() {
      await postgres.stop();
      await cluster.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

async function openOperatorWorld(
  provided: ProvidedControlPlane,
  cluster: ClusterClient,
  postgres: PostgresServer,
  directoryPrefix: string,
  name: string,
  test: TestHooks,
): Promise<OperatorWorld> {
  const directory = await mkdtemp(`${directoryPrefix}-`);
  const [namespace, connection] = await Promise.all([
    createRestrictedNamespace(cluster, `operator-${name}`),
    postgres.createDatabase(),
  ]);
  const recorder = await recordNamespace(provided, namespace);
  const operatorKubeconfig = await kubeconfigWithRights(cluster, namespace, 'operator', directory, [
    'watching',
    'leading',
  ]);
  const operators: RunningOperator[] = [];
  let started = 0;
  test.onTestFailed(async () => {
    for (const operator of operators) process.stderr.write(`${await operator.logTail()}\n`);
  });
  test.onTestFinished(async () => {
    const violations = await Promise.all(operators.map(violationsSeenBy));
    const leaks = await Promise.all([
      ...operators.map((operator) => operator.leaks()),
      leaksInObjects(cluster, namespace, recorder).catch((error: unknown) => [String(error)]),
    ]);
    await Promise.all(operators.map((operator) => operator.kill()));
    await recorder.close();
    await cluster.request('DELETE', `/api/v1/namespaces/${namespace}`).catch((error: unknown) => {
      // The test has deleted it itself.
      if (!(error instanceof ApiRequestError) || error.statusCode !== 404) throw error;
    });
    // Last, so that a failure leaves nothing behind.
    expect(violations.flat()).toEqual([]);
    expect(leaks.flat()).toEqual([]);
  });

  const path = (object: string, subresource?: string) =>
    `/apis/${API_VERSION}/namespaces/${namespace}/${PLURAL}/${object}${subresource === undefined ? '' : `/${subresource}`}`;

  return {
    cluster,
    namespace,
    connection,
    databaseUrl: databaseUrlOf(connection),
    recorder,
    operatorKubeconfig,
    directory,
    path,
    async startOperator(launch = {}) {
      // Two may be started at once.
      started += 1;
      const operator = await startOperator({
        kubeconfigPath: operatorKubeconfig,
        namespace,
        databaseUrl: databaseUrlOf(connection),
        ...launch,
        logFile: join(directory, `operator-${started}.log`),
      });
      operators.push(operator);
      return operator;
    },
    async create(manifest) {
      const created = await cluster.request<BatchTestObject>(
        'POST',
        `/apis/${API_VERSION}/namespaces/${namespace}/${PLURAL}`,
        manifest,
      );
      return created.metadata.uid;
    },
    untilCondition: (runUid, type, status = 'True') =>
      recorder.until(`the condition ${type} is ${status}`, (changes: readonly Change[]) => {
        const object = lastOf(changes, runUid);
        return conditionOf(object, type)?.status === status ? object : undefined;
      }),
    untilLetGo: (runUid) =>
      recorder.until('the object is let go', (changes: readonly Change[]) => {
        const object = lastOf(changes, runUid);
        const isOver = ['Complete', 'Failed', 'Cancelled'].some(
          (type) => conditionOf(object, type)?.status === 'True',
        );
        return isOver && (object?.metadata.finalizers ?? []).length === 0 ? object : undefined;
      }),
    async remove(object) {
      const { metadata } = await cluster.request<BatchTestObject>('GET', path(object));
      await cluster.request('DELETE', path(object));
      await recorder.until('the object is gone', (changes: readonly Change[]) =>
        changes.some(
          ({ type, kind, object: changed }) =>
            type === 'DELETED' && kind === 'BatchTest' && changed.metadata.uid === metadata.uid,
        )
          ? true
          : undefined,
      );
    },
    async endPod({ metadata, spec }, { exitCode, message = '', reason }) {
      const terminated = {
        exitCode,
        message,
        reason: reason ?? (exitCode === 0 ? 'Completed' : 'Error'),
        startedAt: metadata.creationTimestamp,
        finishedAt: new Date().toISOString().replace(/\.\d+Z$/, 'Z'),
      };
      const containerStatuses = (spec?.containers ?? []).map((container) => ({
        name: container.name,
        image: 'test',
        imageID: '',
        ready: false,
        restartCount: 0,
        state: { terminated },
      }));
      await cluster.request('PATCH', `/api/v1/namespaces/${namespace}/pods/${metadata.name}/status`, {
        status: { phase: exitCode === 0 ? 'Succeeded' : 'Failed', containerStatuses },
      });
    },
    async storedRun(runUid) {
      const [row] = await query<Omit<StoredRunRow, 'fence'> & { readonly fence: string }>(
        connection,
        `select s.state, s.reason, s.message, r.fence, s.pending::int, s.succeeded::int, s.failed::int, s.cancelled::int
         from batchtest.run_summary s join batchtest.runs r using (uid) where uid = $1`,
        [runUid],
      );
      return row === undefined ? undefined : { ...row, fence: Number(row.fence) };
    },
    storedAttempts: (runUid) => storedAttempts(connection, runUid),
  };
}

/** Secrets in any status that a BatchTest of the namespace had, and in its events. */
async function leaksInObjects(
  cluster: ClusterClient,
  namespace: string,
  recorder: WatchRecorder,
): Promise<readonly string[]> {
  const statuses = recorder
    .changes()
    .map((change) => (change.kind === 'BatchTest' ? change.object.status : undefined));
  const { items } = await cluster.request<{ items: readonly { readonly note?: string }[] }>(
    'GET',
    `/apis/events.k8s.io/v1/namespaces/${namespace}/events`,
  );
  return [
    ...secretsIn('a status', JSON.stringify(statuses)),
    ...secretsIn('an event', items.map(({ note }) => note).join('\n')),
  ];
}

/** The series of the operator's own counter of violated invariants that are not 0; nothing of an operator that is gone or does not answer. */
async function violationsSeenBy(operator: RunningOperator): Promise<readonly string[]> {
  if (!operator.isRunning) return [];
  const metrics = await operator.health('/metrics').catch(() => undefined);
  // Metrics on a port of their own are not served here.
  if (metrics === undefined || metrics.status === 404) return [];
  const series = metrics.text
    .split('\n')
    .filter((line) => line.startsWith('batchtest_invariant_violations_total{'));
  if (series.length === 0) return ['the counter of invariant violations is missing'];
  return series.filter((line) => !line.endsWith(' 0'));
}

/** The manifest of a BatchTest whose pods KWOK plays as told. */
export function aBatchTest(options: BatchTestOptions): BatchTestManifest {
  const {
    name = 'cache',
    variants = 1,
    repetitions = 1,
    parallelism,
    trialDeadlineSeconds,
    spec,
    pod,
  } = options;
  const names =
    typeof variants === 'number' ? Array.from({ length: variants }, (_, index) => `v${index}`) : variants;
  return {
    apiVersion: API_VERSION,
    kind: KIND,
    metadata: { name },
    spec: {
      parallelism,
      repetitions,
      ...(trialDeadlineSeconds === undefined ? {} : { trialDeadlineSeconds }),
      variants: names.map((variant) => ({ name: variant, parameters: { CACHE: variant } })),
      objective: { metrics: [{ name: 'x', goal: 'minimize' }] },
      template: withPlay(
        { spec: { containers: [{ name: 'test', image: 'test:1', env: [SECRET_OF_PODS] }] } },
        pod,
      ),
      ...spec,
    },
  };
}

const SECRET_OF_PODS = { name: 'API_KEY', value: CANARY.podEnvironment };

/** What a program says that measured x. */
export const measured = (x: number): string =>
  JSON.stringify({ metrics: { x }, outputs: { note: CANARY.outputs } });

/** A pod of which the program ends well, soon. */
export const ENDS_SOON: PlayedPod = { runMs: 200, message: measured(1) };
/** A pod that runs for longer than any test, unless the test ends it. */
export const RUNS_ON: PlayedPod = { runMs: 3_600_000 };
