/**
 * `npm run bench:cluster`: the operator beside other ways to do the same work, each in turn, on a real control plane whose nodes KWOK plays.
 * It judges nothing by its exit code, which says only whether everything was measured.
 */
import { existsSync, renameSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Option } from 'commander';
import { installCrd } from '../../integration/installed-crd.ts';
import { startPostgresServer } from '../../integration/postgres-server.ts';
import { BATCHTEST_PROGRAM, requireBatchtestProgram } from '../../tools/batchtest-program.ts';
import { startControlPlane } from '../../tools/control-plane.ts';
import { readOperatorImage } from '../../tools/operator-image.ts';
import { thisMachine, writeResult } from '../benchmark-result.ts';
import { benchmarkCommand, countingOption } from '../options.ts';
import { orderOfRound } from '../rounds.ts';
import { WRITES_POLICY } from './api-writes.ts';
import { ARGO_WORKFLOWS } from './argo-contender.ts';
import { calibrate } from './calibration.ts';
import type { Contender } from './contender.ts';
import { type Figures, figuresOf, type Resident, thinned } from './figures.ts';
import { INDEXED_JOB } from './indexed-job-contender.ts';
import { KUEUE } from './kueue-contender.ts';
import { LIMITS, type Limits } from './limits.ts';
import { LOOP_OF_JOBS, LOOP_OF_PODS } from './loop-contender.ts';
import { type Ground, observe } from './measurement.ts';
import { operatorContender } from './operator-contender.ts';
import type { BenchmarkResult, Comparison } from './result.ts';
import { calibrationText, comparisonText } from './result-text.ts';
import {
  CALIBRATION,
  expectedSeconds,
  type PlannedScenario,
  QUICK_SCENARIOS,
  SCENARIOS,
  scenarioText,
  WARM_UP,
} from './scenario.ts';
import { versionsOf } from './versions.ts';

const { nodeOptions, environment } = await readOperatorImage();
const OPERATOR = [...nodeOptions, BATCHTEST_PROGRAM];
const CONTENDERS: readonly Contender[] = [
  operatorContender(OPERATOR, 'Job', environment),
  operatorContender(OPERATOR, 'Pod', environment),
  LOOP_OF_JOBS,
  INDEXED_JOB,
  LOOP_OF_PODS,
  ARGO_WORKFLOWS,
  KUEUE,
];

const command = benchmarkCommand(
  'bench:cluster',
  'Measures the operator beside other ways to do the same work, on a real control plane whose nodes KWOK plays.',
)
  .addOption(countingOption('--rounds <n>', 'how often each contender does each scenario').default(3))
  .addOption(
    countingOption('--minutes <n>', 'begin no round that would take longer than that in all').default(80),
  )
  .addOption(
    new Option('--only <scenario...>', 'these scenarios alone').choices(SCENARIOS.map(({ name }) => name)),
  )
  .addOption(new Option('--limits <limits...>', 'these limits alone').choices(LIMITS))
  .addOption(
    new Option('--contender <name...>', 'these contenders alone').choices(CONTENDERS.map(({ name }) => name)),
  )
  .option('--against <main.js>', 'the command line of another build, as two contenders more')
  .option('--json <file>', 'write every figure of every round; a part replaces no file that is there')
  .option('--quick', 'tiny scenarios, to see that it works; the figures mean nothing', false)
  .parse();
const { rounds, minutes, quick, only, limits, contender, against, json } = command.opts<BenchmarkOptions>();
const isPart = [only, limits, contender, against].some((option) => option !== undefined);
if (isPart && json !== undefined && existsSync(json))
  command.error(
    `error: --json ${json}: it is there already, and a part of the measurements would replace all`,
  );
if (against !== undefined && !existsSync(against))
  command.error(`error: --against ${against}: there is no such file`);
const scenarios = (quick ? QUICK_SCENARIOS : SCENARIOS).filter(({ name }) => only?.includes(name) ?? true);
if (scenarios.length === 0) command.error(`error: --quick has none of ${only?.join(', ')}`);

interface BenchmarkOptions {
  readonly rounds: number;
  readonly minutes: number;
  readonly quick: boolean;
  readonly only?: readonly string[];
  readonly limits?: readonly Limits[];
  readonly contender?: readonly string[];
  readonly against?: string;
  readonly json?: string;
}

/** Ours first, each with that of the other build beside it. */
const chosen: readonly Contender[] = [
  ...CONTENDERS.filter(({ name }) => contender?.includes(name) ?? true),
  ...(against === undefined
    ? []
    : (['Job', 'Pod'] as const).map((execution) =>
        operatorContender([...nodeOptions, resolve(against)], execution, environment, ', other build'),
      )),
];

interface Task {
  readonly limits: Limits;
  readonly scenario: PlannedScenario;
  readonly contenders: readonly Contender[];
  readonly rounds: number;
}

