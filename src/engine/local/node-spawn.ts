import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { launchFailure } from './launcher-protocol.ts';
import type { ProgramToSpawn, SpawnListener } from './spawned-program.ts';

/** Starts a program by Node's own means, which work everywhere. */
export function nodeSpawn(program: ProgramToSpawn, listener: SpawnListener): void {
  const { command, args, workingDirectory: cwd, environment: env, stdout, stderr } = program;
  const fail = (error: unknown): void => listener.failed(launchFailure(error));
  try {
    const child = spawn(command, args, { cwd, env, detached: true, stdio: ['ignore', stdout, stderr] });
    if (child.pid === undefined) {
      child.once('error', fail);
      return;
    }
    const onExit = listener.spawned(child.pid);
    child.once('exit', (code, signal) =>
      onExit(code ?? 128 + (signal === null ? 0 : constants.signals[signal])),
    );
  } catch (error) {
    fail(error);
  }
}
