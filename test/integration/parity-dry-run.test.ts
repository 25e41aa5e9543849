/** `batchtest parity FILE` with an API server: it is asked, and keeps nothing. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, it, vi } from 'vitest';
import { runCommand } from '../unit/cli/command-line.ts';
import {
  aBatchTest,
  ENDS_SOON,
  type OperatorSite,
  type OperatorWorld,
  openOperatorSite,
} from './operator-world.ts';

// Several calls of the command line, one after the other.
vi.setConfig({ testTimeout: 120_000 });

let site: OperatorSite;
beforeAll(async () => {
  site = await openOperatorSite(inject('controlPlane'));
});
afterAll(() => site?.close());

const MANIFEST = aBatchTest({
  variants: 2,
  parallelism: 1,
  pod: ENDS_SOON,
  spec: { local: { command: ['true'] } },
});

async function parity(
  world: OperatorWorld,
  manifest: unknown,
  kubeconfig = inject('controlPlane').kubeconfigPath,
) {
  const finished = await runCommand(
    ['parity', '-', '-n', world.namespace, '--kubeconfig', kubeconfig, '-o', 'json'],
    { input: JSON.stringify(manifest) },
  );
  return { ...finished, run: JSON.parse(finished.stdout) };
}

/** Names of what is in the namespace. */
async function contents(world: OperatorWorld): Promise<readonly string[]> {
  const collections = [
    `/apis/batchtest.dev/v1alpha1/namespaces/${world.namespace}/batchtests`,
    `/apis/batch/v1/namespaces/${world.namespace}/jobs`,
    `/api/v1/namespaces/${world.namespace}/pods`,
  ];
  const lists = await Promise.all(
    collections.map((path) =>
      world.cluster.request<{ items: readonly { metadata: { name: string } }[] }>('GET', path),
    ),
  );
  return lists.flatMap(({ items }) => items.map(({ metadata }) => metadata.name));
}

describe('batchtest parity with a cluster', () => {
  it('has the BatchTest and a pod admitted that runs without a Job', async () => {
    const world = await site.aWorld('parity-pod');
    const { exitCode, run } = await parity(world, {
      ...MANIFEST,
      spec: { ...MANIFEST.spec, execution: 'Pod' },
    });
    expect(exitCode).toBe(0);
    expect(run.server.objects).toEqual(
      ['BatchTest', 'Pod'].map((kind) => ({ kind, outcome: 'Accepted', message: null })),
    );
    expect(run.jobs.map(({ kind }: { kind: string }) => kind)).toEqual(['Pod', 'Pod']);
    expect(await contents(world)).toEqual([]);
  });

  it('has the BatchTest, a Job and its pod admitted, and creates none of them', async () => {
    const world = await site.aWorld('parity');
    const { exitCode, stderr, run } = await parity(world, MANIFEST);
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    expect(run.server).toEqual({
      kind: 'Checked',
      server: inject('controlPlane').url,
      namespace: world.namespace,
      objects: ['BatchTest', 'Job', 'Pod'].map((kind) => ({ kind, outcome: 'Accepted', message: null })),
    });
    expect(await contents(world)).toEqual([]);
    expect(world.recorder.changes()).toEqual([]);
  });

  it('says the same of a manifest whose name is taken, and leaves what has the name alone', async () => {
    const world = await site.aWorld('parity-taken');
    const uid = await world.create(MANIFEST);
    const { run } = await parity(world, MANIFEST);
    expect(run.server.objects[0]).toEqual({ kind: 'BatchTest', outcome: 'Accepted', message: null });
    expect(await contents(world)).toEqual(['cache']);
    expect(world.recorder.changes().map(({ type, object }) => [type, object.metadata.uid])).toEqual([
      ['ADDED', uid],
    ]);
  });

  it('tells what the namespace would refuse: a pod without the limits that a quota asks for', async () => {
    const world = await site.aWorld('parity-quota');
    await world.cluster.request('POST', `/api/v1/namespaces/${world.namespace}/resourcequotas`, {
      metadata: { name: 'memory' },
      spec: { hard: { 'limits.memory': '1Gi' } },
    });
    // The quota is known to admission a moment after it is created.
    await expect
      .poll(async () => (await parity(world, MANIFEST)).run.server.objects[2], { timeout: 45_000 })
      .toMatchObject({ kind: 'Pod', outcome: 'Refused', message: expect.stringContaining('limits.memory') });
    const { exitCode, run } = await parity(world, MANIFEST);
    expect(exitCode).toBe(1);
    expect(run.verdict).toBe('Different');
  });

  it('tells beforehand that a namespace which enforces the restricted standard would refuse the pod', async () => {
    const world = await site.aWorld('parity-restricted');
    const containers = [{ name: 'test', image: 'test:1', securityContext: { privileged: true } }];
    const privileged = { ...MANIFEST, spec: { ...MANIFEST.spec, template: { spec: { containers } } } };
    const { exitCode, run } = await parity(world, privileged);
    expect(exitCode).toBe(1);
    expect(run.server.objects[2]).toMatchObject({
      kind: 'Pod',
      outcome: 'Refused',
      message: expect.stringContaining('violates PodSecurity "restricted:latest": privileged'),
    });
  });

  it('says so when the one who asks may not create them, which is no difference', async () => {
    const world = await site.aWorld('parity-rights');
    const file = join(world.directory, 'nobody.kubeconfig');
    await writeFile(file, await world.cluster.kubeconfigForServiceAccount(world.namespace, 'nobody'), {
      mode: 0o600,
    });
    const { exitCode, run } = await parity(world, MANIFEST, file);
    expect(exitCode).toBe(0);
    expect(run.server.objects).toEqual(
      ['BatchTest', 'Job', 'Pod'].map((kind) => ({
        kind,
        outcome: 'NotAllowed',
        message: expect.stringContaining('cannot create resource'),
      })),
    );
  });
});
