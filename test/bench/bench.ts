/**
 * `npm run bench [core|comparison|reflector|store|spawning|local…]`: measures the budgets and prints each figure beside its budget. It judges nothing by its exit code:
 * timings of a shared machine are noisy, and a figure that is over is for a person to look at.
 */
import { benchComparison } from './comparison.ts';
import { benchCore } from './core.ts';
import { type Figure, figureLine } from './figure.ts';
import { benchLocal } from './local.ts';
import { benchReflector } from './reflector.ts';
import { benchSpawning } from './spawning.ts';
import { benchStore } from './store.ts';

const BENCHMARKS: Readonly<Record<string, () => readonly Figure[] | Promise<readonly Figure[]>>> = {
  core: benchCore,
  comparison: benchComparison,
  reflector: benchReflector,
  store: benchStore,
  spawning: benchSpawning,
  local: benchLocal,
};

const chosen = process.argv.slice(2);
for (const name of chosen.length === 0 ? Object.keys(BENCHMARKS) : chosen) {
  const benchmark = BENCHMARKS[name];
  if (benchmark === undefined)
    throw new Error(`no benchmark ${name}; there are ${Object.keys(BENCHMARKS).join(', ')}`);
  process.stdout.write(`\n${name}\n`);
  for (const figure of await benchmark()) process.stdout.write(`  ${figureLine(figure)}\n`);
}
