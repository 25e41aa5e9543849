import { type ChildProcess, fork } from 'node:child_process';
import { createRequire } from 'node:module';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { AttemptFiles } from './attempt-files.ts';
import {
  type LaunchFailure,
  type LaunchReport,
  type LaunchRequest,
  MARK_VARIABLE,
} from './launcher-protocol.ts';
import type { LocalProgram } from './local-program.ts';
import { killMarkedPrograms } from './marked-programs.ts';
import { signalGroup } from './process-group.ts';

/** How long after the end of its engine's process a program may still run, in milliseconds: the launcher's grace of 2 s and its search for strays. */
export const STRAYS_END_WITHIN_MS = 2_500;

/** How often a program that was killed and is still there is killed again: it may have run as another user for a while. */
const KILL_AGAIN_MS = 2_000;

/** The longest time that a timer of Node's takes; a longer one would fire at once. */
export const LONGEST_TIMER_MS = 2_147_483_647;

/** A program and whatever it has started, as one process group. */
export interface RunningProgram {
  /** Asks the group to end (SIGTERM) and kills it `graceMs` later; kills it at once when that is 0. */
  stop(graceMs: number): void;
}

/** How a program ended of which nothing runs any more. */
export type ProgramEnd =
  | { readonly kind: 'Exited'; readonly exitCode: number; readonly ranMs: number }
  /** The launcher ended before the program did, which was killed then. */
  | { readonly kind: 'LauncherLost'; readonly message: string };

/** What is told of a program that was started: its start, then its end, both in one turn of the event loop when it is over at once. */
export interface ProgramListener {
  /** @param at when it was, by `steadyMs` */
  started(program: RunningProgram, at: number): void;
  ended(end: ProgramEnd): void;
  /** It was to be stopped, and that is not possible for now. */
  notStopped(why: string): void;
}

export type LaunchOutcome =
  | { readonly kind: 'Started' }
  | ({ readonly kind: 'NoLogs' | 'NotStarted' } & LaunchFailure)
  | { readonly kind: 'LauncherLost'; readonly message: string };

/** A small process that starts programs, and ends them when this process has ended without doing so. */
export interface ProgramLauncher {
  /** False once it has ended; its programs then have as well. */
  readonly isRunning: boolean;
  /** False before it has answered anything: one that ends then will not do better next time. */
  readonly hasAnswered: boolean;
  launch(program: LocalProgram, files: AttemptFiles, listener: ProgramListener): Promise<LaunchOutcome>;
  /** Ends it, and every program that it still finds. Resolves when it has ended. */
  close(): Promise<void>;
}

interface Launch {
  readonly settle: (outcome: LaunchOutcome) => void;
  readonly listener: ProgramListener;
  group: number | undefined;
  killing: NodeJS.Timeout | undefined;
}

/**
 * Starts a launcher.
 * @param mark the value of {@link MARK_VARIABLE} in the programs' environment
 * @param environment what all programs inherit
 * @returns undefined when there is no process to be had for it
 */
export function startLauncher(
  mark: string,
  environment: Readonly<Record<string, string>>,
): ProgramLauncher | undefined {
  // It says what Node is to load for programs, where they run: the launcher is in another folder.
  const { NODE_OPTIONS, ...own } = environment;
  const child = fork(...launcherCommand(mark), {
    cwd: '/',
    // A session of its own: Ctrl-C and a closed terminal are for this process to handle.
    detached: true,
    env: own,
    execArgv: [...launcherOptions()],
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  });
  if (child.pid === undefined) {
    child.once('error', () => {});
    return undefined;
  }
  return new Launcher(child, mark, NODE_OPTIONS === undefined ? {} : { NODE_OPTIONS });
}

const source = new URL(import.meta.url).pathname.endsWith('.ts') ? 'ts' : 'js';

const launcherCommand = (mark: string): [string, string[]] => [
  fileURLToPath(new URL(`./launcher-main.${source}`, import.meta.url)),
  [`${MARK_VARIABLE}=${mark}`],
];

/** Options of this process are not inherited, such as those of a debugger. Tests run the source, which takes a loader. */
const launcherOptions = (): readonly string[] =>
  source === 'ts' ? ['--import', pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href] : [];

