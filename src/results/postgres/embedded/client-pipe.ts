import { closeSync, constants, fstatSync, lstatSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { errorCode } from '../../../error-code.ts';

/**
 * A server lives as long as somebody holds its pipe. Each client keeps a writing end open; the kernel closes it
 * however the client ends, and the supervisor sees the end of file when the last one has gone. Node opens files with
 * O_CLOEXEC, so the programs a client starts do not hold the pipe.
 */
export interface ClientPipe {
  /** Lets go of the server. It stops when nobody else holds it. */
  release(): void;
}

/**
 * - `Joined`: the server stays until the pipe is released;
 * - `Closing`: its last client has gone and it is about to stop;
 * - `Unsupervised`: nobody reads the pipe, because the supervisor was killed.
 */
export type JoinOutcome =
  | { readonly kind: 'Joined'; readonly pipe: ClientPipe }
  | { readonly kind: 'Closing' }
  | { readonly kind: 'Unsupervised' };

const { O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_RDWR, O_WRONLY } = constants;

/** Path of the named pipe inside the directory of a running server. */
export function pipePath(serverDirectory: string): string {
  return join(serverDirectory, 'clients');
}

/**
 * Joins the clients of a running server.
 *
 * The supervisor renames the pipe before it looks for late clients one last time. So a client that finds the pipe
 * under its name after it opened it is seen, and the line it writes tells the supervisor to carry on.
 */
export function joinClients(serverDirectory: string): JoinOutcome {
  const path = pipePath(serverDirectory);
  let descriptor: number | undefined;
  try {
    // Without O_NONBLOCK, opening a pipe that nobody reads would wait for ever.
    descriptor = openSync(path, O_WRONLY | O_NONBLOCK | O_NOFOLLOW);
    if (lstatSync(path).ino !== fstatSync(descriptor).ino) throw new Error(`${path} was replaced`);
    writeSync(descriptor, '\n');
    return { kind: 'Joined', pipe: pipeOf(descriptor) };
  } catch (error) {
    if (descriptor !== undefined) closeSync(descriptor);
    switch (errorCode(error)) {
      case 'ENXIO':
        return { kind: 'Unsupervised' };
      case 'ENOENT':
      case 'EPIPE':
        return { kind: 'Closing' };
      default:
        throw error;
    }
  }
}

/**
 * Whether a server still has its supervisor, which it also has while it shuts down. Unlike a process id, a pipe means the same
 * in every container that has the data directory. Nothing is written, so the supervisor takes nobody for a client.
 */
export function isSupervised(serverDirectory: string): boolean {
  const clients = pipePath(serverDirectory);
  const closing = join(serverDirectory, 'closing');
  // It may go back to its name between two looks.
  return [clients, closing, clients].some(hasReader);
}

function hasReader(path: string): boolean {
  try {
    closeSync(openSync(path, O_WRONLY | O_NONBLOCK | O_NOFOLLOW));
    return true;
  } catch (error) {
    const code = errorCode(error);
    if (code === 'ENXIO' || code === 'ENOENT') return false;
    throw error;
  }
}

/** Both ends of a new server's pipe: ours, and the one its supervisor inherits. */
export interface NewPipe {
  readonly pipe: ClientPipe;
  /** Close it after the supervisor has been spawned. */
  readonly readingEnd: number;
}

/** Opens both ends of a pipe that nobody uses yet. */
export function openNewPipe(serverDirectory: string): NewPipe {
  const path = pipePath(serverDirectory);
  // With both directions open, neither of the next two waits for the other. The reading end must block, as the
  // supervisor's `read` takes "nothing to read yet" for the end.
  const both = openSync(path, O_RDWR | O_NOFOLLOW);
  try {
    const readingEnd = openSync(path, O_RDONLY | O_NOFOLLOW);
    return { pipe: pipeOf(openSync(path, O_WRONLY | O_NOFOLLOW)), readingEnd };
  } finally {
    closeSync(both);
  }
}

function pipeOf(descriptor: number): ClientPipe {
  let held = true;
  return {
    release() {
      if (held) closeSync(descriptor);
      held = false;
    },
  };
}
