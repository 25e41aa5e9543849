import { ConditionType } from '../api/v1alpha1/constants.ts';
import type { BatchTestStatus, Condition } from '../api/v1alpha1/status.ts';
import { finishedCondition } from '../core/status.ts';
import { counted } from '../report/counted.ts';
import { durationInSeconds } from '../report/duration-text.ts';
import { printable, printableLine } from '../report/printable.ts';
import { type TextStyle, textStyle } from '../report/text-style.ts';
import { cutEnd, cutMiddle, textWidth } from '../report/text-width.ts';

/** What is known of a run at one moment. */
export interface ProgressSnapshot {
  /** Name of the BatchTest. */
  readonly name: string;
  readonly status: BatchTestStatus;
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** When the run began, in milliseconds since the epoch, as far as the one who watches knows. The status's own time counts more. */
  readonly watchedSince: number;
  /** Trials that end per second; undefined before that is known. */
  readonly trialsPerSecond: number | undefined;
}

export interface ProgressLayout {
  readonly columns: number;
  readonly colour: boolean;
}

type TrialCounts = NonNullable<BatchTestStatus['trials']>;

const NO_TRIALS: TrialCounts = { total: 0, pending: 0, running: 0, succeeded: 0, failed: 0, cancelled: 0 };
const LONGEST_BAR = 50;
const SHORTEST_BAR = 10;
const NAME_SHARE = 0.4;
const BEST_NAME_WIDTH = 40;

/** Trials that have ended, however they did. */
export const doneTrials = ({ trials = NO_TRIALS }: BatchTestStatus): number =>
  trials.succeeded + trials.failed + trials.cancelled + (trials.skipped ?? 0);

/**
 * The block that a terminal shows while a run is under way: bar, counts and speed, the best so far, what the run waits for. No line
 * is wider than `columns`.
 */
export function progressBlock(
  snapshot: ProgressSnapshot,
  { columns, colour }: ProgressLayout,
): readonly string[] {
  const style = textStyle(colour);
  const { status } = snapshot;
  return [
    barLine(snapshot, columns, style, colour),
    ...(status.trials === undefined ? [] : [fittedParts(stateParts(status.trials, style), columns - 2)]),
    fittedParts(paceParts(snapshot, style), columns - 2),
    ...bestLine(status, columns, style),
    ...waitingLines(status, columns, style),
  ].map((line, position) => (position === 0 ? line : `  ${line}`));
}

/** The run in one line without any control code, for files and logs. */
export function progressLine(snapshot: ProgressSnapshot): string {
  const { status, name } = snapshot;
  const { total, running, failed } = status.trials ?? NO_TRIALS;
  const done = doneTrials(status);
  const parts = [
    `${done} of ${counted(total, 'trial')} done${total > 0 ? ` (${percent(done, total)} %)` : ''}`,
    `${running} running`,
    ...(failed > 0 ? [`${failed} failed`] : []),
    ...pace(snapshot),
    ...(status.best === undefined
      ? []
      : [`best so far ${printable(status.best.name)} (${printable(status.best.score)})`]),
    ...troubles(status).map(({ text }) => text),
  ];
  return `${printable(name)}: ${parts.join(', ')}`;
}

/** The end of a run in one line of at most `columns`. */
export function finishedLine(
  { name, status, now, watchedSince }: ProgressSnapshot,
  { columns, colour }: ProgressLayout,
): string {
  const style = textStyle(colour);
  const { total, succeeded } = status.trials ?? NO_TRIALS;
  const end = finishedCondition(status);
  const endedAt = status.completionTime === undefined ? now : Date.parse(status.completionTime);
  const elapsed = durationInSeconds(endedAt - startOf(status, watchedSince));
  const isComplete = end?.type === ConditionType.Complete;
  const isFine = isComplete && status.gate !== 'Failed';
  const mark = isFine ? '✔' : '✘';
  const look = isFine ? style.green : style.red;
  const subject = cutMiddle(printable(name), Math.floor(columns * NAME_SHARE));
  const state = end === undefined ? 'Not over' : printable(end.type);
  const why = end === undefined || isFine ? '' : ` (${isComplete ? 'a gate failed' : explanation(end)})`;
  const rest = `, ${succeeded} of ${counted(total, 'trial')} succeeded in ${elapsed}${why}`;
  const room = columns - textWidth(`${mark} ${subject}: ${state}`);
  return `${look(mark)} ${style.bold(subject)}: ${look(state)}${cutEnd(rest, room)}`;
}

/** Why nothing moves, for a person; undefined while trials run and results are stored. */
export const waitingText = (status: BatchTestStatus): string | undefined =>
  troubles(status)
    .map(({ text }) => text)
    .join('; ') || undefined;

function barLine(
  { name, status }: ProgressSnapshot,
  columns: number,
  style: TextStyle,
  colour: boolean,
): string {
  const { total } = status.trials ?? NO_TRIALS;
  const done = doneTrials(status);
  const subject = cutMiddle(printable(name), Math.floor(columns * NAME_SHARE));
  const counts = total === 0 ? 'starting' : `${String(done).padStart(String(total).length)}/${total}`;
  const share = total === 0 ? '' : `  ${String(percent(done, total)).padStart(3)} %`;
  const room = columns - textWidth(subject) - counts.length - share.length - 4;
  const bar =
    total === 0 || room < SHORTEST_BAR
      ? ''
      : `${barOf(status.trials ?? NO_TRIALS, Math.min(LONGEST_BAR, room), style, colour)}  `;
  return `${style.bold(subject)}  ${bar}${counts}${share}`;
}