class Launcher implements ProgramLauncher {
  readonly #child: ChildProcess;
  readonly #launches = new Map<number, Launch>();
  /** Not sent yet. */
  #requests: LaunchRequest[] = [];
  readonly #ended: Promise<void>;
  #lastId = 0;
  /** What programs inherit and the launcher does not. */
  readonly #inheritedBeside: Readonly<Record<string, string>>;
  isRunning = true;
  hasAnswered = false;

  constructor(child: ChildProcess, mark: string, inheritedBeside: Readonly<Record<string, string>>) {
    this.#child = child;
    this.#inheritedBeside = inheritedBeside;
    child.on('message', (reports: readonly LaunchReport[]) => {
      this.hasAnswered = true;
      for (const report of reports) this.#take(report);
    });
    this.#ended = new Promise((resolve) => {
      const lost = (how: string): void => {
        if (!this.isRunning) return;
        this.isRunning = false;
        this.#lose(mark, `the process that starts programs ${how}`);
        resolve();
      };
      child.once('exit', (code, signal) => lost(`was ended by ${signal ?? `exit code ${code}`}`));
      child.once('error', (error) => lost(`failed: ${error.message}`));
    });
    // It is not what this process waits for before it ends, unless a program runs.
    child.unref();
    child.channel?.unref();
  }

  launch(program: LocalProgram, files: AttemptFiles, listener: ProgramListener): Promise<LaunchOutcome> {
    const { command, args, workingDirectory } = program;
    const environment = { ...this.#inheritedBeside, ...program.environment };
    this.#lastId += 1;
    const id = this.#lastId;
    return new Promise((settle) => {
      if (this.#launches.size === 0) this.#child.channel?.ref();
      this.#launches.set(id, { settle, listener, group: undefined, killing: undefined });
      if (this.#requests.length === 0) queueMicrotask(() => this.#send());
      this.#requests.push({ id, command, args, workingDirectory, environment, files });
    });
  }

  /** What is asked for at once goes in one message: each wakes the launcher, which takes longer than to write it. */
  #send(): void {
    // That it failed because the launcher has ended is told by its exit.
    this.#child.send(this.#requests, () => {});
    this.#requests = [];
  }

  close(): Promise<void> {
    this.#child.ref();
    if (this.#child.connected) this.#child.disconnect();
    return this.#ended;
  }

  #take(report: LaunchReport): void {
    const launch = this.#launches.get(report.id);
    if (launch === undefined) return;
    if (report.kind === 'Started') {
      launch.group = report.group;
      launch.listener.started({ stop: (graceMs) => this.#stop(launch, graceMs) }, report.at);
      launch.settle({ kind: 'Started' });
      return;
    }
    this.#forget(report.id, launch);
    if (report.kind === 'Ended')
      launch.listener.ended({ kind: 'Exited', exitCode: report.exitCode, ranMs: report.ranMs });
    else launch.settle({ kind: report.kind, code: report.code, message: report.message });
  }

  #stop(launch: Launch, graceMs: number): void {
    const { group } = launch;
    if (group === undefined || launch.killing !== undefined) return;
    const signal = (name: NodeJS.Signals): void => {
      if (signalGroup(group, name) === 'NotPermitted')
        launch.listener.notStopped(`process ${group} cannot be ended: it runs as another user`);
    };
    const kill = (): void => {
      signal('SIGKILL');
      launch.killing = setTimeout(kill, KILL_AGAIN_MS);
    };
    signal(graceMs === 0 ? 'SIGKILL' : 'SIGTERM');
    launch.killing = setTimeout(kill, Math.min(graceMs, LONGEST_TIMER_MS));
  }

  #forget(id: number, launch: Launch): void {
    clearTimeout(launch.killing);
    launch.group = undefined;
    this.#launches.delete(id);
    if (this.#launches.size === 0) this.#child.channel?.unref();
  }

  /** What it has started has nobody who would learn of its end. */
  #lose(mark: string, message: string): void {
    const lost = [...this.#launches];
    for (const [, { group }] of lost) if (group !== undefined) signalGroup(group, 'SIGKILL');
    killMarkedPrograms(MARK_VARIABLE, mark);
    for (const [id, launch] of lost) {
      const hadStarted = launch.group !== undefined;
      this.#forget(id, launch);
      if (hadStarted) launch.listener.ended({ kind: 'LauncherLost', message });
      else launch.settle({ kind: 'LauncherLost', message });
    }
  }
}
