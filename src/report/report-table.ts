import type { ComparisonRow } from '../comparison/comparison-matrix.ts';
import { areTiesEqual } from './best-text.ts';
import { type ComparisonColumn, meanAndDeviationTexts, scoreText, summaryOf } from './comparison-columns.ts';
import { counted } from './counted.ts';
import { failureLines } from './failure-lines.ts';
import { type FittedColumns, fittedColumns } from './fitted-columns.ts';
import { gateLines } from './gate-lines.ts';
import { printable, printableLine } from './printable.ts';
import type { RunReport } from './run-report.ts';
import { endOf, runDuration, shortUid, stateName, stateText, timeText, trialCountsText } from './run-text.ts';
import { type TextStyle, textStyle } from './text-style.ts';
import { tableLines, tableWidth } from './text-table.ts';
import { cutEnd, cutMiddle, textWidth } from './text-width.ts';
import { verdictLegend } from './verdict-column.ts';
import { verificationLines } from './verification-lines.ts';
import { whyNoBest } from './why-no-best.ts';
import { wrappedText } from './wrapped-text.ts';

export interface TableOptions {
  /** Columns of the terminal; no row is wider. */
  readonly columns: number;
  readonly colour: boolean;
  /** Shows every variant and every failure that the report holds. Default: the first and the last of many. */
  readonly all?: boolean;
}

/** Beyond this many variants only the first and the last are shown. */
const VARIANTS_LIMIT = 40;
const FIRST_VARIANTS = 20;
const LAST_VARIANTS = 5;
const TITLE_NAME_SHARE = 0.5;
const ANSWER_LINES = 4;

/** The report as text for a terminal, with a final line break: what ran, the comparison, what failed, and which variant is best. */
export function reportTable(report: RunReport, { columns, colour, all = false }: TableOptions): string {
  const style = textStyle(colour);
  const { rows, omitted } = shownRows(report.matrix, all);
  const sections: readonly (readonly string[])[] = [
    titleLines(report, columns, style),
    comparisonLines(rows, omitted, report, columns, style),
    failureLines(report, columns, style, all),
    verificationLines(report.verification, columns, style, all),
    gateLines(report, columns, style),
    [...evidenceLines(report, columns, style), ...closingLines(rows, report, columns, style)],
  ];
  const lines = sections.filter((section) => section.length > 0).flatMap((section) => [...section, '']);
  return lines.join('\n');
}

function shownRows(
  matrix: readonly ComparisonRow[],
  all: boolean,
): { readonly rows: readonly ComparisonRow[]; readonly omitted: number } {
  if (all || matrix.length <= VARIANTS_LIMIT) return { rows: matrix, omitted: 0 };
  return {
    rows: [...matrix.slice(0, FIRST_VARIANTS), ...matrix.slice(-LAST_VARIANTS)],
    omitted: matrix.length - FIRST_VARIANTS - LAST_VARIANTS,
  };
}

function titleLines({ run }: RunReport, width: number, style: TextStyle): readonly string[] {
  const name = cutMiddle(printable(run.name), Math.floor(width * TITLE_NAME_SHARE));
  const rest = [trialCountsText(run.trials), ...runDuration(run)].map((part) => ` · ${part}`).join('');
  const first = `${style.bold(name)} · ${stateText(run, style)}`;
  const room = width - textWidth(`${name} · ${stateName(run)}`);
  const end = endOf(run);
  const identity = [
    `run ${shortUid(run.uid)}`,
    run.namespace === null ? run.engine : `${run.engine}, namespace ${printable(run.namespace)}`,
    ...(run.workflowId === run.name ? [] : [`workflow ${printable(run.workflowId)}`]),
    `started ${timeText(run.startedAt)}`,
  ].join(' · ');
  return [
    first + cutEnd(rest, room),
    style.dim(cutEnd(identity, width)),
    ...(run.interrupted
      ? [`its process has gone; go on with: batchtest run --resume ${shortUid(run.uid)}`]
      : []),
    ...(end === undefined ? [] : [cutMiddle(`${end.reason}: ${printableLine(end.message)}`, width)]),
  ];
}

function comparisonLines(
  rows: readonly ComparisonRow[],
  omitted: number,
  report: RunReport,
  width: number,
  style: TextStyle,
): readonly string[] {
  // A run whose results cannot be read, or an object that was deleted before it had any.
  if (rows.length === 0) return [];
  const fitted = fittedColumns(rows, report, width, style);
  const [header = '', ...body] = tableLines(fitted.columns);
  if (omitted > 0)
    body.splice(
      FIRST_VARIANTS,
      0,
      style.dim(cutEnd(`… ${omitted} more variants (--all or -o json shows them)`, width)),
    );
  const rule = style.dim('─'.repeat(Math.min(width, tableWidth(fitted.columns))));
  return [header, rule, ...body, ...notes(fitted, rows, width, style)];
}

