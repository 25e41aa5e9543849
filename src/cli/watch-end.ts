import { counted } from '../report/counted.ts';
import { durationText } from '../report/duration-text.ts';
import { printable } from '../report/printable.ts';
import type { WatchOutcome } from '../runner/watched-run.ts';
import { ExitCode, exitCodeOf } from './exit-code.ts';
import { doneTrials, waitingText } from './progress-lines.ts';

/** Why a watch was left before the run was over. */
export type LeftBecause = 'Interrupted' | 'TimedOut';

/** The exit code of a command that watched a run: that of the run, when it is over. */
export function exitCodeOfWatch(outcome: WatchOutcome, left: LeftBecause): ExitCode {
  switch (outcome.kind) {
    case 'Over':
      return exitCodeOf(outcome.end, { gate: outcome.status.gate ?? null });
    case 'Deleted':
      return ExitCode.cancelled;
    case 'Left':
      return left === 'Interrupted' ? ExitCode.interrupted : ExitCode.waitTimedOut;
  }
}

/** For stderr: why nothing is said about the end of the run. */
export function watchEndText(
  name: string,
  outcome: Exclude<WatchOutcome, { kind: 'Over' }>,
  left: LeftBecause,
  timeoutMs: number | undefined,
): string {
  const subject = `BatchTest ${printable(name)}`;
  if (outcome.kind === 'Deleted')
    return outcome.replacedBy === undefined
      ? `${subject} was deleted before its run was over`
      : `${subject} was deleted before its run was over; another of that name is there now (UID ${outcome.replacedBy}), which was not waited for`;
  if (left === 'Interrupted') return `no longer watching ${subject}; its run goes on`;
  return `${subject} is not over after ${durationText(timeoutMs ?? 0)}: ${progressText(outcome)}; its run goes on`;
}

function progressText({ status }: Extract<WatchOutcome, { kind: 'Left' }>): string {
  if (status === undefined) return 'no operator has picked it up, or the cluster did not answer';
  const { total } = status.trials ?? { total: 0 };
  const waiting = waitingText(status);
  return `${doneTrials(status)} of ${counted(total, 'trial')} done${waiting === undefined ? '' : ` (${waiting})`}`;
}
