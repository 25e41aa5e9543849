import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import {
  LABEL_ATTEMPT,
  LABEL_REPETITION,
  LABEL_RUN_UID,
  LABEL_VARIANT_ID,
} from '../../src/api/v1alpha1/constants.ts';
import { projectPod } from '../../src/engine/kubernetes/attempt-projections.ts';
import { KubeClient } from '../../src/engine/kubernetes/kube-client.ts';
import { Reflector } from '../../src/engine/kubernetes/reflector.ts';
import type { Figure } from './figure.ts';

const LISTED = 10_000;
const WATCHED = 2_000;
/** As a server sends them: several events in one write. */
const CHUNK_EVENTS = 16;

/**
 * What it costs to take in what an API server tells of pods: the client, the decoding, the projection and the store of the real reflector. The server, which sends
 * texts that were made before, works in the same process, so the figures are a little too low.
 */
export async function benchReflector(): Promise<readonly Figure[]> {
  const listed = Array.from({ length: LISTED }, (_, index) => JSON.stringify(pod(index, 'Running', index)));
  const list = await reflect(listed, []);
  const events = lives(WATCHED);
  const watch = await reflect([], events);
  const watchedBytes = events.reduce((sum, event) => sum + Buffer.byteLength(event), 0);
  const seconds = watch.watchMs / 1_000;
  return [
    {
      name: `list ${LISTED.toLocaleString('en')} pods of ${(Buffer.byteLength(listed[0] ?? '') / 1_024).toFixed(1)} KiB`,
      value: list.listMs,
      unit: 'ms',
      budget: { atMost: 2_000 },
    },
    {
      name: 'events of pods that a watch takes in',
      value: events.length / seconds,
      unit: 'events/s',
      budget: { atLeast: 10_000 },
    },
    {
      name: 'the same in bytes',
      value: watchedBytes / 1e6 / seconds,
      unit: 'MB/s',
      budget: { atLeast: 40 },
    },
  ];
}

