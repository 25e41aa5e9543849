import { createHash } from 'node:crypto';
import type { PushedResult } from './pushed-result.ts';
import type { RunDefinition } from './run.ts';
import type { Explanation } from './status.ts';
import type { Trial } from './trial.ts';

/** What a run, a trial and a number identify: one start of the program. */
export interface AttemptKey {
  readonly variantId: string;
  readonly repetition: number;
  /** Counts from 1. */
  readonly attempt: number;
}

/** How an attempt ended, as its engine saw it. No verdict yet: `judgeAttempt` gives that. */
export type Termination =
  | {
      readonly kind: 'Exited';
      /** 128 + n when signal n ended the program, as shells and the kubelet count. */
      readonly exitCode: number;
      /** The engine's own word for the end where it has one, such as OOMKilled. */
      readonly reason?: string;
      /** What the program left in its result file, or the tail of its log when it failed and left nothing there. */
      readonly message: string;
      /** True when the result file was longer than {@link RESULT_FILE_LIMIT_BYTES}. */
      readonly truncated?: boolean;
      /** How many bytes of it come through, where that is fewer: what is longer is cut there, and nothing tells so. */
      readonly messageLimitBytes?: number;
      readonly startedAt?: number;
      /**
       * What the program pushed, of a run whose programs may: `Nothing` when it did not. Undefined while that has not been looked up; until then such an
       * end is not judged.
       */
      readonly pushed?: PushedResult | 'Nothing';
      /** What ended the program, or may have, whatever its exit code. */
      readonly disruption?: Explanation;
      /** What the program left in its artifacts directory; undefined where it has none. */
      readonly artifacts?: CollectedArtifacts;
    }
  /** The program did not get to its own end: eviction, lost node, image that cannot be pulled, command that cannot be started. */
  | { readonly kind: 'Lost'; readonly reason: string; readonly message: string; readonly startedAt?: number }
  /** Somebody else enforced the trial's deadline: the kubelet does. */
  | { readonly kind: 'DeadlineExceeded'; readonly message: string; readonly startedAt?: number };

export type Exited = Extract<Termination, { readonly kind: 'Exited' }>;

/** A file that a program left in its artifacts directory. */
export interface CollectedFile {
  /** Below that directory, with `/` between folders. */
  readonly path: string;
  readonly uri: string;
  /** Lower-case hexadecimal SHA-256 of its bytes. */
  readonly sha256: string;
  /** Bytes. */
  readonly size: number;
  readonly mediaType: string;
}

export type CollectedArtifacts =
  /** `directory` is its URI, with a slash at the end. */
  | { readonly kind: 'Files'; readonly directory: string; readonly files: readonly CollectedFile[] }
  /** They cannot be tracked: there are too many, or they are too large. */
  | { readonly kind: 'Refused'; readonly reason: string; readonly message: string };

/** Bytes that a result file may hold: what a kubelet takes as termination message. The same everywhere, so that a local run tells. */
export const RESULT_FILE_LIMIT_BYTES = 4_096;

/** Times are milliseconds since the epoch. */
export type AttemptState =
  /** The program does not run yet: the process is being spawned, the pod waits for a node or an image. */
  | { readonly kind: 'Waiting'; readonly since: number; readonly reason?: string; readonly message?: string }
  | {
      readonly kind: 'Running';
      readonly since: number;
      /** When its program ended, while what it left is still being read: it takes its slot, and comes to the end that it has. */
      readonly endedAt?: number;
    }
  /** Its removal was asked for; the program may still be running. */
  | {
      readonly kind: 'Stopping';
      /** Why its program cannot be ended for now. */
      readonly message?: string;
    }
  | {
      readonly kind: 'Ended';
      readonly at: number;
      readonly termination: Termination;
      /** What carries the attempt may start its program once more, or has: a queue suspended its Job, and may admit it again. */
      readonly mayRunAgain?: true;
    };

/** One attempt as its engine sees it now. */
export interface ObservedAttempt extends AttemptKey {
  readonly name: string;
  readonly state: AttemptState;
  /** Tells this start of the program from an earlier one of the same attempt; undefined where no result is pushed by it. */
  readonly startId?: string;
  /** Where the attempt's output is kept, for a person: files locally, a pod's name in a cluster. */
  readonly logs?: string;
}

/** True while the attempt takes one of the run's `parallelism` slots. */
export const isLive = (attempt: ObservedAttempt): boolean => attempt.state.kind !== 'Ended';

/** True while there is something that a deadline or a cancellation could end: a program that has come to its own end keeps it. */
export const isUnderWay = ({ state }: ObservedAttempt): boolean =>
  state.kind === 'Waiting' || (state.kind === 'Running' && state.endedAt === undefined);

const NAME_LIMIT = 63;
const HASH_LENGTH = 10;

/**
 * `<batchtest>-<variant slug>-<hash>`: at most 63 characters, a valid Job name, the same whenever it is asked for. Starting an
 * attempt twice therefore meets the name of the first start, not a second program.
 */
export function attemptName(run: Pick<RunDefinition, 'uid' | 'name'>, trial: Trial, attempt: number): string {
  const hash = attemptHash(run.uid, { variantId: trial.variant.id, repetition: trial.repetition, attempt });
  const readable = `${slug(run.name).slice(0, 30)}-${slug(trial.variant.name)}`;
  return `${readable.slice(0, NAME_LIMIT - HASH_LENGTH - 1).replace(/-+$/, '')}-${hash}`;
}

/** True when a name can be that of this attempt. Such a name needs no quoting in a path. */
export const isAttemptName = (name: string, runUid: string, key: AttemptKey): boolean =>
  name.length <= NAME_LIMIT && /^[a-z0-9-]+$/.test(name) && name.endsWith(`-${attemptHash(runUid, key)}`);

const attemptHash = (runUid: string, { variantId, repetition, attempt }: AttemptKey): string =>
  createHash('sha256')
    .update(`${runUid}/${variantId}/${repetition}/${attempt}`)
    .digest('hex')
    .slice(0, HASH_LENGTH);

function slug(text: string): string {
  const words = text
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '');
  return words === '' ? 'x' : words;
}
