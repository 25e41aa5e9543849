import { resolve } from 'node:path';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { type AttemptState, isLive, type ObservedAttempt, type Termination } from '../../core/attempt.ts';
import type { RunDefinition } from '../../core/run.ts';
import type { AttemptRequest, Engine, StartOutcome } from '../engine.ts';
import { ArtifactCollector } from './artifact-collection.ts';
import {
  type AttemptFiles,
  attemptFiles,
  removeAttemptFiles,
  removeToken,
  writeToken,
} from './attempt-files.ts';
import type { AttemptTokens } from './attempt-tokens.ts';
import { launchFailure } from './launcher-protocol.ts';
import { readLeft } from './left-by-program.ts';
import {
  COMMAND_MISSING_MESSAGE,
  inheritedEnvironment,
  type LocalProgram,
  type LocalRunProgram,
  localProgram,
  localRunProgram,
} from './local-program.ts';
import {
  LONGEST_TIMER_MS,
  type ProgramEnd,
  type ProgramLauncher,
  type RunningProgram,
  startLauncher,
} from './program-launcher.ts';
import { outcomeOfMissingFile, outcomeOfSpawnFailure, postponed, refused } from './spawn-failure.ts';
import { steadyMs } from './steady-clock.ts';

/** What a pod gets that asks for nothing else. */
const DEFAULT_GRACE_SECONDS = 30;

/** How long after its grace period a program may take to be gone before the engine closes without it: more than its launcher waits for it. */
const KILLED_WITHIN_MS = 15_000;

/** With so many in a row that end before they have answered anything, no launcher will. */
const FUTILE_LAUNCHERS = 3;

export interface LocalEngineOptions {
  /** Holds `<run uid>/<attempt name>.{stdout.log,stderr.log,result.json}` and `<run uid>/artifacts/<attempt name>/`. Made when it is needed; nothing in it is removed. */
  readonly runsDirectory: string;
  /** Where programs run, unless `spec.local.workingDir` says otherwise: the manifest's folder. */
  readonly manifestDirectory: string;
  /** This process' environment, which programs inherit but for what leads to the result store. */
  readonly environment: NodeJS.ProcessEnv;
  /**
   * How long a program that was asked to end may take before it is killed. Default: the pod template's
   * terminationGracePeriodSeconds, which is 30 s when it says nothing.
   */
  readonly killGraceMs?: number;
  /** A text that no other engine on this machine has, such as a UUID. By it stray programs are found. */
  readonly instanceId: string;
  /** Where programs push results to, and what tells whose program it is; needed for runs with `spec.results.push`. */
  readonly push?: { readonly url: string; readonly tokens: AttemptTokens };
  /** Is told what could not be ended when the engine was closed. */
  readonly onLeftRunning?: (what: string) => void;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

/**
 * Runs attempts as child processes: each in a process group of its own, which ends as a whole, as a container does. A program that leaves its group, as a daemon
 * does, ends with the engine: to look for it after each attempt takes milliseconds (measured: 5 ms with 94 processes). Nothing outlives the engine, whichever way its
 * process ends, but for what runs as another user.
 */
export function createLocalEngine(options: LocalEngineOptions): Engine {
  return new LocalEngine(options);
}

interface LocalAttempt {
  readonly runUid: string;
  readonly files: AttemptFiles;
  observed: ObservedAttempt;
  /** By which its program pushes a result; undefined when it may not. */
  readonly token: string | undefined;
  /** Undefined before it was started. */
  program: RunningProgram | undefined;
}

interface LocalRun {
  readonly directory: string;
  readonly program: LocalRunProgram;
  readonly graceMs: number;
  readonly attempts: Map<string, LocalAttempt>;
  /** What `observe` answers; undefined after a change. */
  shown: readonly ObservedAttempt[] | undefined;
}

class LocalEngine implements Engine {
  readonly name = 'local';
  readonly #options: LocalEngineOptions;
  readonly #inherited: LocalRunProgram['inherited'];
  readonly #runs = new Map<string, LocalRun>();
  readonly #listeners = new Set<(runUid: string) => void>();
  readonly #changedRuns = new Set<string>();
  /** Attempts of which something may still run, or is being started. */
  readonly #live = new Set<LocalAttempt>();
  /** Everything that the launcher had told by then is known. */
  #seenUntil: number;
  #looking: Promise<void> | undefined;
  readonly #collector = new ArtifactCollector();
  #launcher: ProgramLauncher | undefined;
  /** Launchers before this one that ended, in a row, before they had answered anything. */
  #futileLaunchers = 0;
  #closing: Promise<void> | undefined;
  #onNothingLive: (() => void) | undefined;

