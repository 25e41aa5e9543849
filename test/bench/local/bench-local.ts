/**
 * `npm run bench:local`: the local engine beside other ways to run the same programs on one machine, each in turn. It judges nothing by its exit code, which says
 * only whether everything that can be measured here was.
 */
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, totalmem } from 'node:os';
import { parseArgs } from 'node:util';
import { temporaryDirectory } from '../temporary-directory.ts';
import { BARE_NODE } from './bare-node-contender.ts';
import { batchtestContender } from './batchtest-contender.ts';
import { compare } from './comparison.ts';
import { rayContender } from './ray-contender.ts';
import { localText } from './result-text.ts';
import { QUICK_WORK, WORK } from './work.ts';
import { XARGS } from './xargs-contender.ts';

const { values: options } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    rounds: { type: 'string' },
    json: { type: 'string' },
  },
});
const rounds = options.rounds ?? (options.quick ? '1' : '3');
if (!/^[1-9]\d{0,3}$/.test(rounds))
  throw new Error(`--rounds ${rounds}: must be a whole number from 1 to 9999`);
if (!existsSync('/proc/self/smaps_rollup'))
  throw new Error('bench:local needs Linux: memory and processor time are read from /proc');

const machine = {
  processors: `${cpus().length} × ${cpus()[0]?.model ?? 'unknown processor'}`,
  memoryGiB: Math.round(totalmem() / 2 ** 30),
  loadBefore: loadavg()[0] ?? 0,
};
const own = batchtestContender(['dist/cli/main.js']);
// There is nothing to compare without it.
await own.prepare();
const directory = temporaryDirectory();
try {
  const found = await compare(
    [own, BARE_NODE, XARGS, rayContender()],
    {
      work: options.quick ? QUICK_WORK : WORK,
      rounds: Number(rounds),
      directory,
    },
    (doing) => process.stderr.write(`${doing}\n`),
  );
  const result = { date: new Date().toISOString(), machine, ...found };
  process.stdout.write(`${localText(result)}\n`);
  if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify(result, undefined, 2)}\n`);
} finally {
  rmSync(directory, { recursive: true, force: true });
}
