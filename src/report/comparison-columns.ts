import type { ComparisonRow, MetricSummary } from '../comparison/comparison-matrix.ts';
import { columnNumberText } from './number-text.ts';
import { printable } from './printable.ts';
import { parameterValue } from './report-names.ts';
import type { RunReport } from './run-report.ts';
import type { TextStyle } from './text-style.ts';
import { type Cell, type Column, plainCell } from './text-table.ts';
import { cutEnd, cutMiddle, textWidth } from './text-width.ts';
import { verdictColumns } from './verdict-column.ts';

/** A column of the comparison, and what it is called when it has to be left out. */
export interface ComparisonColumn extends Column {
  readonly name: string;
  readonly kind:
    | 'rank'
    | 'variant'
    | 'score'
    | 'bar'
    | 'objective'
    | 'metric'
    | 'verdict'
    | 'parameter'
    | 'trials'
    | 'trouble';
}

export interface ColumnOptions {
  readonly style: TextStyle;
  /** Columns that a variant's name may take. */
  readonly nameWidth: number;
  /** Shows `± standard deviation` behind means. */
  readonly deviations: boolean;
}

const PARAMETER_WIDTH = 24;
const METRIC_NAME_WIDTH = 24;
const SCORE_BAR_WIDTH = 12;
/** A program may report 256 metrics; beyond this many beside the objective a table is not the place to read them. */
const FURTHER_METRICS_LIMIT = 12;

/** Every column that the rows could be shown with, in the order in which they stand. */
export function comparisonColumns(
  rows: readonly ComparisonRow[],
  report: RunReport,
  options: ColumnOptions,
): readonly ComparisonColumn[] {
  const objective = report.objective.map(({ metric }) => metric);
  const further = [...new Set(rows.flatMap(({ metrics }) => Object.keys(metrics)))]
    .filter((name) => !objective.includes(name))
    .slice(0, FURTHER_METRICS_LIMIT);
  return [
    rankColumn(rows, options),
    variantColumn(rows, options),
    ...parametersToShow(report.matrix).map((name) => parameterColumn(rows, name, options)),
    scoreColumn(rows, options),
    ...(rows.some(({ score }) => score !== null) ? [barColumn(rows, options)] : []),
    ...report.objective.map(({ metric, goal }) =>
      metricColumn(rows, metric, goal === 'minimize' ? ' ↓' : ' ↑', 'objective', options),
    ),
    ...verdictColumns(rows, report, options.style),
    ...further.map((name) => metricColumn(rows, name, '', 'metric', options)),
    ...trialColumns(rows, options),
  ];
}

function rankColumn(rows: readonly ComparisonRow[], { style }: ColumnOptions): ComparisonColumn {
  return {
    kind: 'rank',
    name: 'rank',
    align: 'right',
    title: title('#', style),
    cells: rows.map((row) => {
      if (row.rank === null) return styledCell('–', style.dim);
      return row.rank === 1
        ? styledCell('★ 1', (text) => style.bold(style.green(text)))
        : plainCell(String(row.rank));
    }),
  };
}

function variantColumn(
  rows: readonly ComparisonRow[],
  { style, nameWidth }: ColumnOptions,
): ComparisonColumn {
  return {
    kind: 'variant',
    name: 'variant',
    align: 'left',
    title: title('variant', style),
    cells: rows.map((row) => rowCell(row, cutMiddle(printable(row.variant), nameWidth), style)),
  };
}

function scoreColumn(rows: readonly ComparisonRow[], { style }: ColumnOptions): ComparisonColumn {
  return {
    kind: 'score',
    name: 'score',
    align: 'right',
    title: title('score', style),
    cells: rows.map((row) =>
      row.score === null ? styledCell('–', style.dim) : rowCell(row, scoreText(row.score), style),
    ),
  };
}

/** A score as text; in [0, 1], with four decimals as in the object's status. */
export const scoreText = (score: number): string => score.toFixed(4);

function barColumn(rows: readonly ComparisonRow[], { style }: ColumnOptions): ComparisonColumn {
  return {
    kind: 'bar',
    name: 'bar of the score',
    align: 'left',
    title: plainCell(''),
    cells: rows.map(({ score, rank }) =>
      styledCell(bar(score ?? 0, SCORE_BAR_WIDTH), rank === 1 ? style.green : style.dim),
    ),
  };
}

const EIGHTHS = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];

/** A bar of up to `width` columns for a share in [0, 1], in steps of an eighth of a column. */
function bar(share: number, width: number): string {
  const eighths = Math.round(share * width * 8);
  return '█'.repeat(Math.floor(eighths / 8)) + (EIGHTHS[eighths % 8] ?? '');
}

function metricColumn(
  rows: readonly ComparisonRow[],
  metric: string,
  goalMark: string,
  kind: 'objective' | 'metric',
  { style, deviations }: ColumnOptions,
): ComparisonColumn {
  const summaries = rows.map((row) => summaryOf(row, metric));
  const texts = meanAndDeviationTexts(summaries, deviations);
  return {
    kind,
    name: metric,
    align: 'right',
    title: title(cutMiddle(printable(metric), METRIC_NAME_WIDTH) + goalMark, style),
    cells: rows.map((row, position) => {
      const text = texts[position];
      if (text === undefined) return styledCell('–', style.dim);
      const { mean, deviation } = text;
      return row.rank === 1
        ? styledCell(mean + deviation, style.bold)
        : { plain: mean + deviation, styled: mean + style.dim(deviation) };
    }),
  };
}

