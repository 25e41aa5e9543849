/**
 * `npm run bench [core|comparison|reflector|store|command|spawning|local…]`: measures the budgets and prints each figure beside its budget. It judges nothing by its exit code:
 * timings of a shared machine are noisy, and a figure that is over is for a person to look at.
 */
import { Argument } from 'commander';
import { benchCommand } from './command.ts';
import { benchComparison } from './comparison.ts';
import { benchCore } from './core.ts';
import { type Figure, figureLine } from './figure.ts';
import { benchLocal } from './local.ts';
import { benchmarkCommand } from './options.ts';
import { benchReflector } from './reflector.ts';
import { benchSpawning } from './spawning.ts';
import { benchStore } from './store.ts';

const BENCHMARKS: Readonly<Record<string, () => readonly Figure[] | Promise<readonly Figure[]>>> = {
  core: benchCore,
  comparison: benchComparison,
  reflector: benchReflector,
  store: benchStore,
  command: benchCommand,
  spawning: benchSpawning,
  local: benchLocal,
};

const NAMES = Object.keys(BENCHMARKS);
const command = benchmarkCommand('bench', 'Measures the budgets and prints each figure beside its budget.')
  .addArgument(new Argument('[parts...]', 'what is measured').choices(NAMES).default(NAMES, 'all'))
  .parse();
const chosen: readonly string[] = command.processedArgs[0];
for (const name of chosen) {
  process.stdout.write(`\n${name}\n`);
  const figures = await BENCHMARKS[name]?.();
  for (const figure of figures ?? []) process.stdout.write(`  ${figureLine(figure)}\n`);
}
