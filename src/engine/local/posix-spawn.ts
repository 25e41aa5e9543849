import { existsSync, constants as fileConstants } from 'node:fs';
import { createRequire } from 'node:module';
import { constants } from 'node:os';
import { resolve } from 'node:path';
import { getSystemErrorName } from 'node:util';
import type { LaunchFailure } from './launcher-protocol.ts';
import type { OnExit, ProgramToSpawn, SpawnListener, SpawnProgram } from './spawned-program.ts';

/** From spawn.h of glibc and musl. */
const POSIX_SPAWN_SETSIGDEF = 0x04;
const POSIX_SPAWN_SETSIGMASK = 0x08;
const POSIX_SPAWN_SETSID = 0x80;
/** From sys/wait.h. */
const WNOHANG = 1;
/** More than the structures take that only the C library looks into: 336 bytes for posix_spawnattr_t, 128 for sigset_t. */
const OPAQUE_BYTES = 512;

/** How often it is looked for programs that have ended, should no signal tell. */
const COLLECT_MS = 1_000;

const { ENOENT, EACCES, ENOTDIR, ENOEXEC } = constants.errno;
const DEFAULT_PATH = '/bin:/usr/bin';

/**
 * Starts programs by posix_spawn(3) of Linux' C libraries: the new process borrows the memory of this one until its program runs. Node copies itself
 * for each, which takes longer than most short programs do. Otherwise both do the same: signals are as by default, no other descriptor is passed
 * on, and a script without an interpreter in its first line is run by sh.
 * @returns undefined where it cannot be had: another system, or no package `koffi` for this one
 */
export function posixSpawn(): SpawnProgram | undefined {
  const library = loadLibrary();
  if (library === undefined) return undefined;
  const spawner = new PosixSpawner(library);
  return (program, listener) => spawner.spawn(program, listener);
}

/** The functions of the C library. Each returns 0 or an error number, but for waitpid. */
interface Library {
  spawn(
    pid: [number],
    path: string,
    actions: Buffer,
    attributes: Buffer,
    argv: readonly (string | null)[],
    environment: readonly (string | null)[],
  ): number;
  initActions(actions: Buffer): number;
  addOpen(actions: Buffer, descriptor: number, path: string, flags: number, mode: number): number;
  addDup2(actions: Buffer, from: number, to: number): number;
  addChdir(actions: Buffer, directory: string): number;
  destroyActions(actions: Buffer): number;
  /** What programs have in common: a session of its own, no signal blocked or ignored. */
  readonly attributes: Buffer;
  /** The process that has ended, 0 when it has not, -1 when it is no child of this process. */
  waitpid(pid: number, status: [number], options: number): number;
}

function loadLibrary(): Library | undefined {
  if (process.platform !== 'linux') return undefined;
  try {
    const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi');
    // What this process itself is linked with, whatever the library is called.
    const library = koffi.load(null);
    const func = (prototype: string) => library.func(prototype);
    const attributes = Buffer.alloc(OPAQUE_BYTES);
    const signals = Buffer.alloc(OPAQUE_BYTES);
    func('int posix_spawnattr_init(void *)')(attributes);
    func('int posix_spawnattr_setflags(void *, short)')(
      attributes,
      POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSID,
    );
    func('int sigemptyset(void *)')(signals);
    func('int posix_spawnattr_setsigmask(void *, void *)')(attributes, signals);
    func('int sigfillset(void *)')(signals);
    func('int posix_spawnattr_setsigdefault(void *, void *)')(attributes, signals);
    return {
      attributes,
      spawn: func('int posix_spawn(_Out_ int *, const char *, void *, void *, const char **, const char **)'),
      initActions: func('int posix_spawn_file_actions_init(void *)'),
      addOpen: func('int posix_spawn_file_actions_addopen(void *, int, const char *, int, int)'),
      addDup2: func('int posix_spawn_file_actions_adddup2(void *, int, int)'),
      addChdir: func('int posix_spawn_file_actions_addchdir_np(void *, const char *)'),
      destroyActions: func('int posix_spawn_file_actions_destroy(void *)'),
      waitpid: func('int waitpid(int, _Out_ int *, int)'),
    };
  } catch {
    return undefined;
  }
}

class PosixSpawner {
  readonly #library: Library;
  /** By process ID. */
  readonly #running = new Map<number, OnExit>();
  /** While programs run; it also keeps this process, which a listener for a signal does not. */
  #collecting: NodeJS.Timeout | undefined;

