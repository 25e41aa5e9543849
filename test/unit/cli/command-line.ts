import { spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BATCHTEST_PROGRAM } from '../../tools/batchtest-program.ts';
import { REPOSITORY } from '../../tools/markdown-page.ts';

/** How a call of the command line ended. */
export interface FinishedCommand {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunningCommand {
  readonly finished: Promise<FinishedCommand>;
  kill(signal: NodeJS.Signals): void;
  /** Resolves when stderr contains the text. */
  untilStderr(text: string): Promise<void>;
  /** The same of stdout. */
  untilStdout(text: string): Promise<void>;
}

/** A data directory of a test's own, which root's Postgres may enter. */
export function aDataDirectory(): { readonly path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), 'batchtest-cli-'));
  chmodSync(path, 0o755);
  return {
    path,
    remove: () => rmSync(path, { recursive: true, force: true, maxRetries: 20, retryDelay: 250 }),
  };
}

/** Starts `batchtest`. */
export function startCommand(
  args: readonly string[],
  {
    input = '',
    environment = {},
    node = process.execPath,
  }: {
    readonly input?: string;
    readonly environment?: Record<string, string>;
    /** Another release of Node than that of the tests. */
    readonly node?: string;
  } = {},
): RunningCommand {
  const { DATABASE_URL: _, ...inherited } = process.env;
  const child = spawn(node, [BATCHTEST_PROGRAM, ...args], {
    cwd: REPOSITORY,
    env: { ...inherited, ...environment },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const said = { stdout: '', stderr: '' };
  const waiting = new Set<{ stream: 'stdout' | 'stderr'; text: string; resolve: () => void }>();
  for (const stream of ['stdout', 'stderr'] as const)
    child[stream].setEncoding('utf8').on('data', (text: string) => {
      said[stream] += text;
      for (const waiter of waiting)
        if (waiter.stream === stream && said[stream].includes(waiter.text)) waiter.resolve();
    });
  // A command that refuses its arguments does not read its input.
  child.stdin.on('error', () => undefined);
  child.stdin.end(input);
  const finished = new Promise<FinishedCommand>((resolve) => {
    child.on('close', (exitCode) => resolve({ exitCode, ...said }));
  });
  const until = (stream: 'stdout' | 'stderr', text: string): Promise<void> =>
    Promise.race([
      new Promise<void>((resolve) => {
        if (said[stream].includes(text)) resolve();
        else waiting.add({ stream, text, resolve });
      }),
      finished.then(() => {
        throw new Error(`the command ended before it said ${JSON.stringify(text)}: ${said.stderr}`);
      }),
    ]);
  return {
    finished,
    kill: (signal) => child.kill(signal),
    untilStderr: (text) => until('stderr', text),
    untilStdout: (text) => until('stdout', text),
  };
}

export const runCommand = (...call: Parameters<typeof startCommand>): Promise<FinishedCommand> =>
  startCommand(...call).finished;
