/** The example of docs/quickstart.md in containers, by the operator from the chart, which loses its leader in the middle; and the same on this machine. */
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, inject, it, onTestFinished } from 'vitest';
import { parse, stringify } from 'yaml';
import type { BatchTestManifest } from '../../src/api/v1alpha1/schema.ts';
import { databaseUrlOf } from '../integration/postgres-server.ts';
import { carrierCreations, endedPods, mostLive, present } from '../integration/watch-recorder.ts';
import { REPOSITORY } from '../tools/markdown-page.ts';
import { runCommand } from '../unit/cli/command-line.ts';
import { aWorld, DEADLINE_MS, type E2eWorld } from './e2e-world.ts';
import { OPERATOR_NAMESPACE } from './installed-operator.ts';

it('runs the example as this machine does, each trial once, also when its leader is killed', {
  timeout: 480_000,
}, async () => {
  const world = await aWorld('compression');
  const example = await exampleWith(world.images.compression);
  const uid = await world.create(example.manifest);
  await world.recorder.until(
    'some trials have ended',
    (changes) => endedPods(changes, uid).size >= 5 || undefined,
    DEADLINE_MS,
  );
  const killed = await killLeader(world);
  expect(endedPods(world.recorder.changes(), uid).size).toBeLessThan(55);
  const { status } = await world.untilOver(uid);
  expect(status).toMatchObject({
    trials: { total: 55, succeeded: 55, failed: 0 },
    best: { name: 'brotli-11' },
  });
  expect(await leader(world)).not.toBe(killed);

  const attempts = await world.attempts(uid);
  expect(attempts).toHaveLength(55);
  expect(attempts.filter(({ attempt, is_accepted }) => attempt !== 1 || !is_accepted)).toEqual([]);
  // Pods go with their Jobs, which the garbage collector sees to.
  const changes = await world.recorder.until(
    'no pod is left',
    (seen) => (present(seen, uid, 'Pod').length === 0 ? seen : undefined),
    DEADLINE_MS,
  );
  expect([...carrierCreations(changes, uid).values()]).toEqual(Array.from({ length: 55 }, () => 1));
  expect(mostLive(changes, uid)).toBeLessThanOrEqual(2);

  const environment = { DATABASE_URL: databaseUrlOf(inject('database')) };
  const here = await runCommand(['run', example.file, '-o', 'json', '--quiet'], { environment });
  expect(here.exitCode, here.stderr).toBe(0);
  expect(JSON.parse(here.stdout).best).toMatchObject({ name: 'brotli-11' });
  const parity = await runCommand(
    ['parity', JSON.parse(here.stdout).run.uid, uid, '-o', 'json', '--exact', 'ratio'],
    { environment },
  );
  const { differences, ...compared } = JSON.parse(parity.stdout);
  expect(compared).toMatchObject({
    first: { engine: 'local' },
    second: { engine: 'kubernetes', namespace: world.namespace },
    compared: { variants: 11, trials: 55 },
  });
  // How fast the programs were depends on what else the machine did; that they did the same does not.
  const ofSpeed = ['MetricDiffers', 'RankingDiffers'];
  expect(differences.filter(({ kind }: { kind: string }) => !ofSpeed.includes(kind))).toEqual([]);
});

interface Example {
  readonly file: string;
  readonly manifest: BatchTestManifest;
}

/** A copy of examples/compression whose image is this one. */
async function exampleWith(image: string): Promise<Example> {
  const folder = await mkdtemp(join(tmpdir(), 'batchtest-example-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  await cp(join(REPOSITORY, 'examples/compression'), folder, { recursive: true });
  const file = join(folder, 'batchtest.yaml');
  const manifest: BatchTestManifest = parse(await readFile(file, 'utf8'));
  const [container] = manifest.spec.template.spec?.containers ?? [];
  if (container === undefined) throw new Error('the example has no container');
  container.image = image;
  await writeFile(file, stringify(manifest));
  return { file, manifest };
}

/** Name of the operator's pod that leads. */
async function leader({ cluster }: E2eWorld): Promise<string> {
  const { items } = await cluster.request<{
    items: readonly { metadata: { name: string }; spec: { holderIdentity?: string } }[];
  }>('GET', `/apis/coordination.k8s.io/v1/namespaces/${OPERATOR_NAMESPACE}/leases`);
  const [lease] = items;
  if (lease?.spec.holderIdentity === undefined) throw new Error(`nobody leads: ${JSON.stringify(items)}`);
  return lease.spec.holderIdentity;
}

/** Ends the leader's pod without a moment to give up its Lease. Gives the name of who led. */
async function killLeader(world: E2eWorld): Promise<string> {
  const identity = await leader(world);
  const pods = `/api/v1/namespaces/${OPERATOR_NAMESPACE}/pods`;
  const { items } = await world.cluster.request<{ items: readonly { metadata: { name: string } }[] }>(
    'GET',
    pods,
  );
  const pod = items.find(({ metadata }) => identity.includes(metadata.name));
  if (pod === undefined) throw new Error(`no pod is the leader ${identity}: ${JSON.stringify(items)}`);
  await world.cluster.request('DELETE', `${pods}/${pod.metadata.name}?gracePeriodSeconds=0`);
  return identity;
}
