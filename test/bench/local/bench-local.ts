/**
 * `npm run bench:local`: the local engine beside other ways to run the same programs on one machine, each in turn. It judges nothing by its exit code, which says
 * only whether everything that can be measured here was.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, rmSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { thisMachine, writeResult } from '../benchmark-result.ts';
import { benchmarkCommand, countingOption } from '../options.ts';
import { temporaryDirectory } from '../temporary-directory.ts';
import { BARE_NODE } from './bare-node-contender.ts';
import { BATCHTEST_RUN } from './batchtest-contender.ts';
import { compare } from './comparison.ts';
import { rayContender } from './ray-contender.ts';
import { localText } from './result-text.ts';
import { STORING_NODE } from './storing-node-contender.ts';
import { QUICK_WORK, WORK } from './work.ts';
import { XARGS } from './xargs-contender.ts';

interface BenchmarkOptions {
  readonly rounds?: number;
  readonly quick: boolean;
  readonly json?: string;
}

const options = benchmarkCommand(
  'bench:local',
  'Measures `batchtest run` beside other ways to run the same programs on one machine.',
)
  .addOption(countingOption('--rounds <n>', 'how often each contender does the work (default: 3, quick 1)'))
  .option('--json <file>', 'write every figure of every round')
  .option('--quick', '40 programs, one round, to see that it works; the figures mean nothing', false)
  .parse()
  .opts<BenchmarkOptions>();
const rounds = options.rounds ?? (options.quick ? 1 : 3);
if (!existsSync('/proc/self/smaps_rollup'))
  throw new Error('bench:local needs Linux: memory and processor time are read from /proc');

/** For a minute after they were freed, and were written back, ext4 passes over inodes one by one to leave them unused (`recently_deleted` in its ialloc.c). */
const INODES_REST_MS = 61_000;

// There is nothing to compare without it.
await BATCHTEST_RUN.prepare();
if (!options.quick) {
  process.stderr.write('waiting for a minute: files that were removed just now would make new ones slow\n');
  execFileSync('sync');
  await sleep(INODES_REST_MS);
}
const machine = thisMachine();
const directory = temporaryDirectory();
try {
  const found = await compare(
    [BATCHTEST_RUN, BARE_NODE, STORING_NODE, XARGS, rayContender()],
    {
      work: options.quick ? QUICK_WORK : WORK,
      rounds,
      directory,
    },
    (doing) => process.stderr.write(`${doing}\n`),
  );
  const result = { date: new Date().toISOString(), machine, ...found };
  process.stdout.write(`${localText(result)}\n`);
  writeResult(options.json, result);
} finally {
  rmSync(directory, { recursive: true, force: true });
}
