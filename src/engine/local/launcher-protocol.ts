import { errorCode } from '../../error-code.ts';
import type { AttemptFiles } from './attempt-files.ts';

/** The variable by which the programs of one engine are told from all other processes. */
export const MARK_VARIABLE = 'BATCHTEST_ENGINE';

/** Asks the launcher to start a program. */
export interface LaunchRequest {
  /** Unique among the requests to one launcher; its answers bear it. */
  readonly id: number;
  readonly command: string;
  readonly args: readonly string[];
  readonly workingDirectory: string;
  /** Beside the launcher's own environment, which all programs inherit; before it. */
  readonly environment: Readonly<Record<string, string>>;
  readonly files: AttemptFiles;
}

/** What Node or the system said of a failure. */
export interface LaunchFailure {
  readonly code: string | undefined;
  readonly message: string;
}

/** What Node or the system said when something was thrown. */
export const launchFailure = (error: unknown): LaunchFailure => ({
  code: errorCode(error),
  message: error instanceof Error ? error.message : String(error),
});

/** What the launcher tells of a request: Started and later Ended, or one of the others. */
export type LaunchReport =
  | {
      readonly kind: 'Started';
      readonly id: number;
      readonly group: number;
      /** When it was started, by `steadyMs`: it is told a little later, see `launcher-main.ts`. */
      readonly at: number;
    }
  /** Its logs could not be made; nothing was started. */
  | ({ readonly kind: 'NoLogs'; readonly id: number } & LaunchFailure)
  /** It could not be started; its logs are there, and empty. */
  | ({ readonly kind: 'NotStarted'; readonly id: number } & LaunchFailure)
  /** Nothing of its group runs any more. */
  | {
      readonly kind: 'Ended';
      readonly id: number;
      /** Of the program itself: 128 + n when signal n ended it. */
      readonly exitCode: number;
      /** From its start to the end of the program itself, in milliseconds: what it had started may have outlived it. */
      readonly ranMs: number;
    };
