import { stripVTControlCharacters } from 'node:util';
import { printable, printableLine } from './printable.ts';
import type { ReportedFailure } from './run-report.ts';
import { wrappedText } from './wrapped-text.ts';

const MOST_LINES = 3;

/** What surrounds the error in the tail of a program's log: Node's frames and marks, Python's head of a traceback. */
const NOISE = /^\s*(at .*|[\^~]+|Node\.js v[\d.]+|Traceback \(most recent call last\):)$/;
/** A frame of a Python traceback; the source lines that follow it are indented deeper. */
const PYTHON_FRAME = /^ {2}File ".*", line \d+/;
const PYTHON_SOURCE = /^ {4}/;

/** A line that names an error: `Error: no such file`, `TypeError [ERR_X]: …`, `sqlite3.OperationalError: …`, `bench: fatal: …`, `panic: …`. */
const ERROR_LINE =
  /^(.*[\s:(])?([\w.]*(Error|Exception|Failure)|error|ERROR|fatal|FATAL|panic|panicked|Caused by)\b( \[\w+\])?( at\b|:|$)/;

/**
 * Why a trial failed, in at most three lines of at most `width` columns. A program's message is the tail of its log. When that is
 * longer, what is shown begins at the last line that names an error, or holds the last lines where none does: programs say last why
 * they give up.
 */
export function failureExcerpt({ reason, message }: ReportedFailure, width: number): readonly string[] {
  // The outcome and the message say the same as these reasons.
  const isRepetition = reason === 'NonZeroExitCode' || reason === 'Signalled';
  const { verdict, output } = partsOf(message);
  const head = [
    ...(isRepetition ? [] : [printable(reason)]),
    ...(verdict === '' ? [] : [printable(verdict)]),
  ];
  const lines = withoutNoise(output)
    .map(printableLine)
    .filter((line) => line !== '');
  if (head.length + lines.length === 0) return [printable(reason)];
  const text = (from: number): string =>
    [...head, [...(from > 0 ? ['…'] : []), ...lines.slice(from)].join(' ↵ ')]
      .filter((part) => part !== '')
      .join(': ');
  const fits = (from: number): boolean => !isCut(wrappedText(text(from), width, MOST_LINES));
  return wrappedText(text(firstShown(lines, fits)), width, MOST_LINES);
}

/** The first line to show: 0 while all fit. */
function firstShown(lines: readonly string[], fits: (from: number) => boolean): number {
  if (fits(0)) return 0;
  const error = lines.findLastIndex((line) => ERROR_LINE.test(line));
  if (error !== -1) return error;
  // From the end: what is laid out to see whether it fits is never much more than what is shown.
  let from = Math.max(0, lines.length - 1);
  while (from > 1 && fits(from - 1)) from -= 1;
  return from;
}

const isCut = (lines: readonly string[]): boolean => lines.at(-1)?.endsWith('…') === true;

/** How an attempt ended, as far as the message begins with it, and what its program wrote. */
function partsOf(message: string): { readonly verdict: string; readonly output: string } {
  const [, verdict = '', output = ''] =
    /^((?:ran out of memory and was killed \()?exit code \d+\)?(?: \(SIG\w+\))?)(?:: ([\s\S]*))?$/.exec(
      message,
    ) ?? [];
  return verdict === '' ? { verdict: '', output: message } : { verdict, output };
}

/** The log without what only tells where an error was thrown; all of it when it has nothing else. */
function withoutNoise(log: string): readonly string[] {
  const lines = stripVTControlCharacters(log).split(/[\r\n\u2028\u2029]+/);
  let inFrame = false;
  const telling = lines.filter((line) => {
    if (PYTHON_FRAME.test(line)) inFrame = true;
    else if (!PYTHON_SOURCE.test(line)) inFrame = false;
    return !inFrame && !NOISE.test(line);
  });
  return telling.some((line) => line.trim() !== '') ? telling : lines;
}