/** How long one reflector takes to list these, and then to take in these events. */
async function reflect(
  listed: readonly string[],
  events: readonly string[],
): Promise<{ readonly listMs: number; readonly watchMs: number }> {
  const server = createServer((request, response) => {
    const query = new URL(request.url ?? '', 'http://localhost').searchParams;
    response.setHeader('content-type', 'application/json');
    if (query.has('watch')) {
      // It stays open, as a watch does.
      pipeline(Readable.from(chunks(events)), response, { end: false }).catch(() => undefined);
      return;
    }
    const from = Number(query.get('continue') ?? 0);
    const until = Math.min(listed.length, from + Number(query.get('limit')));
    const metadata = { resourceVersion: '1', continue: until < listed.length ? String(until) : '' };
    response.end(`{"metadata":${JSON.stringify(metadata)},"items":[${listed.slice(from, until).join(',')}]}`);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const access = {
    server: `http://127.0.0.1:${port}`,
    namespace: undefined,
    credentials: async () => ({ headers: {}, tls: {} }),
  };
  const client = new KubeClient({ access, version: 'bench' });
  let left = listed.length;
  let onAll = (): void => {};
  const all = new Promise<void>((resolve) => {
    onAll = resolve;
  });
  const reflector = new Reflector({
    client,
    path: '/api/v1/pods',
    project: projectPod,
    onChange: () => {
      left -= 1;
      if (left === 0) onAll();
    },
  });
  try {
    const listedFrom = performance.now();
    reflector.start();
    await reflector.whenSynced();
    const listMs = performance.now() - listedFrom;
    if (left !== 0) throw new Error(`${left} of ${listed.length} pods were not listed`);
    left = events.length;
    const watchedFrom = performance.now();
    if (events.length > 0) await all;
    return { listMs, watchMs: performance.now() - watchedFrom };
  } finally {
    await reflector.stop();
    await client.close();
    server.closeAllConnections();
    server.close();
  }
}

function* chunks(events: readonly string[]): Generator<string> {
  for (let from = 0; from < events.length; from += CHUNK_EVENTS)
    yield events.slice(from, from + CHUNK_EVENTS).join('');
}

const PHASES = ['Pending', 'Pending', 'Running', 'Succeeded', 'Succeeded'] as const;

/** Pods that come, run, end and go, a hundred at a time: six lines of a watch for each. */
function lives(pods: number): readonly string[] {
  let version = 1;
  const line = (type: string, index: number, phase: string): string => {
    version += 1;
    return `${JSON.stringify({ type, object: pod(index, phase, version) })}\n`;
  };
  return Array.from({ length: pods / 100 }, (_, group) =>
    [...PHASES, 'DELETED' as const].flatMap((phase, step) =>
      Array.from({ length: 100 }, (_, member) => {
        const type = phase === 'DELETED' ? 'DELETED' : step === 0 ? 'ADDED' : 'MODIFIED';
        return line(type, 100 * group + member, phase === 'DELETED' ? 'Succeeded' : phase);
      }),
    ),
  ).flat();
}

/** A pod of a Job of ours as an API server gives it, with what a kubelet, a scheduler and the server's own bookkeeping add. */
function pod(index: number, phase: string, version: number): Parameters<typeof projectPod>[0] {
  const time = '2026-11-24T10:00:00Z';
  const labels = {
    [LABEL_RUN_UID]: '0f9c1a2b-7d1e-4d3a-9b60-2f5a3a9c1d11',
    [LABEL_VARIANT_ID]: index.toString(16).padStart(16, '0'),
    [LABEL_REPETITION]: '0',
    [LABEL_ATTEMPT]: '1',
  };
  const terminated = {
    exitCode: 0,
    reason: 'Completed',
    message: '{"metrics":{"p95_ms":41.2,"throughput":1180}}',
    startedAt: time,
    finishedAt: time,
  };
  const object = {
    kind: 'Pod',
    apiVersion: 'v1',
    metadata: {
      name: `bench-${index}-abcde`,
      namespace: 'team-a',
      uid: `00000000-0000-4000-8000-${index.toString(16).padStart(12, '0')}`,
      resourceVersion: String(version),
      creationTimestamp: time,
      labels: { ...labels, 'batch.kubernetes.io/job-name': `bench-${index}` },
      finalizers: ['batch.kubernetes.io/job-tracking'],
      ownerReferences: [
        {
          apiVersion: 'batch/v1',
          kind: 'Job',
          name: `bench-${index}`,
          uid: `j-${index}`,
          controller: true,
          blockOwnerDeletion: true,
        },
      ],
      managedFields: ['kube-controller-manager', 'kubelet'].map((manager) => ({
        manager,
        operation: 'Update',
        apiVersion: 'v1',
        time,
        fieldsType: 'FieldsV1',
        fieldsV1: Object.fromEntries(
          Array.from({ length: 24 }, (_, field) => [`f:field${field}`, { '.': {}, 'f:value': {} }]),
        ),
      })),
    },
    spec: {
      containers: [
        {
          name: 'test',
          image: 'ghcr.io/acme/checkout-bench:1.4.2',
          args: ['--cache=lru', '--workers=4'],
          env: Array.from({ length: 8 }, (_, variable) => ({ name: `VARIABLE_${variable}`, value: 'value' })),
          resources: { requests: { cpu: '1', memory: '256Mi' } },
          terminationMessagePath: '/dev/termination-log',
          terminationMessagePolicy: 'FallbackToLogsOnError',
        },
      ],
      restartPolicy: 'Never',
      nodeName: 'node-1',
      tolerations: ['not-ready', 'unreachable'].map((key) => ({
        key: `node.kubernetes.io/${key}`,
        operator: 'Exists',
        effect: 'NoExecute',
        tolerationSeconds: 300,
      })),
    },
    status: {
      phase,
      startTime: time,
      conditions: ['PodScheduled', 'Initialized', 'ContainersReady', 'Ready'].map((type) => ({
        type,
        status: 'True',
        lastProbeTime: null,
        lastTransitionTime: time,
      })),
      containerStatuses:
        phase === 'Pending'
          ? []
          : [
              {
                name: 'test',
                state: phase === 'Running' ? { running: { startedAt: time } } : { terminated },
                ready: phase === 'Running',
                restartCount: 0,
                image: 'ghcr.io/acme/checkout-bench:1.4.2',
                imageID: `ghcr.io/acme/checkout-bench@sha256:${'0'.repeat(64)}`,
                containerID: `containerd://${'0'.repeat(64)}`,
                started: phase === 'Running',
              },
            ],
    },
  };
  return object;
}
