import type { LaunchFailure } from './launcher-protocol.ts';

/** A program to be started in a session, and so in a process group, of its own, without a shell. */
export interface ProgramToSpawn {
  /** Looked for in the folders of its PATH when it holds no slash. */
  readonly command: string;
  readonly args: readonly string[];
  readonly workingDirectory: string;
  /** All of it: nothing is inherited. */
  readonly environment: Readonly<Record<string, string>>;
  /** Descriptors that it writes to. It reads from /dev/null. */
  readonly stdout: number;
  readonly stderr: number;
}

/** Is told how a program ended, with 128 + n when signal n ended it. */
export type OnExit = (exitCode: number) => void;

/** What is told of a program to be started: either of the two. */
export interface SpawnListener {
  failed(failure: LaunchFailure): void;
  /** @returns what is called when it has ended, in a later turn of the event loop */
  spawned(pid: number): OnExit;
}

/** Starts a program. Throws nothing. */
export type SpawnProgram = (program: ProgramToSpawn, listener: SpawnListener) => void;
