import { execFile, spawn } from 'node:child_process';
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { type Figure, median } from './figure.ts';
import { temporaryDirectory } from './temporary-directory.ts';

const TRIALS = 2_000;
const PARALLELISM = 4;
const VARIANTS = ['a', 'b', 'c', 'd'];
const ROUNDS = 3;
const bareSpawn = fileURLToPath(new URL('./bare-spawn.mjs', import.meta.url));
const cli = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));

/**
 * The local engine against bare child processes of Node that do the same: 2,000 starts of a program that writes its result, four at a
 * time. Rounds alternate, so that a machine whose speed drifts treats both alike. Needs `npm run build`.
 */
export async function benchLocal(): Promise<readonly Figure[]> {
  const folder = temporaryDirectory();
  // A program as small as they come: a static binary would need a compiler, and node takes 40 ms to start.
  const program = ['/bin/sh', '-c', 'echo \'{"metrics":{"m":1}}\' > "$BATCHTEST_RESULT_FILE"'];
  const manifest = join(folder, 'bench.json');
  writeFileSync(manifest, JSON.stringify(manifestOf(program, TRIALS / VARIANTS.length, VARIANTS)));
  const single = join(folder, 'single.json');
  writeFileSync(single, JSON.stringify(manifestOf(program, 1, ['only'])));
  try {
    const rates: number[] = [];
    const bareRates: number[] = [];
    const memory: number[] = [];
    const firstResults: number[] = [];
    for (let round = 0; round < ROUNDS; round += 1) {
      bareRates.push(await bareRate(program, folder));
      const measured = await measuredRun(manifest, join(folder, `data-${round}`), TRIALS);
      rates.push(measured.trialsPerSecond);
      memory.push(measured.residentMb);
      firstResults.push((await measuredRun(single, join(folder, `single-${round}`), 1)).wallMs);
    }
    const ratios = rates.map((rate, round) => rate / (bareRates[round] ?? Number.NaN));
    return [
      {
        name: "share of bare Node's rate of the same programs",
        value: 100 * median(ratios),
        unit: '%',
        budget: { atLeast: 80 },
      },
      // What 80 % of the bare rate leaves for it.
      {
        name: 'overhead of one trial',
        value: 1_000 / median(rates) - 1_000 / median(bareRates),
        unit: 'ms',
        budget: { atMost: 250 / median(bareRates) },
      },
      {
        name: 'cold start to the report of a run of one trial',
        value: median(firstResults),
        unit: 'ms',
        budget: { atMost: 2_000 },
      },
      {
        name: 'resident memory with the embedded Postgres (PSS)',
        value: Math.max(...memory),
        unit: 'MB',
        budget: { atMost: 300 },
      },
    ];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const manifestOf = (command: readonly string[], repetitions: number, values: readonly string[]): unknown => ({
  apiVersion: 'batchtest.dev/v1alpha1',
  kind: 'BatchTest',
  metadata: { name: 'bench' },
  spec: {
    parallelism: PARALLELISM,
    repetitions,
    matrix: { parameters: [{ name: 'V', values }] },
    template: { spec: { containers: [{ name: 'test', image: 'none', command }] } },
    objective: { metrics: [{ name: 'm', goal: 'maximize' }] },
  },
});

/** Programs a second that Node alone starts and waits for. */
async function bareRate(program: readonly string[], folder: string): Promise<number> {
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [bareSpawn, String(TRIALS), String(PARALLELISM), ...program],
    { env: { ...process.env, BATCHTEST_RESULT_FILE: join(folder, 'bare.json') } },
  );
  return Number(stdout);
}

interface MeasuredRun {
  readonly wallMs: number;
  readonly trialsPerSecond: number;
  readonly residentMb: number;
}

/** A whole `batchtest run` in a process of its own, with a new data directory. */
async function measuredRun(manifest: string, dataDirectory: string, trials: number): Promise<MeasuredRun> {
  const start = performance.now();
  const child = spawn(
    process.execPath,
    [cli, 'run', manifest, '--data-dir', dataDirectory, '-o', 'json', '--quiet'],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  let peakMb = 0;
  const sampler = setInterval(() => {
    peakMb = Math.max(peakMb, residentMb([child.pid, serverPid(dataDirectory)]));
  }, 500);
  const exitCode = await new Promise<number | null>((resolve) => child.on('close', resolve));
  clearInterval(sampler);
  if (exitCode !== 0) throw new Error(`batchtest run ended with exit code ${exitCode}`);
  const { run } = JSON.parse(output);
  if (run.trials.succeeded !== trials)
    throw new Error(`${run.trials.succeeded} of ${trials} results are stored`);
  const seconds = (Date.parse(run.finishedAt) - Date.parse(run.startedAt)) / 1_000;
  return { wallMs: performance.now() - start, trialsPerSecond: trials / seconds, residentMb: peakMb };
}

/** The embedded server is no child of the run: its own file names it. */
function serverPid(dataDirectory: string): number | undefined {
  try {
    const clusters = join(dataDirectory, 'postgres');
    const [major = ''] = readdirSync(clusters).filter((name) => /^\d+$/.test(name));
    return Number(readFileSync(join(clusters, major, 'postmaster.pid'), 'utf8').split('\n')[0]);
  } catch {
    // It has not started yet.
    return undefined;
  }
}

/** Proportional set size of processes and all of their descendants, in MB: memory that is shared is counted once. */
function residentMb(roots: readonly (number | undefined)[]): number {
  const children = new Map<number, number[]>();
  for (const entry of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    const parent = parentOf(Number(entry));
    if (parent !== undefined) children.set(parent, [...(children.get(parent) ?? []), Number(entry)]);
  }
  const family = roots.filter((pid) => pid !== undefined);
  for (const member of family) family.push(...(children.get(member) ?? []));
  return family.reduce((sum, member) => sum + pssMb(member), 0);
}

function parentOf(pid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
  } catch {
    // It has ended meanwhile.
    return undefined;
  }
}

function pssMb(pid: number): number {
  try {
    return Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1] ?? 0) / 1_024;
  } catch {
    return 0;
  }
}