/** A variant's summary of a metric; undefined when none of its trials reported it. */
export const summaryOf = ({ metrics }: ComparisonRow, metric: string): MetricSummary | undefined =>
  Object.hasOwn(metrics, metric) ? metrics[metric] : undefined;

interface MeanText {
  readonly mean: string;
  /** ` ± 0.8`, padded so that all of a column are as wide; empty when none has a deviation. */
  readonly deviation: string;
}

/** The means of one column with the same precision, each with its deviation; undefined where there is no summary. */
export function meanAndDeviationTexts(
  summaries: readonly (MetricSummary | undefined)[],
  deviations: boolean,
): readonly (MeanText | undefined)[] {
  const known = summaries.filter((summary) => summary !== undefined);
  const numberText = columnNumberText(
    known.map(({ mean }) => mean),
    known.flatMap(({ stddev }) => stddev ?? []),
  );
  const texts = summaries.map((summary) => {
    const stddev = deviations ? summary?.stddev : undefined;
    return stddev === null || stddev === undefined ? '' : numberText(stddev);
  });
  const width = texts.reduce((widest, text) => Math.max(widest, text.length), 0);
  return summaries.map((summary, position) => {
    if (summary === undefined) return undefined;
    const text = texts[position] ?? '';
    const deviation = text === '' ? ' '.repeat(width === 0 ? 0 : width + 3) : ` ± ${text.padStart(width)}`;
    return { mean: numberText(summary.mean), deviation };
  });
}

function trialColumns(rows: readonly ComparisonRow[], { style }: ColumnOptions): readonly ComparisonColumn[] {
  const done: ComparisonColumn = {
    kind: 'trials',
    name: 'trials',
    align: 'right',
    title: title('trials', style),
    cells: rows.map((row) => rowCell(row, `${row.trials.succeeded}/${row.trials.total}`, style)),
  };
  const troubles = rows.map(({ trials, stoppedAtLook }) =>
    [
      { count: stoppedAtLook ?? 0, text: 'stopped early', look: style.yellow },
      {
        count: stoppedAtLook === null ? trials.skipped : 0,
        text: `${trials.skipped} skipped`,
        look: style.dim,
      },
      { count: trials.failed, text: `${trials.failed} failed`, look: style.red },
      { count: trials.cancelled, text: `${trials.cancelled} cancelled`, look: style.yellow },
    ].filter(({ count }) => count > 0),
  );
  if (troubles.every((list) => list.length === 0)) return [done];
  const trouble: ComparisonColumn = {
    kind: 'trouble',
    name: 'failed',
    align: 'left',
    title: plainCell(''),
    cells: troubles.map((list) => ({
      plain: list.map(({ text }) => text).join(', '),
      styled: list.map(({ text, look }) => look(text)).join(', '),
    })),
  };
  return [done, trouble];
}

/** Parameters that differ between variants and that the names of the variants do not tell already. */
function parametersToShow(matrix: readonly ComparisonRow[]): readonly string[] {
  const names = [...new Set(matrix.flatMap(({ parameters }) => Object.keys(parameters)))];
  return names.filter((name) => {
    const values = matrix.map((row) => parameterValue(row, name));
    const differs = values.some((value) => value !== values[0]);
    return differs && !matrix.every(({ variant }, position) => isWordOf(values[position] ?? '', variant));
  });
}

/** True when the text is part of the name and nothing that belongs to the same word is next to it. */
function isWordOf(text: string, name: string): boolean {
  if (text === '') return false;
  for (let at = name.indexOf(text); at >= 0; at = name.indexOf(text, at + 1))
    if (!isWordCharacter(name[at - 1]) && !isWordCharacter(name[at + text.length])) return true;
  return false;
}

const isWordCharacter = (character: string | undefined): boolean =>
  character !== undefined && /[\p{L}\p{N}]/u.test(character);

function parameterColumn(
  rows: readonly ComparisonRow[],
  name: string,
  { style }: ColumnOptions,
): ComparisonColumn {
  const values = rows.map((row) => printable(parameterValue(row, name) ?? ''));
  const numeric = values.every((value) => value === '' || Number.isFinite(Number(value)));
  return {
    kind: 'parameter',
    name,
    align: numeric ? 'right' : 'left',
    title: title(cutEnd(printable(name), PARAMETER_WIDTH), style),
    cells: values.map((value, position) => {
      const row = rows[position];
      const text = cutMiddle(value, PARAMETER_WIDTH);
      return row === undefined ? plainCell(text) : rowCell(row, text, style);
    }),
  };
}

const title = (text: string, style: TextStyle): Cell => styledCell(text, style.dim);

const styledCell = (text: string, look: (text: string) => string): Cell => ({
  plain: text,
  styled: textWidth(text) === 0 ? text : look(text),
});

/** The best row is bold. */
const rowCell = ({ rank }: ComparisonRow, text: string, style: TextStyle): Cell =>
  rank === 1 ? styledCell(text, style.bold) : plainCell(text);
