import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';

/**
 * A process that cannot outlive the one which started it, also when that one is killed with SIGKILL.
 *
 * Nothing runs in a process that was killed, so somebody else has to notice. Each process gets a shell beside
 * it that holds the reading end of a pipe; the operating system closes the writing end when the parent dies,
 * for whatever reason, and the shell then ends the process: SIGTERM, and SIGKILL when that was not enough.
 * An ordinary stop closes the same pipe, so the path that matters after a crash is the one used every day.
 */
export interface SupervisedProcess {
  readonly name: string;
  /** The process itself, to send signals to. */
  readonly pid: number;
  /** The shell that watches over it. */
  readonly supervisorPid: number;
  /** Resolves with the exit code when the process has ended; above 128 it is 128 + the signal that ended it. */
  readonly exited: Promise<number>;
  /** SIGTERM, then SIGKILL after the grace period. Resolves when the process is gone. */
  stop(): Promise<void>;
  /** SIGKILL, like a crash. Resolves when the process is gone. */
  kill(): Promise<void>;
}

export interface SupervisedCommand {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly environment: NodeJS.ProcessEnv;
  readonly workingDirectory: string;
  /** Who runs it, when that is not who starts it; root may choose. */
  readonly account?: { readonly uid: number; readonly gid: number } | undefined;
  /** Standard output and standard error are appended here. */
  readonly logFile: string;
  /** How long the process may take to end after SIGTERM. */
  readonly graceSeconds: number;
}

// The background list has its input from /dev/null by default, hence the copy of the pipe as descriptor 3.
const SUPERVISOR = `
log=$1; tenths=$2; shift 2
exec 3<&0
"$@" </dev/null >>"$log" 2>&1 3<&- &
process=$!
(
  exec >/dev/null 2>&1
  while read -r _ <&3; do :; done
  kill -TERM "$process"
  while [ "$tenths" -gt 0 ] && kill -0 "$process"; do sleep 0.1; tenths=$((tenths - 1)); done
  kill -KILL "$process"
) &
watcher=$!
echo "$process"
exec 3<&-
wait "$process"; status=$?
kill "$watcher"
exit "$status"
`;

/** Starts the command under supervision. A command that cannot be executed ends with code 126 or 127. */
export async function startSupervised(command: SupervisedCommand): Promise<SupervisedProcess> {
  const supervisor = spawn(
    '/bin/sh',
    [
      '-c',
      SUPERVISOR,
      'supervisor',
      command.logFile,
      String(command.graceSeconds * 10),
      command.command,
      ...command.args,
    ],
    {
      ...command.account,
      cwd: command.workingDirectory,
      env: command.environment,
      stdio: ['pipe', 'pipe', 'ignore'],
      // A session of its own: Ctrl-C in a terminal reaches the parent only, which then stops things in order.
      detached: true,
    },
  );
  const exited = new Promise<number>((resolve, reject) => {
    supervisor.once('error', (cause) =>
      reject(new Error(`start ${command.name}: no shell to run it in`, { cause })),
    );
    supervisor.once('exit', (code) => resolve(code ?? 128));
  });
  // The shell prints the process id first; its output ends without one when it could not get that far.
  const [firstLine] = await Promise.race([
    once(supervisor.stdout, 'data'),
    once(supervisor.stdout, 'close').then(() => ['']),
  ]);
  const pid = Number.parseInt(String(firstLine), 10);
  if (!Number.isSafeInteger(pid) || supervisor.pid === undefined) {
    await exited;
    throw new Error(`start ${command.name}: the supervising shell ended before it had started the process`);
  }
  const closePipe = () => supervisor.stdin.end();
  return {
    name: command.name,
    pid,
    supervisorPid: supervisor.pid,
    exited,
    async stop() {
      closePipe();
      await exited;
    },
    async kill() {
      if (isRunning(pid)) process.kill(pid, 'SIGKILL');
      await exited;
      closePipe();
    },
  };
}

/** The last lines of a log file, for an error message; says so when there is none. */
export async function logTail(logFile: string, lines = 20): Promise<string> {
  const text = await readFile(logFile, 'utf8').catch(() => '');
  const tail = text.trimEnd().split('\n').slice(-lines).join('\n');
  return tail === '' ? `(${logFile} is empty)` : `last lines of ${logFile}:\n${tail}`;
}

/** Whether a process with this id exists, of whichever user. */
export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}