/** What the marks mean, and which columns found no room. */
function notes(
  { columns, leftOut }: FittedColumns,
  rows: readonly ComparisonRow[],
  width: number,
  style: TextStyle,
): readonly string[] {
  const legend = [
    ...(hasTitle(columns, '↓') ? ['↓ less is better'] : []),
    ...(hasTitle(columns, '↑') ? ['↑ more is better'] : []),
    ...(hasDeviation(columns) ? ['± standard deviation'] : []),
    ...verdictLegend(columns),
    ...(rows.some(({ rank }) => rank === null) ? ['– not ranked'] : []),
  ].join('  ');
  const missing = leftOut.length === 0 ? [] : [leftOutText(leftOut, width)];
  return [legend, ...missing].filter((line) => line !== '').map((line) => style.dim(cutEnd(line, width)));
}

const hasTitle = (columns: readonly ComparisonColumn[], mark: string): boolean =>
  columns.some(({ kind, title }) => kind === 'objective' && title.plain.endsWith(mark));

const hasDeviation = (columns: readonly ComparisonColumn[]): boolean =>
  columns.some(
    ({ kind, cells }) =>
      (kind === 'objective' || kind === 'metric') && cells.some(({ plain }) => plain.includes(' ± ')),
  );

function leftOutText(names: readonly string[], width: number): string {
  const shown: string[] = [];
  for (const name of names.map(printable)) {
    const more = names.length - shown.length - 1;
    const text = `not shown for lack of width: ${[...shown, name].join(', ')}${more === 0 ? '' : ` and ${more} more`}`;
    if (shown.length > 0 && textWidth(text) > width) break;
    shown.push(name);
  }
  const more = names.length - shown.length;
  return `not shown for lack of width: ${shown.join(', ')}${more === 0 ? '' : ` and ${more} more`}`;
}

/** How far the answer below can be trusted, when that is not far. */
function evidenceLines({ best }: RunReport, width: number, style: TextStyle): readonly string[] {
  if (best?.evidence !== 'TooFewSamples') return [];
  const text = 'a variant has one trial only: chance cannot be ruled out (set repetitions)';
  return [style.dim(cutEnd(text, width))];
}

/** The answer, last, where the eye is when the command returns. */
function closingLines(
  rows: readonly ComparisonRow[],
  report: RunReport,
  width: number,
  style: TextStyle,
): readonly string[] {
  const { best, matrix, run } = report;
  if (best === null) return [style.yellow(cutEnd(`No best variant: ${whyNoBest(report)}`, width))];
  const soFar = run.state === 'Running' ? ' so far' : '';
  if (best.ties.length > 0) {
    const names = [best.name, ...best.ties].map(printable);
    const areEqual = areTiesEqual(report);
    const head = areEqual ? ` are equally good${soFar}` : ` cannot be told apart${soFar}`;
    const tail = `, ${areEqual ? '' : 'best '}score ${scoreText(best.score)}`;
    const who = tiedNames(names, width - 2 - head.length - tail.length);
    return answerLines(who, head + tail, width, style);
  }
  const score = `score ${scoreText(best.score)}`;
  const onlyOne = matrix.length > 1 && matrix.filter(({ score }) => score !== null).length === 1;
  const why = onlyOne ? ', the only one that is ranked' : '';
  const verdict = ` is best${soFar}${why}: `;
  const name = cutMiddle(printable(best.name), Math.max(8, width - 2 - verdict.length - score.length));
  const evidence = (rows.length === 0 ? [] : report.objective).map(
    ({ metric }) => `${printable(metric)} ${bestValueText(rows, metric)}`,
  );
  const room = width - 2 - textWidth(name) - verdict.length;
  return answerLines(name, verdict + joinedWhileFitting([score, ...evidence], room), width, style);
}

/** In one line where it fits. Where a line ends cannot be told from styled text, so several have little style. */
function answerLines(who: string, what: string, width: number, style: TextStyle): readonly string[] {
  if (textWidth(`★ ${who}${what}`) <= width) return [`${style.green('★')} ${style.bold(who)}${what}`];
  const [first = '', ...others] = wrappedText(`★ ${who}${what}`, width, ANSWER_LINES);
  return [first.replace('★', style.green('★')), ...others];
}

/** The texts, separated by commas, up to the first for which there is no room. The first one is always there. */
function joinedWhileFitting([first = '', ...others]: readonly string[], width: number): string {
  let text = first;
  for (const other of others) {
    if (textWidth(text) + 2 + textWidth(other) > width) return text;
    text += `, ${other}`;
  }
  return text;
}

/** The metric of the best row, the first, as the table shows it. */
function bestValueText(rows: readonly ComparisonRow[], metric: string): string {
  const [text] = meanAndDeviationTexts(
    rows.map((row) => summaryOf(row, metric)),
    true,
  );
  return text === undefined ? '–' : text.mean + text.deviation.replace(/± +/, '± ').trimEnd();
}

/** As many of the names as fit, and how many more there are. */
function tiedNames(names: readonly string[], width: number): string {
  // Each name takes a column at least: thousands of ties are not tried one by one.
  for (let shown = Math.min(names.length, Math.max(width, 1)); shown > 1; shown -= 1) {
    const text = listed(names.slice(0, shown), names.length - shown);
    if (textWidth(text) <= width) return text;
  }
  const others = listed([''], names.length - 1);
  return cutMiddle(names[0] ?? '', Math.max(8, width - others.length)) + others;
}

function listed(names: readonly string[], more: number): string {
  if (more > 0) return `${names.join(', ')} and ${counted(more, 'other')}`;
  return `${names.slice(0, -1).join(', ')} and ${names.at(-1) ?? ''}`;
}
