/** The contenders of `npm run bench:local` do what is asked of them; how fast is not judged here. */
import { rmSync } from 'node:fs';
import { afterAll, expect, it } from 'vitest';
import { BARE_NODE } from '../../bench/local/bare-node-contender.ts';
import { BATCHTEST_RUN } from '../../bench/local/batchtest-contender.ts';
import { compare } from '../../bench/local/comparison.ts';
import type { Contender } from '../../bench/local/contender.ts';
import { STORING_NODE } from '../../bench/local/storing-node-contender.ts';
import { QUICK_WORK } from '../../bench/local/work.ts';
import { XARGS } from '../../bench/local/xargs-contender.ts';
import { temporaryDirectory } from '../../bench/temporary-directory.ts';

const directory = temporaryDirectory();
afterAll(() => rmSync(directory, { recursive: true, force: true, maxRetries: 20, retryDelay: 250 }));

const ABSENT: Contender = {
  ...XARGS,
  name: 'absent',
  prepare: async () => {
    throw new Error('not to be had', { cause: new Error('no such\n file') });
  },
};

it('has each contender run every program once, and tells of one that is not there', {
  timeout: 240_000,
}, async () => {
  const { contenders, work } = await compare([BATCHTEST_RUN, BARE_NODE, STORING_NODE, XARGS, ABSENT], {
    work: QUICK_WORK,
    rounds: 1,
    directory,
  });
  const found = new Map(contenders.map((contender) => [contender.name, contender]));
  expect([...found.keys()]).toEqual([
    'batchtest run',
    'bare Node',
    'bare Node, inserting',
    'xargs -P',
    'absent',
  ]);
  expect(found.get('absent')).toMatchObject({ rounds: [], notMeasured: 'not to be had (no such file)' });
  const storing = ['batchtest run', 'bare Node, inserting'];
  for (const name of ['batchtest run', 'bare Node', 'bare Node, inserting', 'xargs -P']) {
    const [figures] = found.get(name)?.rounds ?? [];
    expect(figures, name).toMatchObject({ committed: storing.includes(name) ? work.trials : 0 });
    const { firstResultMs = 0, makespanSeconds = 0, programsPerSecond, cpuSeconds, peakMiB } = figures ?? {};
    // A file system may tell times to the last tick of the kernel only.
    expect(firstResultMs, name).toBeGreaterThan(-10);
    expect(firstResultMs, name).toBeLessThanOrEqual(makespanSeconds * 1_000);
    expect(programsPerSecond, name).toBeGreaterThan(0);
    expect(cpuSeconds, name).toBeGreaterThan(0);
    expect(peakMiB, name).toBeGreaterThan(0);
  }
  expect(found.get('bare Node')?.rounds[0]).toMatchObject({ makespanRatio: 1, rateShare: 100 });
  expect(found.get('bare Node, inserting')?.rounds[0]).toMatchObject({ storingShare: 100 });
});

it('has Node start programs from JavaScript alone, as the shipped command does: a process with a loader in it is larger, which makes each start dearer', {
  timeout: 120_000,
}, async () => {
  const given: (string | undefined)[] = [];
  const contenders = [BATCHTEST_RUN, BARE_NODE, STORING_NODE].map(
    (contender): Contender => ({
      ...contender,
      launch(work, place) {
        const launch = contender.launch(work, place);
        given.push(launch.args[0]);
        return launch;
      },
    }),
  );
  await compare(contenders, {
    work: { trials: 4, parallelism: 2 },
    rounds: 1,
    directory: `${directory}/loaders`,
  });
  expect(given).toEqual(Array.from(contenders, () => expect.stringMatching(/^\/.*\.m?js$/)));
});

it('fails when a contender leaves a result out', { timeout: 60_000 }, async () => {
  const lazy: Contender = {
    ...BARE_NODE,
    name: 'lazy',
    launch: (work, place) => BARE_NODE.launch({ ...work, trials: work.trials - 1 }, place),
  };
  await expect(
    compare([lazy], { work: { trials: 4, parallelism: 2 }, rounds: 1, directory: `${directory}/lazy` }),
  ).rejects.toThrow('lazy ended with 0 and 3 of 4 results');
});
