import { counted } from './counted.ts';
import { failureExcerpt } from './failure-excerpt.ts';
import { printable } from './printable.ts';
import type { ReportedFailure, RunReport } from './run-report.ts';
import type { TextStyle } from './text-style.ts';
import { type Column, plainCell, tableLines, tableWidth } from './text-table.ts';
import { cutMiddle } from './text-width.ts';

const INDENT = '  ';
const SHOWN_FAILURES = 10;
const LONGEST_NAME = 40;
const SHORTEST_NAME = 8;

/**
 * The failed trials: for each a line that says which, below it why, and where its output is. The place is never cut, even where it is
 * wider than the terminal: half a path is of no use.
 */
export function failureLines(
  { failures, failureCount }: Pick<RunReport, 'failures' | 'failureCount'>,
  width: number,
  style: TextStyle,
  all: boolean,
): readonly string[] {
  if (failureCount === 0) return [];
  const shown = all ? failures : failures.slice(0, SHOWN_FAILURES);
  const [, ...heads] = tableLines(headColumns(shown, width, style));
  const detail = INDENT + INDENT;
  return [
    style.bold(style.red(counted(failureCount, 'failed trial'))),
    ...shown.flatMap((failure, position) => [
      INDENT + (heads[position] ?? ''),
      ...failureExcerpt(failure, width - detail.length).map((line) => detail + line),
      ...(failure.logs === null ? [] : [detail + style.dim(`logs ${printable(failure.logs)}`)]),
    ]),
    ...moreFailures(failureCount - shown.length, failures.length > shown.length, style),
  ];
}

/** Variant, repetition and outcome, and the attempt where one of them was not the first. */
function headColumns(
  failures: readonly ReportedFailure[],
  width: number,
  style: TextStyle,
): readonly Column[] {
  const attempts = failures.map(({ attempt }) => plainCell(attempt === 1 ? '' : `attempt ${attempt}`));
  const trials = [
    leftColumn(failures.map(({ repetition }) => plainCell(`repetition ${repetition}`))),
    leftColumn(failures.map(({ outcome }) => ({ plain: outcome, styled: style.red(outcome) }))),
    ...(attempts.some(({ plain }) => plain !== '') ? [leftColumn(attempts)] : []),
  ];
  const room = width - INDENT.length - tableWidth(trials) - 2;
  const nameWidth = Math.min(LONGEST_NAME, Math.max(SHORTEST_NAME, room));
  const names = failures.map(({ variant }) => plainCell(cutMiddle(printable(variant), nameWidth)));
  return [leftColumn(names), ...trials];
}

const leftColumn = (cells: Column['cells']): Column => ({ align: 'left', title: plainCell(''), cells });

function moreFailures(count: number, inReport: boolean, style: TextStyle): readonly string[] {
  if (count === 0) return [];
  const where = inReport ? '--all or -o json tells more' : 'the result store has them';
  return [style.dim(`${INDENT}… and ${count} more (${where})`)];
}
