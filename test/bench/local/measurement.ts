import { spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Contender, ResultWitness } from './contender.ts';
import type { Figures } from './figures.ts';
import { ProcessTree } from './process-tree.ts';
import type { Work } from './work.ts';

const END_LIMIT_MS = 60_000;

/** Has a contender do the work once, in a new directory. */
export async function measure(contender: Contender, work: Work, directory: string): Promise<Figures> {
  mkdirSync(directory, { recursive: true });
  const { command, args, environment, witness } = contender.launch(work, directory);
  const startedAt = Date.now();
  const child = spawn(command, args, {
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  const tree = new ProcessTree(child.pid ?? 0, witness.furtherProcess);
  const exitCode = await new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', resolve);
  });
  const makespanMs = Date.now() - startedAt;
  const { cpuSeconds, peakMiB } = tree.usage();
  await untilAlone(witness);
  const { firstAt, lastAt, count, committed } = await witness.seen();
  if (exitCode !== 0 || count !== work.trials)
    throw new Error(
      `${contender.name} ended with ${exitCode} and ${count} of ${work.trials} results: ${said}`,
    );
  return {
    firstResultMs: firstAt - startedAt,
    makespanSeconds: makespanMs / 1_000,
    // Those after the first, so that the start does not count twice.
    programsPerSecond: (1_000 * (count - 1)) / (lastAt - firstAt),
    peakMiB,
    cpuSeconds: (1_000 * cpuSeconds) / count,
    committed,
  };
}

/** What still ends would take processor time from the next. */
async function untilAlone({ furtherProcess }: ResultWitness): Promise<void> {
  const deadline = performance.now() + END_LIMIT_MS;
  while (furtherProcess() !== undefined) {
    if (performance.now() > deadline) throw new Error(`process ${furtherProcess()} has not ended`);
    await sleep(20);
  }
}
