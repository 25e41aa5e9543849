import { rmSync, statSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { errorCode } from '../../../error-code.ts';
import { commandLineOf } from './command-line.ts';

/** What a running (or crashed) server wrote about itself. */
export interface PostmasterFile {
  readonly pid: number;
  /** Known once the server listens. */
  readonly socketDirectory: string | undefined;
  readonly acceptsConnections: boolean;
}

/** Line numbers from Postgres' `src/include/utils/pidfile.h`. */
const LINE = { pid: 0, socketDirectory: 4, status: 7 } as const;

/** Reads `postmaster.pid`, by which servers exclude each other from a cluster. Undefined when there is none. */
export async function readPostmasterFile(clusterDirectory: string): Promise<PostmasterFile | undefined> {
  let text: string;
  try {
    text = await readFile(join(clusterDirectory, 'postmaster.pid'), 'utf8');
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
  const lines = text.split('\n').map((line) => line.trim());
  const pid = Number(lines[LINE.pid]);
  // The server creates the file before it fills it.
  if (!Number.isInteger(pid) || pid <= 0) return undefined;
  return {
    pid,
    socketDirectory: lines[LINE.socketDirectory] || undefined,
    acceptsConnections: lines[LINE.status] === 'ready',
  };
}

/** A server fills its file within microseconds; one that is empty for this long was left by a power cut. */
const EMPTY_FOR_MS = 30_000;

/**
 * Removes a `postmaster.pid` that a power cut left empty: no server starts while it is there. The calls are
 * synchronous to leave no time in which a starting server could fill the file.
 */
export function removeEmptyPostmasterFile(clusterDirectory: string): void {
  const path = join(clusterDirectory, 'postmaster.pid');
  const file = statSync(path, { throwIfNoEntry: false });
  if (file?.size === 0 && Date.now() - file.mtimeMs > EMPTY_FOR_MS) rmSync(path, { force: true });
}

/**
 * Whether the process is a server of this cluster. After a crash the file names a process id that may have been given
 * to any other program since, or to a zombie; both would make Postgres believe that its server still runs.
 */
export async function isServerOf(clusterDirectory: string, pid: number): Promise<boolean> {
  const commandLine = await commandLineOf(pid);
  return commandLine.includes(`-D\0${clusterDirectory}\0`) || commandLine.includes(`-D ${clusterDirectory} `);
}