  constructor(options: LocalEngineOptions) {
    this.#options = options;
    this.#seenUntil = options.now();
    this.#inherited = inheritedEnvironment(options.environment);
    // It is there by the time that the run is registered.
    this.#launching();
  }

  observe({ uid }: RunDefinition): readonly ObservedAttempt[] {
    const run = this.#runs.get(uid);
    if (run === undefined) return [];
    run.shown ??= [...run.attempts.values()].map(({ observed }) => observed);
    return run.shown;
  }

  /** After a pause of this process, such as one by Ctrl-Z, timers come first: what the launcher told meanwhile is read after that. */
  seenUntil(_run: RunDefinition, now: number): number {
    this.#looking ??= this.#lookUntil(now);
    return Math.min(now, this.#seenUntil);
  }

  /** The first turn of the event loop may be one that was looking already. */
  async #lookUntil(now: number): Promise<void> {
    await nextTurn();
    await nextTurn();
    this.#seenUntil = now;
    this.#looking = undefined;
  }

  /** What the launcher tells cannot get lost, and `seenUntil` says how much of it was read. */
  async isAsShown(): Promise<boolean> {
    return true;
  }

  /** Nobody else holds anything of it. */
  async isGone({ uid }: RunDefinition, name: string): Promise<boolean> {
    return this.#runs.get(uid)?.attempts.has(name) !== true;
  }