const tasks: readonly Task[] = (limits ?? LIMITS)
  .flatMap((limits) =>
    scenarios
      .filter((scenario) => scenario.limits.includes(limits))
      .map((scenario) => ({
        limits,
        scenario,
        contenders: chosen.filter(
          ({ isOperator }) => isOperator === true || scenario.isForOperators !== true,
        ),
        rounds: Math.min(rounds, scenario.mostRounds ?? rounds),
      })),
  )
  .filter(({ contenders }) => contenders.length > 0);
if (tasks.length === 0) command.error('error: nothing is left to be measured');

const secondsOf = ({ limits, scenario, contenders, rounds }: Task): number =>
  SECONDS_TO_START + rounds * contenders.length * expectedSeconds(scenario, limits);
/** A control plane, and everything that is asked for but once. */
const SECONDS_TO_START = 15;
const SECONDS_TO_CALIBRATE = 60;
/** The API server answers the creation of an object late when its CRD is younger than 2 s, which a whole second tells it. */
const CRD_SETTLES_MS = 3_000;

const print = (text: string) => process.stdout.write(`${text}\n`);

requireBatchtestProgram();

const machine = thisMachine();
const expected = SECONDS_TO_CALIBRATE + tasks.reduce((sum, task) => sum + secondsOf(task), 0);
print(`This takes about ${Math.ceil(expected / 60)} minutes.`);
const endsAt = performance.now() + minutes * 60_000;
const directory = await mkdtemp(join(tmpdir(), 'batchtest-bench-cluster-'));
const postgres = await startPostgresServer();
try {
  const { calibration, versions } = await onControlPlane('raised', async (ground) => ({
    versions: await versionsOf(ground.cluster, postgres),
    calibration: await calibrate(ground, CALIBRATION),
  }));
  print(`${calibrationText(calibration)}\n`);
  const comparisons: Comparison[] = [];
  // What an earlier one has written stays until this one is done.
  const unfinished = json === undefined ? undefined : `${json}.unfinished`;
  for (const [index, task] of tasks.entries()) {
    const comparison = await compare(task, shareMs(tasks.slice(index)));
    print(`${comparisonText(comparison)}\n`);
    comparisons.push(comparison);
    // Each time, so that a measurement that fails takes nothing with it.
    const result: BenchmarkResult = {
      date: new Date().toISOString(),
      versions,
      machine,
      calibration,
      comparisons,
    };
    writeResult(unfinished, result);
  }
  if (json !== undefined && unfinished !== undefined) renameSync(unfinished, json);
} finally {
  await postgres.stop();
  await rm(directory, { recursive: true, force: true });
}

/** What the first of the tasks may take of the time that is left, given what each is expected to need. */
function shareMs(left: readonly Task[]): number {
  const [first, ...others] = left.map(secondsOf);
  if (first === undefined) return 0;
  const all = others.reduce((sum, seconds) => sum + seconds, first);
  return ((endsAt - performance.now()) * first) / all;
}

/** All contenders in turn, and again, in another order, until all rounds are done or another would take more than the share of time. */
async function compare({ limits, scenario, contenders, rounds }: Task, shareMs: number): Promise<Comparison> {
  const measured = new Map<Contender, Figures[]>(contenders.map((contender) => [contender, []]));
  const resident = new Map<Contender, readonly Resident[]>();
  const beganAt = performance.now();
  await onControlPlane(limits, async (ground) => {
    for (let round = 0; round < rounds; round += 1) {
      const roundBeganAt = performance.now();
      for (const contender of orderOfRound(contenders, round)) {
        process.stderr.write(
          `${limits} limits, ${scenarioText(scenario)}: round ${round + 1}, ${contender.name}\n`,
        );
        const observation = await observe(contender, scenario, ground);
        const figures = figuresOf(observation);
        measured.get(contender)?.push(figures);
        if (figures.residentGrowth !== undefined)
          resident.set(contender, thinned(observation.usage?.resident ?? []));
      }
      const now = performance.now();
      if (now - beganAt + (now - roundBeganAt) > shareMs) break;
    }
  });
  const { limits: _, mostRounds: __, isForOperators: ___, ...work } = scenario;
  return {
    limits,
    scenario: work,
    contenders: [...measured].map(([contender, found]) => {
      const memory = resident.get(contender);
      return {
        name: contender.name,
        ...(contender.isOperator === true ? { isOperator: true } : {}),
        rounds: found,
        ...(memory === undefined ? {} : { resident: memory }),
      };
    }),
  };
}

/** A control plane that starts empty, so that no scenario carries what the ones before it have left. */
async function onControlPlane<T>(limits: Limits, use: (ground: Ground) => Promise<T>): Promise<T> {
  const cluster = await startControlPlane({ clientLimits: limits, auditPolicy: WRITES_POLICY });
  try {
    await installCrd(cluster);
    await sleep(CRD_SETTLES_MS);
    return await use({ cluster, limits, postgres, directory, warmUp: WARM_UP });
  } finally {
    await cluster.stop();
  }
}
