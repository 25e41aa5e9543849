import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { median } from 'simple-statistics';
import type { Figure } from './figure.ts';
import { BARE_NODE } from './local/bare-node-contender.ts';
import { BATCHTEST_RUN } from './local/batchtest-contender.ts';
import { compare } from './local/comparison.ts';
import type { FigureName } from './local/figures.ts';
import { measure } from './local/measurement.ts';
import { WORK } from './local/work.ts';
import { temporaryDirectory } from './temporary-directory.ts';

const ROUNDS = 3;

/** The local engine against bare child processes of Node; `npm run bench:local` has it compete with more. Needs `npm run build`. */
export async function benchLocal(): Promise<readonly Figure[]> {
  const directory = temporaryDirectory();
  try {
    const { contenders } = await compare([BATCHTEST_RUN, BARE_NODE], {
      work: WORK,
      rounds: ROUNDS,
      directory,
    });
    const [ours = [], bare = []] = contenders.map(({ rounds, notMeasured }) => {
      if (notMeasured !== undefined) throw new Error(notMeasured);
      return rounds;
    });
    const middle = (rounds: typeof ours, name: FigureName) =>
      median(rounds.map((figures) => figures[name] ?? Number.NaN));
    const bareRate = middle(bare, 'programsPerSecond');
    const coldStarts: number[] = [];
    for (let round = 0; round < ROUNDS; round += 1) {
      const single = await measure(
        BATCHTEST_RUN,
        { trials: 4, parallelism: 4 },
        join(directory, `single-${round}`),
      );
      coldStarts.push(1_000 * (single.makespanSeconds ?? Number.NaN));
    }
    return [
      {
        name: "share of bare Node's rate of the same programs",
        value: middle(ours, 'rateShare'),
        unit: '%',
        budget: { atLeast: 80 },
      },
      // What 80 % of the bare rate leaves for it.
      {
        name: 'overhead of one trial',
        value: 1_000 / middle(ours, 'programsPerSecond') - 1_000 / bareRate,
        unit: 'ms',
        budget: { atMost: 250 / bareRate },
      },
      {
        name: 'cold start to the first stored result',
        value: middle(ours, 'firstResultMs'),
        unit: 'ms',
        budget: { atMost: 2_000 },
      },
      {
        name: 'cold start to the report of a run of four trials',
        value: median(coldStarts),
        unit: 'ms',
        budget: { atMost: 2_000 },
      },
      {
        name: 'resident memory with the embedded Postgres (PSS)',
        value: Math.max(...ours.map(({ peakMiB }) => peakMiB ?? Number.NaN)) * 1.048576,
        unit: 'MB',
        budget: { atMost: 300 },
      },
    ];
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