  async startAttempt(request: AttemptRequest): Promise<StartOutcome> {
    const { trial, name } = request;
    if (this.#closing !== undefined) throw new Error(`start attempt ${name}: the local engine is closed`);
    const run = this.#runOf(request.run);
    if (run.attempts.has(name)) return { kind: 'AlreadyStarted' };
    const files = attemptFiles(run.directory, name);
    const push = this.#pushOf(request.run);
    const target = push && { url: push.url, tokenFile: files.token, caFile: undefined };
    const program = localProgram(run.program, trial, files, target);
    if (program === undefined)
      return { kind: 'Refused', reason: 'CommandMissing', message: COMMAND_MISSING_MESSAGE };
    const issued = push?.tokens.issue(request);
    const attempt: LocalAttempt = {
      runUid: request.run.uid,
      files,
      token: issued?.token,
      observed: {
        variantId: trial.variant.id,
        repetition: trial.repetition,
        attempt: request.attempt,
        name,
        state: { kind: 'Waiting', since: this.#options.now() },
        ...(issued === undefined ? {} : { startId: issued.startId }),
        logs: files.logs,
      },
      program: undefined,
    };
    run.attempts.set(name, attempt);
    run.shown = undefined;
    this.#live.add(attempt);
    try {
      return await this.#launch(run, attempt, program);
    } finally {
      if (attempt.program === undefined) this.#leave(attempt);
    }
  }

  #pushOf({ uid, manifest }: RunDefinition): LocalEngineOptions['push'] {
    if (!manifest.spec.results.push) return undefined;
    const { push } = this.#options;
    if (push === undefined) throw new Error(`run ${uid} needs a server for the results that it pushes`);
    return push;
  }

  async removeAttempts({ uid }: RunDefinition, names: readonly string[]): Promise<void> {
    const run = this.#runs.get(uid);
    if (run === undefined) return;
    for (const name of names) this.#remove(run, name);
  }

  #remove(run: LocalRun, name: string): void {
    const attempt = run.attempts.get(name);
    if (attempt === undefined || attempt.observed.state.kind === 'Stopping') return;
    // Of one that has ended nothing can be stopped, also while what it left is read: its process number may be another's.
    if (this.#live.has(attempt)) this.#stop(run, attempt);
    else this.#drop(attempt);
  }

  onChange(listener: (runUid: string) => void): () => void {
    // The same function may listen twice, and one of the two stop.
    const own = (runUid: string): void => listener(runUid);
    this.#listeners.add(own);
    return () => this.#listeners.delete(own);
  }

  close(): Promise<void> {
    this.#closing ??= this.#endEverything();
    return this.#closing;
  }

  async #endEverything(): Promise<void> {
    for (const run of this.#runs.values())
      for (const { observed } of run.attempts.values())
        if (isLive(observed)) this.#remove(run, observed.name);
    if (this.#live.size > 0) await this.#untilNothingLives();
    const left = [...this.#live].map(({ observed: { name, state } }) =>
      state.kind === 'Stopping' && state.message !== undefined ? `${name} (${state.message})` : name,
    );
    if (left.length > 0) this.#options.onLeftRunning?.(`programs may still run of ${left.join(', ')}`);
    await this.#launcher?.close();
  }

  /** Or until all of it has been killed, and what is left cannot be. */
  async #untilNothingLives(): Promise<void> {
    const graceMs = Math.max(0, ...[...this.#runs.values()].map((run) => run.graceMs));
    const giveUp = new AbortController();
    const late = sleep(Math.min(graceMs + KILLED_WITHIN_MS, LONGEST_TIMER_MS), undefined, {
      signal: giveUp.signal,
    }).catch(() => {});
    const gone = new Promise<void>((resolve) => {
      this.#onNothingLive = resolve;
    });
    await Promise.race([gone, late]);
    giveUp.abort();
  }

  /** A program that is being started is stopped once it has. */
  #stop(run: LocalRun, attempt: LocalAttempt): void {
    this.#show(attempt, { kind: 'Stopping' });
    attempt.program?.stop(run.graceMs);
  }

  #runOf({ uid, manifest }: RunDefinition): LocalRun {
    const known = this.#runs.get(uid);
    if (known !== undefined) return known;
    const { runsDirectory, manifestDirectory, killGraceMs } = this.#options;
    const graceSeconds = manifest.spec.template.spec.terminationGracePeriodSeconds ?? DEFAULT_GRACE_SECONDS;
    const run: LocalRun = {
      directory: resolve(runsDirectory, uid),
      program: localRunProgram(manifest, manifestDirectory, this.#inherited),
      graceMs: killGraceMs ?? graceSeconds * 1_000,
      attempts: new Map(),
      shown: undefined,
    };
    this.#runs.set(uid, run);
    return run;
  }

  async #launch(run: LocalRun, attempt: LocalAttempt, program: LocalProgram): Promise<StartOutcome> {
    const { name } = attempt.observed;
    const { files, token } = attempt;
    try {
      if (token !== undefined) writeToken(files, token);
    } catch (error) {
      return outcomeOfMissingFile(launchFailure(error), `the token of ${name}, ${files.token},`);
    }
    const launcher = this.#launching();
    if (launcher === undefined) return postponed('the machine cannot start the process that starts programs');
    const launched = await launcher.launch(program, attempt.files, {
      started: (started, at) => this.#started(run, attempt, started, at),
      ended: (end) => this.#ended(attempt, end),
      notStopped: (message) => this.#show(attempt, { kind: 'Stopping', message }),
    });
    switch (launched.kind) {
      case 'Started':
        return launched;
      case 'LauncherLost':
        removeAttemptFiles(attempt.files);
        return this.#outcomeOfLoss(launcher, launched.message);
      case 'NoLogs':
        return outcomeOfMissingFile(launched, `the log of ${name}, ${files.stdout},`);
      case 'NotStarted':
        removeAttemptFiles(attempt.files);
        return outcomeOfSpawnFailure(launched, program);
    }
  }

  /** The launcher; another one when it has ended, because somebody killed it. Undefined when none can be started. */
  #launching(): ProgramLauncher | undefined {
    const last = this.#launcher;
    if (last?.isRunning) return last;
    if (last !== undefined) this.#futileLaunchers = last.hasAnswered ? 0 : this.#futileLaunchers + 1;
    this.#launcher = startLauncher(this.#options.instanceId, this.#inherited);
    return this.#launcher;
  }

