/** Results that programs push from their pods: the token that the kubelet gives them, the way to the operator, and what comes of it. */
import { expect, inject, it, onTestFinished, vi } from 'vitest';
import type { BatchTestManifest } from '../../src/api/v1alpha1/schema.ts';
import { query } from '../integration/postgres-server.ts';
import type { ClusterClient } from '../tools/cluster-client.ts';
import { createTcpGate } from '../tools/tcp-gate.ts';
import { aWorld, DEADLINE_MS, type E2eWorld, EXECUTIONS, scripts } from './e2e-world.ts';
import { INGEST_PORT, INGEST_SERVICE, operatorPods } from './installed-operator.ts';

/** Pushes a result that is a hundred times as large as a termination message may be. */
const PUSH = [
  `printf '{"metrics":{"x":1},"outputs":{"trace":"%s"}}' "$(head -c 400000 /dev/zero | tr '\\0' a)" >/tmp/result.json`,
  'wget -q -O /dev/null --header "Authorization: Bearer $(cat "$BATCHTEST_TOKEN_FILE")" --post-file /tmp/result.json "$BATCHTEST_RESULT_URL"',
].join(' && ');

it.each(EXECUTIONS)(
  'stores what a program pushes from its pod, with the token of the pod alone, of a %s',
  async (execution) => {
    const world = await aWorld(`pushed-${execution.toLowerCase()}`);
    const manifest = scripts(
      world.images.shell,
      {
        pushes: PUSH,
        'pushes-and-fails': `${PUSH}; exit 3`,
        'pushes-nothing': 'true',
        'pushes-without-token': `BATCHTEST_TOKEN_FILE=/dev/null; ${PUSH}`,
      },
      {
        spec: { execution, results: { push: true } },
        pod: { ...(await wayToTheOperator(world)), volumes: [{ name: 'scratch', emptyDir: {} }] },
        container: { volumeMounts: [{ name: 'scratch', mountPath: '/tmp' }] },
      },
    );
    const uid = await world.create(manifest);
    await world.untilOver(uid);
    expect(await world.attempts(uid)).toMatchObject([
      { variant: 'pushes', outcome: 'Succeeded', message: '', exit_code: 0 },
      { variant: 'pushes-and-fails', outcome: 'TestFailed', exit_code: 3 },
      { variant: 'pushes-nothing', outcome: 'ResultInvalid', reason: 'NoResult' },
      {
        variant: 'pushes-without-token',
        outcome: 'TestFailed',
        message: expect.stringContaining('401 Unauthorized'),
      },
    ]);
    const lengths = await query(
      inject('database'),
      `select length(outputs->>'trace') as length from batchtest.attempts where run_uid = $1 and outputs is not null`,
      [uid],
    );
    expect(lengths).toEqual([{ length: 400_000 }]);
  },
);

type PodSpec = NonNullable<BatchTestManifest['spec']['template']['spec']>;

/**
 * What a pod needs to reach the Service that takes results. Where a cluster has a DNS, that is nothing. The node of this machine has none, and nobody who would lead Services' addresses
 * to pods: there the name leads to this machine, and from it to one of the operator's pods.
 */
async function wayToTheOperator({ cluster }: E2eWorld): Promise<Pick<PodSpec, 'hostAliases'>> {
  const { items: services } = await cluster.request<{ items: readonly { metadata: { name: string } }[] }>(
    'GET',
    '/api/v1/namespaces/kube-system/services',
  );
  if (services.some(({ metadata }) => metadata.name === 'kube-dns')) return {};
  const host = await vi.waitFor(() => addressOfStandby(cluster), { timeout: DEADLINE_MS, interval: 500 });
  const { machineAddress } = inject('target');
  const gate = await createTcpGate({ host, port: INGEST_PORT }, { host: machineAddress, port: INGEST_PORT });
  await gate.open();
  onTestFinished(() => gate.shut());
  return { hostAliases: [{ ip: machineAddress, hostnames: [INGEST_SERVICE] }] };
}

/** It takes results as well as the leader, which operator.test.ts ends. */
async function addressOfStandby(cluster: ClusterClient): Promise<string> {
  const { others } = await operatorPods(cluster);
  const address = others.find(({ status }) => status.podIP !== undefined)?.status.podIP;
  if (address === undefined)
    throw new Error(`no pod that stands by has an address: ${JSON.stringify(others)}`);
  return address;
}
