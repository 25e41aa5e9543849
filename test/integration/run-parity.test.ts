/** The same manifest run by the operator and locally, compared by `batchtest parity RUN1 RUN2` in the operator's database. */
import { afterAll, beforeAll, expect, inject, it, onTestFinished, vi } from 'vitest';
import type { BatchTestManifest } from '../../src/api/v1alpha1/schema.ts';
import { aDataDirectory, runCommand } from '../unit/cli/command-line.ts';
import {
  aBatchTest,
  ENDS_SOON,
  measured,
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

/** In a cluster, KWOK says that x is 1; locally the program says this. */
const manifest = (local: string): BatchTestManifest =>
  aBatchTest({
    variants: ['lru', 'fifo'],
    repetitions: 3,
    parallelism: 3,
    pod: ENDS_SOON,
    spec: { local: { command: ['/bin/sh', '-c', local] } },
  });

const SAYS_THE_SAME = `echo '${measured(1)}' > "$$BATCHTEST_RESULT_FILE"`;

async function compared(world: OperatorWorld, local: string, ...options: readonly string[]) {
  const data = aDataDirectory();
  onTestFinished(() => data.remove());
  const environment = { DATABASE_URL: world.databaseUrl };
  const here = await runCommand(['run', '-', '-o', 'json', '--quiet', '--data-dir', data.path], {
    input: JSON.stringify(manifest(local)),
    environment,
  });
  const there = await world.create(manifest(local));
  await world.untilLetGo(there);
  await world.remove('cache');
  const { uid } = JSON.parse(here.stdout).run;
  const parity = await runCommand(['parity', uid, there, '-o', 'json', ...options], { environment });
  return { ...parity, parity: JSON.parse(parity.stdout) };
}

it('finds a local run and one of a cluster the same, and what is not when the program does otherwise', async () => {
  const world = await site.aWorld('run-parity');
  await world.startOperator();
  const same = await compared(world, SAYS_THE_SAME, '--exact', 'x');
  expect({ exitCode: same.exitCode, stderr: same.stderr }).toEqual({ exitCode: 0, stderr: '' });
  expect(same.parity).toMatchObject({
    verdict: 'Same',
    first: { engine: 'local' },
    second: { engine: 'kubernetes', namespace: world.namespace },
    compared: { variants: 2, trials: 6 },
    differences: [],
    notes: ['the command was not compared: an image, a Secret, a ConfigMap or the pod has it'],
  });
  expect(same.parity.metrics.map(({ how }: { how: string }) => how)).toEqual(['Informative', 'Informative']);

  const other = await compared(world, `[ "$$CACHE" = lru ] && exit 7; ${SAYS_THE_SAME}`);
  expect(other.exitCode).toBe(1);
  expect(other.parity.differences).toMatchObject([
    { kind: 'RunEndDiffers', examples: ['the runs ended as Failed and Complete'] },
    { kind: 'OutcomeDiffers', count: 3 },
    {
      kind: 'ExitClassDiffers',
      count: 3,
      examples: expect.arrayContaining(['lru, repetition 0: another exit code and exit code 0']),
    },
  ]);
});
