import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, inject, onTestFinished } from 'vitest';
import { parse, stringify } from 'yaml';
import type { BatchTestManifest } from '../../src/api/v1alpha1/schema.ts';
import { databaseUrlOf } from '../integration/postgres-server.ts';
import { REPOSITORY } from '../tools/markdown-page.ts';
import { runCommand } from '../unit/cli/command-line.ts';
import type { E2eWorld } from './e2e-world.ts';

export interface Example {
  readonly file: string;
  readonly manifest: BatchTestManifest;
}

/**
 * A copy of an example with another image; it goes with the test.
 * @param command what runs without a cluster, when it is not what the example says
 */
export async function exampleWith(name: string, image: string, command?: string[]): Promise<Example> {
  const folder = await mkdtemp(join(tmpdir(), 'batchtest-example-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const filter = (path: string) => !path.endsWith('.venv');
  await cp(join(REPOSITORY, 'examples', name), folder, { recursive: true, filter });
  const file = join(folder, 'batchtest.yaml');
  const manifest: BatchTestManifest = parse(await readFile(file, 'utf8'));
  const [container] = manifest.spec.template.spec.containers;
  if (container === undefined) throw new Error('the example has no container');
  container.image = image;
  if (command !== undefined) manifest.spec.local = { ...manifest.spec.local, command };
  await writeFile(file, stringify(manifest));
  return { file, manifest };
}

/** What is exact is told as another kind of difference. */
const OF_SPEED = ['MetricDiffers', 'RankingDiffers'];

/**
 * Runs an example on this machine as well. Gives its best variant there, and how both runs differ, but for how fast the programs were: that depends on what
 * else the machine did.
 * @param exact the metric that is to be the same in both
 */
export async function comparedWithRunHere(
  world: E2eWorld,
  { file, manifest: { spec } }: Example,
  runUid: string,
  exact: string,
): Promise<{ readonly best: string; readonly differences: readonly unknown[] }> {
  const environment = { DATABASE_URL: databaseUrlOf(inject('database')) };
  const here = await runCommand(['run', file, '-o', 'json', '--quiet'], { environment });
  expect(here.exitCode, here.stderr).toBe(0);
  const { best, matrix, run } = JSON.parse(here.stdout);
  const parity = await runCommand(['parity', run.uid, runUid, '-o', 'json', '--exact', exact], {
    environment,
  });
  const { differences, ...compared } = JSON.parse(parity.stdout);
  expect(compared).toMatchObject({
    first: { engine: 'local' },
    second: { engine: 'kubernetes', namespace: world.namespace },
    compared: { variants: matrix.length, trials: matrix.length * (spec.repetitions ?? 1) },
  });
  return {
    best: best.name,
    differences: differences.filter(({ kind }: { kind: string }) => !OF_SPEED.includes(kind)),
  };
}
