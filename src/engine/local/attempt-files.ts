import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  mkdirSync,
  openSync,
  readSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { RESULT_FILE_LIMIT_BYTES } from '../../core/attempt.ts';
import { errorCode } from '../../error-code.ts';
import { makeWritable } from './writable-folders.ts';

const { O_NOFOLLOW, O_NONBLOCK, O_RDONLY } = constants;

/** What a kubelet takes of a container's log for a termination message: MaxContainerTerminationMessageLogLength and -LogLines. */
const LOG_TAIL_BYTES = 2_048;
const LOG_TAIL_LINES = 80;

/** Paths of what is kept of one attempt. Beside those of the others: to make a folder for each took as long as to start a program. */
export interface AttemptFiles {
  readonly directory: string;
  readonly stdout: string;
  readonly stderr: string;
  /** Of the program's to make. */
  readonly result: string;
  /** Made for a program that may push its result. */
  readonly token: string;
  /** An empty folder for what the program makes. In one beside the logs, which stay easy to look through when most programs make nothing. */
  readonly artifacts: string;
  /** Both logs, as a person can paste them into a shell. */
  readonly logs: string;
}

const ARTIFACTS_FOLDER = 'artifacts';

/** The files of the attempt of this name, in its run's directory. */
export function attemptFiles(directory: string, name: string): AttemptFiles {
  const stem = join(directory, name);
  return {
    directory,
    stdout: `${stem}.stdout.log`,
    stderr: `${stem}.stderr.log`,
    result: `${stem}.result.json`,
    token: `${stem}.token`,
    artifacts: join(directory, ARTIFACTS_FOLDER, name),
    logs: `${stem}.{stdout,stderr}.log`,
  };
}

/** Descriptors of an attempt's logs, for its program to write to. */
export interface AttemptLogs {
  readonly stdout: number;
  readonly stderr: number;
}

/**
 * Opens empty logs, makes the empty folder for artifacts, and makes sure that there is no result yet: what an earlier process left of an attempt that nobody recorded is not
 * taken for this one's. Makes the run's directories when they are not there. The caller closes the logs.
 */
export function openLogs(files: AttemptFiles): AttemptLogs {
  try {
    return openNewLogs(files);
  } catch (error) {
    const code = errorCode(error);
    if (code === 'EEXIST') for (const file of outputOf(files)) remove(file);
    else if (code !== 'ENOENT') throw error;
    mkdirSync(join(files.directory, ARTIFACTS_FOLDER), { recursive: true });
    return openNewLogs(files);
  }
}

function openNewLogs(files: AttemptFiles): AttemptLogs {
  // 'x': whatever has the name already, a link or a FIFO that nobody reads too, is not written to.
  const stdout = openSync(files.stdout, 'wx');
  try {
    // To look costs less than the error that there is nothing to remove.
    if (lstatSync(files.result, { throwIfNoEntry: false }) !== undefined) remove(files.result);
    mkdirSync(files.artifacts);
    return { stdout, stderr: openSync(files.stderr, 'wx') };
  } catch (error) {
    closeSync(stdout);
    remove(files.stdout);
    throw error;
  }
}

export function closeLogs({ stdout, stderr }: AttemptLogs): void {
  closeSync(stdout);
  closeSync(stderr);
}

/** Writes the token of an attempt where only this user can read it. */
export function writeToken({ directory, token: file }: AttemptFiles, token: string): void {
  mkdirSync(directory, { recursive: true });
  // Whatever an earlier process left under this name is not written to.
  remove(file);
  writeFileSync(file, token, { flag: 'wx', mode: 0o600 });
}

/** Throws nothing: a program may have closed the folder, and a token counts for nothing once it is revoked. */
export const removeToken = ({ token }: AttemptFiles): void => removeIfPossible(token);

/** Removes what there is of an attempt whose program did not start, as far as that is possible: it is empty. Throws nothing. */
export function removeAttemptFiles(files: AttemptFiles): void {
  for (const file of outputOf(files)) removeIfPossible(file);
  removeToken(files);
}

function removeIfPossible(path: string): void {
  try {
    remove(path);
  } catch {
    // It stays where it is, with all else that is kept of the run.
  }
}

/** Not the token, which is made before the program is started. */
const outputOf = ({ stdout, stderr, result, artifacts }: AttemptFiles): readonly string[] => [
  stdout,
  stderr,
  result,
  artifacts,
];

function remove(path: string): void {
  try {
    rmSync(path, { recursive: true, force: true });
  } catch (error) {
    if (errorCode(error) !== 'EACCES') throw error;
    makeWritable(path);
    rmSync(path, { recursive: true, force: true });
  }
}

/** What a program left in its result file. */
export interface ResultFile {
  readonly text: string;
  /** True when the file was longer than {@link RESULT_FILE_LIMIT_BYTES}; then `text` is its end, as a kubelet would give it. */
  readonly truncated: boolean;
}

/**
 * Empty when there is no regular file, or one that its program took the right to read from: whatever it put there instead, this neither waits nor reads on.
 * @throws what the system answers when it cannot read now, which says nothing about the result
 */
export function readResultFile({ result }: AttemptFiles): ResultFile {
  const end = readEnd(result, RESULT_FILE_LIMIT_BYTES);
  return { text: end.bytes.toString(), truncated: end.omitted };
}

/**
 * The last 2,048 bytes, and of these the last 80 lines, of what the program printed; its errors after the rest.
 * @throws as {@link readResultFile} does
 */
export function readLogTail({ stdout, stderr }: AttemptFiles): string {
  const streams = [stdout, stderr].map((file) => readEnd(file, LOG_TAIL_BYTES).bytes);
  const bytes = Buffer.concat(streams).subarray(-LOG_TAIL_BYTES);
  const lines = fromWholeCharacter(bytes).toString().split('\n');
  // The last line ends in a newline, after which there is one more, empty piece.
  return lines.slice(-LOG_TAIL_LINES - 1).join('\n');
}

/** What a program can have made of a file or its folder: there is none, a link, one that nobody may read, a socket. */
const MEANS_NOTHING: ReadonlySet<string> = new Set(['ENOENT', 'ENOTDIR', 'ELOOP', 'EACCES', 'ENXIO']);

function readEnd(file: string, limit: number): { readonly bytes: Buffer; readonly omitted: boolean } {
  const nothing = { bytes: Buffer.alloc(0), omitted: false };
  let descriptor: number | undefined;
  try {
    // O_NONBLOCK: opening a FIFO that nobody writes to would wait for ever.
    descriptor = openSync(file, O_RDONLY | O_NONBLOCK | O_NOFOLLOW);
    const status = fstatSync(descriptor);
    if (!status.isFile()) return nothing;
    const bytes = Buffer.alloc(Math.min(status.size, limit));
    const length = readSync(descriptor, bytes, 0, bytes.length, status.size - bytes.length);
    return { bytes: bytes.subarray(0, length), omitted: status.size > limit };
  } catch (error) {
    if (MEANS_NOTHING.has(errorCode(error) ?? '')) return nothing;
    throw error;
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}

/** Without the rest of a character whose beginning was cut off. UTF-8 continues a character with at most three bytes 10xxxxxx. */
function fromWholeCharacter(bytes: Buffer): Buffer {
  let start = 0;
  while (start < 3 && start < bytes.length && ((bytes[start] ?? 0) & 0xc0) === 0x80) start += 1;
  return bytes.subarray(start);
}
