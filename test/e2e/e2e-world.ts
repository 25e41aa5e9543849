import { inject, onTestFinished } from 'vitest';
import { API_VERSION, KIND, PLURAL } from '../../src/api/v1alpha1/constants.ts';
import type { BatchTestManifest, BatchTestSpec } from '../../src/api/v1alpha1/schema.ts';
import { isFinished } from '../../src/core/status.ts';
import { runningPods } from '../integration/operator-steps.ts';
import { query } from '../integration/postgres-server.ts';
import { createRestrictedNamespace } from '../integration/restricted-namespace.ts';
import { type StoredAttemptRow, storedAttempts } from '../integration/stored-attempts.ts';
import {
  type BatchTestObject,
  lastOf,
  recordNamespace,
  type WatchRecorder,
} from '../integration/watch-recorder.ts';
import { type ClusterClient, createClusterClient } from '../tools/cluster-client.ts';
import { imagesIn } from './images.ts';

/** Real pods take seconds, and the machine may be busy. */
export const DEADLINE_MS = 180_000;

/** What carries an attempt, of which the kubelet sees the pod alone. */
export const EXECUTIONS = ['Job', 'Pod'] as const satisfies readonly BatchTestSpec['execution'][];

/** A namespace for one test, which enforces the restricted Pod Security Standard, and what the operator of the cluster makes of BatchTests in it. */
export interface E2eWorld {
  readonly cluster: ClusterClient;
  readonly namespace: string;
  readonly recorder: WatchRecorder;
  readonly images: ReturnType<typeof imagesIn>;
  /** Creates the BatchTest; its UID. */
  create(manifest: BatchTestManifest): Promise<string>;
  /** Changes its spec. */
  edit(name: string, spec: Partial<BatchTestManifest['spec']>): Promise<void>;
  /** The run's object once its run is over and the operator has done with it. */
  untilOver(runUid: string, deadlineMs?: number): Promise<BatchTestObject>;
  /** Resolves when a pod of the run has a container that runs. */
  untilRunning(runUid: string): Promise<void>;
  attempts(runUid: string): Promise<readonly StoredAttemptRow[]>;
  /** What programs reported beside their metrics, by variant. */
  outputs(runUid: string): Promise<Readonly<Record<string, unknown>>>;
}

/** Opens a world, which goes with the test. */
export async function aWorld(name: string): Promise<E2eWorld> {
  const target = inject('target');
  const cluster = createClusterClient(target);
  const namespace = await createRestrictedNamespace(cluster, `e2e-${name}`);
  const recorder = await recordNamespace(target, namespace);
  const collection = `/apis/${API_VERSION}/namespaces/${namespace}/${PLURAL}`;
  onTestFinished(async ({ task }) => {
    if (task.result?.state === 'fail') process.stderr.write(await eventsOf(cluster, namespace));
    await recorder.close();
    await cluster.request('DELETE', `/api/v1/namespaces/${namespace}`);
    await cluster.close();
  });
  return {
    cluster,
    namespace,
    recorder,
    images: imagesIn(target.registry),
    create: async (manifest) =>
      (await cluster.request<BatchTestObject>('POST', collection, manifest)).metadata.uid,
    async edit(object, spec) {
      await cluster.request('PATCH', `${collection}/${object}`, { spec });
    },
    untilOver: (runUid, deadlineMs = DEADLINE_MS) =>
      recorder.until(
        'the run is over',
        (changes) => {
          const object = lastOf(changes, runUid);
          const isDone = isFinished(object?.status) && (object?.metadata.finalizers ?? []).length === 0;
          return isDone ? object : undefined;
        },
        deadlineMs,
      ),
    async untilRunning(runUid) {
      await recorder.until('a program runs', (changes) => runningPods(changes, runUid)[0], DEADLINE_MS);
    },
    attempts: (runUid) => storedAttempts(inject('database'), runUid),
    async outputs(runUid) {
      const rows = await query<{ name: string; outputs: unknown }>(
        inject('database'),
        `select v.name, a.outputs from batchtest.attempts a join batchtest.variants v using (run_uid, variant_id)
         where a.run_uid = $1`,
        [runUid],
      );
      return Object.fromEntries(rows.map(({ name, outputs }) => [name, outputs]));
    },
  };
}

/** How many are enough to see what happened. */
const LAST_EVENTS = 40;

async function eventsOf(cluster: ClusterClient, namespace: string): Promise<string> {
  const { items } = await cluster.request<{ items: readonly { reason: string; note: string }[] }>(
    'GET',
    `/apis/events.k8s.io/v1/namespaces/${namespace}/events`,
  );
  return items
    .slice(-LAST_EVENTS)
    .map(({ reason, note }) => `${namespace}: ${reason}: ${note}\n`)
    .join('');
}

/** A BatchTest whose variants are shell scripts, by name; each is one trial of the objective x. */
export function scripts(
  image: string,
  variants: Readonly<Record<string, string>>,
  further: {
    readonly spec?: Partial<BatchTestManifest['spec']>;
    readonly container?: Partial<
      NonNullable<BatchTestManifest['spec']['template']['spec']>['containers'][number]
    >;
    readonly pod?: Partial<NonNullable<BatchTestManifest['spec']['template']['spec']>>;
  } = {},
): BatchTestManifest {
  return {
    apiVersion: API_VERSION,
    kind: KIND,
    metadata: { name: 'scripts' },
    spec: {
      parallelism: 4,
      variants: Object.entries(variants).map(([name, SCRIPT]) => ({ name, parameters: { SCRIPT } })),
      objective: { metrics: [{ name: 'x', goal: 'minimize' }] },
      template: {
        spec: {
          restartPolicy: 'Never',
          ...further.pod,
          containers: [
            { name: 'test', image, command: ['/bin/sh', '-c', 'eval "$SCRIPT"'], ...further.container },
          ],
        },
      },
      ...further.spec,
    },
  };
}