  constructor(library: Library) {
    this.#library = library;
    process.on('SIGCHLD', () => this.#collect());
  }

  spawn(program: ProgramToSpawn, listener: SpawnListener): void {
    const environment = Object.entries(program.environment).map(([name, value]) => `${name}=${value}`);
    const invalid = whatIsInvalid(program, environment);
    if (invalid !== undefined) {
      listener.failed({ code: 'ERR_INVALID_ARG_VALUE', message: invalid });
      return;
    }
    const spawned = this.#spawn(program, environment);
    if ('errno' in spawned) {
      listener.failed(failureOf(program, spawned.errno));
      return;
    }
    this.#running.set(spawned.pid, listener.spawned(spawned.pid));
    this.#collecting ??= setInterval(() => this.#collect(), COLLECT_MS);
  }

  /** As execvp(3) looks for a program, and as it goes on when what it has found cannot be run. */
  #spawn(
    program: ProgramToSpawn,
    environment: readonly string[],
  ): { readonly pid: number } | { readonly errno: number } {
    const { command, args } = program;
    let errno = ENOENT;
    for (const path of pathsOf(program)) {
      let spawned = this.#spawnAt(path, [command, ...args], environment, program);
      if ('errno' in spawned && spawned.errno === ENOEXEC)
        spawned = this.#spawnAt('/bin/sh', ['/bin/sh', path, ...args], environment, program);
      if ('pid' in spawned) return spawned;
      if (![EACCES, ENOENT, ENOTDIR].includes(spawned.errno)) return spawned;
      if (errno !== EACCES) errno = spawned.errno;
    }
    return { errno };
  }

  #spawnAt(
    path: string,
    argv: readonly string[],
    environment: readonly string[],
    { workingDirectory, stdout, stderr }: ProgramToSpawn,
  ): { readonly pid: number } | { readonly errno: number } {
    const library = this.#library;
    const actions = Buffer.alloc(OPAQUE_BYTES);
    const pid: [number] = [0];
    library.initActions(actions);
    try {
      const errno =
        library.addChdir(actions, workingDirectory) ||
        library.addOpen(actions, 0, '/dev/null', fileConstants.O_RDONLY, 0) ||
        library.addDup2(actions, stdout, 1) ||
        library.addDup2(actions, stderr, 2) ||
        library.spawn(pid, path, actions, library.attributes, [...argv, null], [...environment, null]);
      return errno === 0 ? { pid: pid[0] } : { errno };
    } finally {
      library.destroyActions(actions);
    }
  }

  /** One signal may stand for the end of several. Each is asked for by its number, so that no other child of this process is taken for one. */
  #collect(): void {
    for (const [pid, onExit] of this.#running) {
      const status: [number] = [0];
      const ended = this.#library.waitpid(pid, status, WNOHANG);
      if (ended === 0) continue;
      if (ended !== pid) throw new Error(`the end of process ${pid} was told to somebody else`);
      this.#running.delete(pid);
      onExit(exitCodeOf(status[0]));
    }
    if (this.#running.size > 0) return;
    clearInterval(this.#collecting);
    this.#collecting = undefined;
  }
}

/** The C library would take such a text to end at its NUL character. */
function whatIsInvalid(
  { command, args, workingDirectory }: ProgramToSpawn,
  environment: readonly string[],
): string | undefined {
  if (command === '') return 'the command is an empty text';
  const text = [command, ...args, workingDirectory, ...environment].find((candidate) =>
    candidate.includes('\0'),
  );
  return text === undefined
    ? undefined
    : `${JSON.stringify(text)} has null bytes, which no argument and no variable of a program can have`;
}

function pathsOf({ command, workingDirectory, environment }: ProgramToSpawn): readonly string[] {
  if (command.includes('/')) return [command];
  return (environment.PATH ?? DEFAULT_PATH)
    .split(':')
    .map((folder) => resolve(workingDirectory, folder, command))
    .filter((path) => existsSync(path));
}

/** In Node's words. */
function failureOf({ command }: ProgramToSpawn, errno: number): LaunchFailure {
  const code = getSystemErrorName(-errno);
  return { code, message: `spawn ${command} ${code}` };
}

/** From wait status, as Linux lays it out: the signal that ended it in the low seven bits, or 0 and the exit code in the next byte. */
function exitCodeOf(status: number): number {
  const signal = status & 0x7f;
  return signal === 0 ? (status >> 8) & 0xff : 128 + signal;
}