  /** One that somebody killed is replaced. Those that end by themselves before they have done anything would be replaced for ever. */
  #outcomeOfLoss(launcher: ProgramLauncher, message: string): StartOutcome {
    const futile = launcher.hasAnswered ? 0 : this.#futileLaunchers + 1;
    return futile < FUTILE_LAUNCHERS
      ? postponed(message)
      : refused('LauncherFailed', `${message}, ${futile} times in a row before it had done anything`);
  }

  #started(run: LocalRun, attempt: LocalAttempt, program: RunningProgram, at: number): void {
    attempt.program = program;
    if (attempt.observed.state.kind === 'Stopping') program.stop(run.graceMs);
    else this.#show(attempt, { kind: 'Running', since: this.#timeOf(at) });
  }

  /** What the engine's clock showed at this time of `steadyMs`, which the launcher has as well: it may have been long ago, as when this process was paused. */
  #timeOf(at: number): number {
    return Math.floor(this.#options.now() - (steadyMs() - at));
  }

  #ended(attempt: LocalAttempt, end: ProgramEnd): void {
    const { state } = attempt.observed;
    if (attempt.token !== undefined) {
      this.#options.push?.tokens.noteEnded(attempt.token);
      removeToken(attempt.files);
    }
    if (state.kind === 'Running') {
      this.#live.delete(attempt);
      this.#tellEnd(attempt, end, state.since);
      if (this.#live.size === 0) this.#onNothingLive?.();
    } else {
      this.#leave(attempt);
    }
  }

  /** Shows an attempt no more of which nothing runs. */
  #leave(attempt: LocalAttempt): void {
    this.#live.delete(attempt);
    this.#drop(attempt);
    if (this.#live.size === 0) this.#onNothingLive?.();
  }

  /** What a program left is read before its end is told. From the end on nothing can end it any more, neither its deadline nor a cancellation. */
  #tellEnd(attempt: LocalAttempt, end: ProgramEnd, since: number): void {
    // As the launcher measured it: this process may have been busy at both ends.
    const at = end.kind === 'Exited' ? since + Math.round(end.ranMs) : this.#options.now();
    const tell = (termination: Termination): void => this.#show(attempt, { kind: 'Ended', at, termination });
    if (end.kind === 'LauncherLost') {
      tell({ kind: 'Lost', reason: 'LauncherLost', message: end.message, startedAt: since });
      return;
    }
    const termination = readLeft(attempt.files, end, since, this.#collector);
    if (termination instanceof Promise) {
      this.#show(attempt, { kind: 'Running', since, endedAt: at });
      void termination.then(tell);
    } else tell(termination);
  }

  #show(attempt: LocalAttempt, state: AttemptState): void {
    attempt.observed = { ...attempt.observed, state };
    this.#changed(attempt.runUid);
  }

  #drop({ runUid, observed, files, token }: LocalAttempt): void {
    if (token !== undefined) {
      this.#options.push?.tokens.revoke(token);
      removeToken(files);
    }
    const run = this.#runs.get(runUid);
    run?.attempts.delete(observed.name);
    this.#changed(runUid);
    if (run?.attempts.size === 0) this.#runs.delete(runUid);
  }

  /** Announces a change once all that is happening now has happened, so that a hundred ends at once are one announcement. */
  #changed(runUid: string): void {
    const run = this.#runs.get(runUid);
    if (run !== undefined) run.shown = undefined;
    if (this.#changedRuns.size === 0) setImmediate(() => this.#announce());
    this.#changedRuns.add(runUid);
  }

  #announce(): void {
    const runUids = [...this.#changedRuns];
    this.#changedRuns.clear();
    for (const runUid of runUids) for (const listener of this.#listeners) listener(runUid);
  }
}
