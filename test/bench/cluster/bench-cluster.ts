/**
 * `npm run bench:cluster`: the operator beside other ways to do the same work, each in turn, on a real control plane whose nodes KWOK plays.
 * It judges nothing by its exit code, which says only whether everything was measured.
 */
import { existsSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { cpus, loadavg, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { installCrd } from '../../integration/installed-crd.ts';
import { type PostgresServer, startPostgresServer } from '../../integration/postgres-server.ts';
import { startControlPlane } from '../../tools/control-plane.ts';
import { WRITES_POLICY } from './api-writes.ts';
import type { Contender } from './contender.ts';
import { type Figures, figuresOf, type Rates, ratesOf } from './figures.ts';
import { INDEXED_JOB } from './indexed-job-contender.ts';
import { LOOP_OF_JOBS, LOOP_OF_PODS } from './loop-contender.ts';
import { type Ground, observe } from './measurement.ts';
import { operatorContender } from './operator-contender.ts';
import { type BenchmarkResult, type Comparison, LIMITS, type Limits } from './result.ts';
import { benchmarkMarkdown, calibrationText, comparisonText } from './result-text.ts';
import { CALIBRATION, QUICK_SCENARIOS, SCENARIOS, type Scenario, scenarioText } from './scenario.ts';
import { versionsOf } from './versions.ts';

/** As it is shipped: from its source it would need more memory. */
const OPERATOR = 'dist/cli/main.js';
const CONTENDERS: readonly Contender[] = [
  operatorContender([OPERATOR]),
  LOOP_OF_JOBS,
  INDEXED_JOB,
  LOOP_OF_PODS,
];

const { values: options } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    rounds: { type: 'string', default: '3' },
    minutes: { type: 'string', default: '60' },
    json: { type: 'string' },
    markdown: { type: 'string' },
  },
});
const rounds = positiveInteger('--rounds', options.rounds);
const minutes = positiveInteger('--minutes', options.minutes);
const scenarios = options.quick ? QUICK_SCENARIOS : SCENARIOS;

function positiveInteger(option: string, text: string): number {
  if (!/^[1-9]\d{0,3}$/.test(text))
    throw new Error(`${option} ${text}: must be a whole number from 1 to 9999`);
  return Number(text);
}

const print = (text: string) => process.stdout.write(`${text}\n`);

if (!existsSync(fileURLToPath(new URL(`../../../${OPERATOR}`, import.meta.url))))
  throw new Error(`${OPERATOR} is missing: run npm run build first`);

const machine: BenchmarkResult['machine'] = {
  processors: `${cpus().length} × ${cpus()[0]?.model ?? 'unknown processor'}`,
  memoryGiB: Math.round(totalmem() / 2 ** 30),
  loadBefore: loadavg()[0] ?? 0,
};
const directory = await mkdtemp(join(tmpdir(), 'batchtest-bench-cluster-'));
const postgres = await startPostgresServer();
try {
  const { calibration, versions } = await calibrate(postgres);
  print(`${calibrationText(calibration)}\n`);
  const shareMs = (minutes * 60_000) / (LIMITS.length * scenarios.length);
  const comparisons: Comparison[] = [];
  for (const limits of LIMITS)
    for (const scenario of scenarios) {
      const comparison = await compare(limits, scenario, shareMs);
      print(`${comparisonText(comparison)}\n`);
      comparisons.push(comparison);
      // Each time, so that a measurement that fails takes nothing with it.
      write({ date: new Date().toISOString(), versions, machine, calibration, comparisons });
    }
} finally {
  await postgres.stop();
  await rm(directory, { recursive: true, force: true });
}

function write(result: BenchmarkResult): void {
  if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify(result, undefined, 2)}\n`);
  if (options.markdown !== undefined) writeFileSync(options.markdown, benchmarkMarkdown(result));
}

/** How fast the control plane and KWOK are by themselves. */
function calibrate(
  server: PostgresServer,
): Promise<{ readonly calibration: Rates; readonly versions: BenchmarkResult['versions'] }> {
  return onControlPlane('raised', async (ground) => ({
    calibration: ratesOf(await observe(LOOP_OF_PODS, CALIBRATION, ground)),
    versions: await versionsOf(ground.cluster, server),
  }));
}

/** All contenders in turn, and again, in another order, until all rounds are done or another would take more than the time that is left. */
async function compare(limits: Limits, scenario: Scenario, shareMs: number): Promise<Comparison> {
  const measured = new Map<string, Figures[]>(CONTENDERS.map(({ name }) => [name, []]));
  const beganAt = performance.now();
  await onControlPlane(limits, async (ground) => {
    for (let round = 0; round < rounds; round += 1) {
      const roundBeganAt = performance.now();
      for (const contender of rotated(CONTENDERS, round)) {
        process.stderr.write(
          `${limits} limits, ${scenarioText(scenario)}: round ${round + 1}, ${contender.name}\n`,
        );
        measured.get(contender.name)?.push(figuresOf(await observe(contender, scenario, ground)));
      }
      const now = performance.now();
      if (now - beganAt + (now - roundBeganAt) > shareMs) break;
    }
  });
  return { limits, scenario, contenders: [...measured].map(([name, found]) => ({ name, rounds: found })) };
}

function rotated<T>(items: readonly T[], by: number): readonly T[] {
  const first = by % items.length;
  return [...items.slice(first), ...items.slice(0, first)];
}

/** A control plane that starts empty, so that no scenario carries what the ones before it have left. */
async function onControlPlane<T>(limits: Limits, use: (ground: Ground) => Promise<T>): Promise<T> {
  const cluster = await startControlPlane({ controllerManagerLimits: limits, auditPolicy: WRITES_POLICY });
  try {
    await installCrd(cluster);
    return await use({ cluster, postgres, directory });
  } finally {
    await cluster.stop();
  }
}
