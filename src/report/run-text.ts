import { counted } from './counted.ts';
import { durationText } from './duration-text.ts';
import type { ReportedRun } from './run-report.ts';
import type { TextStyle } from './text-style.ts';

/** Enough of a run's UID to find it again. */
const UID_DIGITS = 8;

/** The beginning of a run's UID, by which the result store finds it. */
export const shortUid = (uid: string): string => uid.slice(0, UID_DIGITS);

/** `2026-11-24 10:00:00 UTC` for an ISO 8601 time in UTC. */
export const timeText = (time: string): string => time.replace('T', ' ').replace(/(\.\d+)?Z$/, ' UTC');

/** How long the run took, as the only element; empty while it is not over. */
export const runDuration = ({
  startedAt,
  finishedAt,
}: Pick<ReportedRun, 'startedAt' | 'finishedAt'>): readonly string[] =>
  finishedAt === null ? [] : [durationText(Date.parse(finishedAt) - Date.parse(startedAt))];

/** The state as a person is told: a run whose process has gone does not run, whatever is stored of it. */
export const stateName = ({ state, interrupted }: Pick<ReportedRun, 'state' | 'interrupted'>): string =>
  interrupted ? 'Interrupted' : state;

/** {@link stateName} in its colour. */
export function stateText(run: Pick<ReportedRun, 'state' | 'interrupted'>, style: TextStyle): string {
  const name = stateName(run);
  switch (run.state) {
    case 'Running':
      return run.interrupted ? style.yellow(name) : style.cyan(name);
    case 'Complete':
      return style.green(name);
    case 'Failed':
      return style.red(name);
    case 'Cancelled':
      return style.yellow(name);
  }
}

/** Why the run ended, where that is not just that all of its trials succeeded; undefined otherwise, and while it is not over. */
export function endOf({ state, reason, message }: ReportedRun): RunEndText | undefined {
  if (state === 'Running' || reason === 'AllTrialsSucceeded' || message === null || message === '')
    return undefined;
  return { reason: reason ?? state, message };
}

/** Why a run ended: a word, and a sentence. */
export interface RunEndText {
  readonly reason: string;
  readonly message: string;
}

/** `7 of 9 trials succeeded, 2 failed`: what there is none of is left out. */
export function trialCountsText({
  succeeded,
  failed,
  cancelled,
  skipped,
  reused,
  total,
}: ReportedRun['trials']): string {
  return [
    `${succeeded} of ${counted(total, 'trial')} succeeded`,
    ...(failed > 0 ? [`${failed} failed`] : []),
    ...(cancelled > 0 ? [`${cancelled} cancelled`] : []),
    ...(skipped > 0 ? [`${skipped} skipped`] : []),
    ...(reused > 0 ? [`${reused} reused`] : []),
  ].join(', ');
}
