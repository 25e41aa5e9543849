import { accessSync, constants, existsSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { getSystemErrorMap } from 'node:util';
import type { StartOutcome } from '../engine.ts';
import type { LaunchFailure } from './launcher-protocol.ts';
import type { LocalProgram } from './local-program.ts';
import { NONE_TO_SPARE } from './system-error.ts';

/** Codes that say that a program can be started later: of space on the disk as well. */
const SHORTAGES: ReadonlySet<string> = new Set([
  ...NONE_TO_SPARE,
  'ENOSPC',
  'EDQUOT',
  // The program is just being written, as by a build that goes on.
  'ETXTBSY',
]);
const RETRY_AFTER_MS = 1_000;

/** The outcome of a start that failed because the machine is short of something; undefined for any other failure. */
export function outcomeOfShortage({ code = '', message }: LaunchFailure): StartOutcome | undefined {
  if (!SHORTAGES.has(code)) return undefined;
  return postponed(`the machine cannot start another program now: ${message}`);
}

/** A start to be tried again after a while. */
export const postponed = (message: string): StartOutcome => ({
  kind: 'Postponed',
  reason: 'ResourceShortage',
  message,
  retryAfterMs: RETRY_AFTER_MS,
});

/** The outcome of a start for which a file could not be made: that its folder may not be written to does not pass. */
export const outcomeOfMissingFile = (failure: LaunchFailure, what: string): StartOutcome =>
  outcomeOfShortage(failure) ?? refused('FilesNotMade', `${what} cannot be made: ${failure.message}`);

/** The outcome of a spawn that failed. */
export function outcomeOfSpawnFailure(failure: LaunchFailure, program: LocalProgram): StartOutcome {
  switch (failure.code) {
    case 'ENOENT':
    case 'ENOTDIR':
      return notFound(program);
    case 'EACCES':
    case 'EPERM':
      return notPermitted(program);
    case 'E2BIG':
      return refused(
        'ArgumentsTooLong',
        `the program's arguments and environment are longer than this system takes (${failure.message})`,
      );
    // Node refuses a NUL character in an argument or in the environment, which no system can pass on.
    case 'ERR_INVALID_ARG_VALUE':
      return refused('InvalidArgument', failure.message);
    default:
      return outcomeOfShortage(failure) ?? refused('StartFailed', messageOfFailure(failure, program));
  }
}

/** What is neither known nor a shortage does not pass either: in the system's words. */
function messageOfFailure({ code, message }: LaunchFailure, program: LocalProgram): string {
  const [, words] = [...getSystemErrorMap().values()].find(([name]) => name === code) ?? [];
  const explained = words === undefined ? message : `${message} (${words})`;
  return `${program.commandField}: ${quoted(program)} cannot be started: ${explained}`;
}

function notFound(program: LocalProgram): StartOutcome {
  const { command, commandField, workingDirectory, searchPath } = program;
  if (!isDirectory(workingDirectory))
    return refused(
      'WorkingDirectoryMissing',
      `spec.local.workingDir: there is no folder ${workingDirectory} to run the program in`,
    );
  const problem = !command.includes('/')
    ? `is in none of the folders of PATH (${searchPath ?? 'which is not set'})`
    : existsSync(resolve(workingDirectory, command))
      ? 'cannot be run: the interpreter that its first line names is missing'
      : `does not exist (looked for from ${workingDirectory})`;
  return refused('CommandNotFound', `${commandField}: ${quoted(program)} ${problem}`);
}

function notPermitted(program: LocalProgram): StartOutcome {
  const { command, commandField, workingDirectory } = program;
  if (!isAccessible(workingDirectory, constants.X_OK))
    return refused(
      'WorkingDirectoryNotPermitted',
      `spec.local.workingDir: the folder ${workingDirectory} may not be entered by this user`,
    );
  // A search that met a folder of PATH that may not be read ends with this code too, when nothing was found.
  if (!command.includes('/') && !isOnPath(program)) return notFound(program);
  return refused('CommandNotExecutable', `${commandField}: ${quoted(program)} may not be executed`);
}

const isOnPath = ({ command, searchPath, workingDirectory }: LocalProgram): boolean =>
  (searchPath ?? '').split(':').some((folder) => existsSync(resolve(workingDirectory, folder, command)));

/** A start that can never be. */
export const refused = (reason: string, message: string): StartOutcome => ({
  kind: 'Refused',
  reason,
  message,
});

const quoted = ({ command }: LocalProgram): string => JSON.stringify(command);

function isAccessible(path: string, mode: number): boolean {
  try {
    accessSync(path, mode);
    return true;
  } catch {
    return false;
  }
}

function isDirectory(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
}
