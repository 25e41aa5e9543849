import { setTimeout as sleep } from 'node:timers/promises';
import type { CollectedArtifacts, Exited, Termination } from '../../core/attempt.ts';
import type { ArtifactCollector } from './artifact-collection.ts';
import { type AttemptFiles, readLogTail, readResultFile } from './attempt-files.ts';
import type { ProgramEnd } from './program-launcher.ts';

/** A machine that is short of descriptors because many programs end at once has some again soon. */
const READ_AGAIN_AFTER_MS = 500;
const READ_AGAIN_TIMES = 20;

type ProgramExit = Extract<ProgramEnd, { readonly kind: 'Exited' }>;

/**
 * How a program ended, with what it left: its result, its artifacts with their digests, the tail of its log when it failed, as a kubelet does with
 * terminationMessagePolicy FallbackToLogsOnError. At once when it left no artifacts. What the machine cannot read is read again for a while, and then not held
 * against the program.
 */
export function readLeft(
  files: AttemptFiles,
  exit: ProgramExit,
  startedAt: number,
  collector: ArtifactCollector,
): Termination | Promise<Termination> {
  const read = (): Termination | Promise<Termination> => {
    const exited = exitedOf(files, exit, startedAt);
    const artifacts = exit.exitCode === 0 ? collector.collect(files.artifacts) : undefined;
    const withArtifacts = (collected: CollectedArtifacts): Termination => ({
      ...exited,
      artifacts: collected,
    });
    if (artifacts === undefined) return exited;
    return artifacts instanceof Promise ? artifacts.then(withArtifacts) : withArtifacts(artifacts);
  };
  const readAgain = () => readUntilRead(read, exit, startedAt);
  try {
    const left = read();
    return left instanceof Promise ? left.catch(readAgain) : left;
  } catch {
    return readAgain();
  }
}

function exitedOf(files: AttemptFiles, { exitCode }: ProgramExit, startedAt: number): Exited {
  const { text, truncated } = readResultFile(files);
  const message = text === '' && exitCode !== 0 ? readLogTail(files) : text;
  return { kind: 'Exited', exitCode, message, truncated, startedAt };
}

async function readUntilRead(
  read: () => Termination | Promise<Termination>,
  { exitCode }: ProgramExit,
  startedAt: number,
): Promise<Termination> {
  let why = '';
  for (let time = 0; time < READ_AGAIN_TIMES; time += 1) {
    await sleep(READ_AGAIN_AFTER_MS);
    try {
      return await read();
    } catch (error) {
      why = error instanceof Error ? error.message : String(error);
    }
  }
  const message = `what the program left cannot be read: ${why}`;
  // An exit code is a verdict by itself.
  return exitCode === 0
    ? { kind: 'Lost', reason: 'ResultUnreadable', message, startedAt }
    : { kind: 'Exited', exitCode, message, startedAt };
}
