import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { onTestFinished } from 'vitest';
import {
  aDataDirectory,
  type FinishedCommand,
  type RunningCommand,
  runCommand,
  startCommand,
} from './command-line.ts';

/** What the program of a variant does. `waits` and `fails until open` look for the gate. */
export type Mode = 'good' | 'bad' | 'waits' | 'fails until open' | 'fails once';

/** One start of a program. */
export interface ProgramStart {
  readonly variant: string;
  readonly repetition: number;
  readonly pid: number;
  readonly workingDirectory: string;
}

/** A data directory of a test's own, and what the programs in it wrote down of themselves. */
export interface Bench {
  readonly folder: string;
  /** Starts a command with this data directory, in another Node than that of the tests if so told; it is killed at the latest when the test is done. */
  start(args: readonly string[], input?: string, node?: string): RunningCommand;
  run(args: readonly string[], input?: string): Promise<FinishedCommand>;
  /** Runs a command that must succeed, and gives the document that it prints with `-o json`. */
  document(...args: readonly string[]): Promise<unknown>;
  /** The text of a manifest. */
  manifest(variants: Readonly<Record<string, Mode>>, spec?: object, name?: string): string;
  /** The same in a file; its path. */
  manifestFile(...manifest: Parameters<Bench['manifest']>): string;
  starts(): readonly ProgramStart[];
  /** How often each variant was started. */
  startCounts(): Readonly<Record<string, number>>;
  untilStarted(variant: string, times?: number): Promise<void>;
  /** The variants whose program was asked to end by SIGTERM. */
  terminated(): readonly string[];
  /** Starts of a variant beside an earlier one that still ran. */
  overlaps(): readonly string[];
  openGate(): void;
}

/** In a container's command `$$$$` is `$$`, the shell's own process id. */
const PROGRAM = `
folder=$1
note() { echo "$2" >> "$folder/$1"; }
for earlier in \`sed -n "s|^$BATCHTEST_VARIANT/$BATCHTEST_REPETITION \\([0-9]*\\) .*|\\1|p" "$folder/starts" 2>/dev/null\`; do
  case \`ps -o stat= -p "$earlier"\` in ''|Z*) ;; *) note overlaps "$BATCHTEST_VARIANT beside $earlier" ;; esac
done
trap 'note terminated "$BATCHTEST_VARIANT"; exit 143' TERM
note starts "$BATCHTEST_VARIANT/$BATCHTEST_REPETITION $$$$ $PWD"
answer() { echo '{"metrics":{"m":1}}' > "$BATCHTEST_RESULT_FILE"; }
case $MODE in
  good) answer ;;
  bad) exit 3 ;;
  waits) while [ ! -e "$folder/gate" ]; do sleep 0.05; done; answer ;;
  'fails until open') [ -e "$folder/gate" ] || exit 3; answer ;;
  'fails once') mkdir "$folder/once-$BATCHTEST_VARIANT" && exit 3; answer ;;
esac
`;

/** Anything that these tests wait for has happened by then, on a machine with much else to do as well. */
const PATIENCE_MS = 60_000;

/** @param environment of the commands, beside that of the tests */
export function aBench(environment: Readonly<Record<string, string>> = {}): Bench {
  const data = aDataDirectory();
  onTestFinished(() => data.remove());
  const { path: folder } = data;
  const lines = (file: string): readonly string[] => {
    const path = join(folder, file);
    return existsSync(path) ? readFileSync(path, 'utf8').trimEnd().split('\n') : [];
  };
  const starts = () => lines('starts').map(startOf);
  const withDataDirectory = (args: readonly string[]) => [...args, '--data-dir', folder];
  const run: Bench['run'] = (args, input = '') => runCommand(withDataDirectory(args), { input, environment });
  const manifest: Bench['manifest'] = (variants, spec = {}, name = 'recorded') =>
    JSON.stringify({
      apiVersion: 'batchtest.dev/v1alpha1',
      kind: 'BatchTest',
      metadata: { name },
      spec: {
        parallelism: 2,
        variants: Object.entries(variants).map(([variant, MODE]) => ({
          name: variant,
          parameters: { MODE },
        })),
        template: {
          spec: {
            containers: [
              { name: 'test', image: 'test:1', command: ['/bin/sh', '-c', PROGRAM, 'sh', folder] },
            ],
          },
        },
        objective: { metrics: [{ name: 'm', goal: 'maximize' }] },
        ...spec,
      },
    });
  return {
    folder,
    start: (args, input = '', node = process.execPath) => {
      const command = startCommand(withDataDirectory(args), { input, environment, node });
      onTestFinished(() => command.kill('SIGKILL'));
      return command;
    },
    run,
    document: async (...args) => {
      const { exitCode, stdout, stderr } = await run([...args, '-o', 'json']);
      if (exitCode !== 0) throw new Error(`batchtest ${args.join(' ')} ended with ${exitCode}: ${stderr}`);
      return JSON.parse(stdout);
    },
    manifest,
    manifestFile: (variants, spec, name = 'recorded') => {
      const file = join(folder, `${name}.json`);
      writeFileSync(file, manifest(variants, spec, name));
      return file;
    },
    starts,
    startCounts: () => {
      const counts: Record<string, number> = {};
      for (const { variant } of starts()) counts[variant] = (counts[variant] ?? 0) + 1;
      return counts;
    },
    untilStarted: async (variant, times = 1) => {
      const count = () => starts().filter((start) => start.variant === variant).length;
      for (const deadline = Date.now() + PATIENCE_MS; count() < times; await sleep(20))
        if (Date.now() > deadline)
          throw new Error(`${variant} was not started ${times} times within ${PATIENCE_MS} ms`);
    },
    terminated: () => lines('terminated'),
    overlaps: () => lines('overlaps'),
    openGate: () => writeFileSync(join(folder, 'gate'), ''),
  };
}

/**
 * Runs a manifest whose variant `quick` succeeds at once and whose variant `waits` waits, and kills the command when the first result is stored and
 * the other program runs.
 */
export async function killedRun(bench: Bench, name = 'recorded', spec: object = {}): Promise<void> {
  const startsBefore = bench.starts().filter(({ variant }) => variant === 'waits').length;
  const command = bench.start(
    ['run', '-', '-o', 'json'],
    bench.manifest({ quick: 'good', waits: 'waits' }, spec, name),
  );
  await command.untilStderr('best so far quick');
  await bench.untilStarted('waits', startsBefore + 1);
  command.kill('SIGKILL');
  await command.finished;
}

function startOf(line: string): ProgramStart {
  const [, variant = '', repetition = '', pid = '', workingDirectory = ''] =
    /^(.*)\/(\d+) (\d+) (.*)$/.exec(line) ?? [];
  return { variant, repetition: Number(repetition), pid: Number(pid), workingDirectory };
}
