import type { RunEnd } from '../core/plan.ts';
import type { RunReport } from '../report/run-report.ts';

/** What the process says to scripts. The same for local and cluster runs; documented in docs/reference/cli.md. */
export const ExitCode = {
  complete: 0,
  /** Variants failed, or a gate did, or what was measured cannot be compared. */
  variantsFailed: 1,
  /** An invalid manifest, or a wrong use of the command line. */
  invalidInput: 2,
  /** What runs and stores the trials failed, not what they tested. */
  infrastructure: 3,
  /** Cancelled by its user, or over a deadline. */
  cancelled: 4,
  /** `batchtest parity` of two runs: too few trials, or values that vary too much, to tell. */
  undecided: 5,
  /** `batchtest wait --timeout`: the time is over and the run is not; as of timeout(1). */
  waitTimedOut: 124,
  /** Ended at once by Ctrl-C; what a shell shows for a program that a SIGINT ended. */
  interrupted: 130,
} as const;

export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode];

/** The exit code of a run that ended. A gate that failed counts when the run itself is complete. */
export function exitCodeOf({ reason }: RunEnd, { gate }: Pick<RunReport, 'gate'>): ExitCode {
  switch (reason) {
    case 'AllTrialsSucceeded':
    case 'StoppedEarly':
    case 'TargetMet':
      return gate === 'Failed' ? ExitCode.variantsFailed : ExitCode.complete;
    case 'VariantsFailed':
    case 'TooManyFailedVariants':
    case 'SharedDataChanged':
      return ExitCode.variantsFailed;
    case 'InvalidSpec':
      return ExitCode.invalidInput;
    case 'InfrastructureFailed':
      return ExitCode.infrastructure;
    case 'DeadlineExceeded':
    case 'CancelRequested':
    case 'Deleted':
      return ExitCode.cancelled;
  }
}