/** Ended trials, then running ones, then those to come; told apart by colour, or by shape where there is none. */
function barOf(trials: TrialCounts, width: number, style: TextStyle, colour: boolean): string {
  const { total, succeeded, failed, cancelled, running, skipped = 0 } = trials;
  const at = (count: number): number => Math.round((count / total) * width);
  const ends = [
    at(succeeded),
    at(succeeded + failed),
    at(succeeded + failed + cancelled),
    at(succeeded + failed + cancelled + skipped),
    at(succeeded + failed + cancelled + skipped + running),
    width,
  ];
  const looks = [style.green, style.red, style.yellow, style.yellow, style.cyan, style.dim];
  const shapes = colour ? '━━━━━━' : '█▓▓▓▒░';
  return ends
    .map((end, part) => {
      const length = Math.max(0, end - (ends[part - 1] ?? 0));
      return length === 0 ? '' : (looks[part] ?? style.dim)((shapes[part] ?? '').repeat(length));
    })
    .join('');
}

interface Part {
  readonly plain: string;
  readonly styled: string;
}

function stateParts(trials: TrialCounts, style: TextStyle): readonly Part[] {
  const part = (count: number, word: string, look: (text: string) => string): Part => {
    const text = `${count} ${word}`;
    return { plain: text, styled: count === 0 ? style.dim(text) : look(text) };
  };
  return [
    part(trials.running, 'running', style.cyan),
    part(trials.pending, 'pending', (text) => text),
    part(trials.succeeded, 'succeeded', style.green),
    part(trials.failed, 'failed', style.red),
    ...(trials.cancelled > 0 ? [part(trials.cancelled, 'cancelled', style.yellow)] : []),
    ...(trials.skipped === undefined ? [] : [part(trials.skipped, 'skipped', style.yellow)]),
  ];
}

function paceParts(snapshot: ProgressSnapshot, style: TextStyle): readonly Part[] {
  const { status, now, watchedSince } = snapshot;
  const elapsed = `${durationInSeconds(now - startOf(status, watchedSince))} elapsed`;
  return [elapsed, ...pace(snapshot)].map((text) => ({ plain: text, styled: style.dim(text) }));
}

/** Speed and what it lets expect. Nothing is expected of a run that waits for something. */
function pace({ status, trialsPerSecond }: ProgressSnapshot): readonly string[] {
  if (trialsPerSecond === undefined) return [];
  const left = (status.trials?.total ?? 0) - doneTrials(status);
  const speed =
    trialsPerSecond >= 1
      ? `${trialsPerSecond.toFixed(trialsPerSecond < 10 ? 1 : 0)} trials/s`
      : `${(trialsPerSecond * 60).toFixed(1)} trials/min`;
  if (left === 0 || troubles(status).length > 0) return [speed];
  return [speed, `about ${durationInSeconds(Math.ceil(left / trialsPerSecond) * 1_000)} left`];
}

function bestLine({ best }: BatchTestStatus, columns: number, style: TextStyle): readonly string[] {
  if (best === undefined) return [];
  const tail = `  score ${printable(best.score)}`;
  const label = 'best so far ';
  const room = Math.min(BEST_NAME_WIDTH, columns - 2 - label.length - tail.length);
  return [`${label}${style.bold(cutMiddle(printable(best.name), room))}${tail}`];
}

function waitingLines(status: BatchTestStatus, columns: number, style: TextStyle): readonly string[] {
  return troubles(status).map(({ text, severe }) =>
    (severe ? style.red : style.yellow)(cutEnd(text, columns - 2)),
  );
}

interface Trouble {
  readonly text: string;
  /** Somebody has to do something about it. */
  readonly severe: boolean;
}

function troubles(status: BatchTestStatus): readonly Trouble[] {
  const store = conditionOf(status, ConditionType.ResultStoreAvailable);
  const progressing = conditionOf(status, ConditionType.Progressing);
  const storeTrouble = store?.status === 'False';
  return [
    ...(storeTrouble ? [{ text: `results cannot be stored: ${explanation(store)}`, severe: true }] : []),
    // That the run waits for its store need not be said twice.
    ...(progressing?.status === 'True' && progressing.reason !== 'Running' && !storeTrouble
      ? [{ text: explanation(progressing), severe: false }]
      : []),
  ];
}

const explanation = ({ reason, message }: Condition): string =>
  [printable(reason), printableLine(message)].filter((text) => text !== '').join(': ');

const conditionOf = ({ conditions }: BatchTestStatus, type: string): Condition | undefined =>
  conditions?.find((condition) => condition.type === type);

/** As many parts as fit. */
function fittedParts(parts: readonly Part[], width: number): string {
  let used = -2;
  const shown = parts.filter(({ plain }) => {
    used += plain.length + 2;
    return used <= width;
  });
  return shown.map(({ styled }) => styled).join('  ');
}

/** Whole percent, 100 only when all are done. */
export const percent = (done: number, total: number): number => Math.floor((done / total) * 100);

const startOf = ({ startTime }: BatchTestStatus, watchedSince: number): number =>
  startTime === undefined ? watchedSince : Date.parse(startTime);
