import type { ComparisonRow } from '../comparison/comparison-matrix.ts';
import { summaryOf } from './comparison-columns.ts';
import { escapeUnprintables, printable } from './printable.ts';
import { metricNames, parameterNames, parameterValue } from './report-names.ts';
import type { RunReport } from './run-report.ts';

type Value = string | number | null | undefined;

interface CsvColumn {
  readonly title: string;
  readonly value: (row: ComparisonRow) => Value;
}

const TRIAL_COUNTS = ['total', 'succeeded', 'failed', 'cancelled', 'pending', 'skipped'] as const;
const STATISTICS = ['mean', 'stddev', 'median', 'min', 'max', 'n'] as const;

/**
 * The matrix for a spreadsheet: a row per variant, the best first, and a column for each parameter (`parameter.X`) and for each statistic
 * of each metric (`metric.X.mean`). RFC 4180 in UTF-8, the titles in the first line. What is not known is an empty cell.
 *
 * Text that a spreadsheet could take for a formula begins with a single quote (OWASP ASVS 1.2.10); numbers are as they are.
 */
export function reportCsv(report: RunReport): string {
  const columns = csvColumns(report);
  const lines = [
    columns.map(({ title }) => title),
    ...report.matrix.map((row) => columns.map(({ value }) => value(row))),
  ];
  return lines.map((line) => `${line.map(csvField).join(',')}\r\n`).join('');
}

const csvColumns = (report: RunReport): readonly CsvColumn[] => [
  { title: 'rank', value: ({ rank }) => rank },
  { title: 'variant', value: ({ variant }) => variant },
  { title: 'variant_id', value: ({ variantId }) => variantId },
  { title: 'score', value: ({ score }) => score },
  { title: 'pareto', value: ({ pareto }) => String(pareto) },
  ...parameterNames(report).map((name) => ({
    title: `parameter.${name}`,
    value: (row: ComparisonRow) => parameterValue(row, name),
  })),
  ...metricNames(report).flatMap((name) => [
    ...STATISTICS.map((statistic) => ({
      title: `metric.${name}.${statistic}`,
      value: (row: ComparisonRow) => summaryOf(row, name)?.[statistic],
    })),
    ...(report.comparison.baseline === null ? [] : comparisonColumns(name, 'vs_baseline', 'vsBaseline')),
    ...(report.matrix.some((row) => (summaryOf(row, name)?.vsPreviousRun ?? null) !== null)
      ? comparisonColumns(name, 'vs_previous_run', 'vsPreviousRun')
      : []),
  ]),
  ...TRIAL_COUNTS.map((count) => ({
    title: `trials.${count}`,
    value: ({ trials }: ComparisonRow) => trials[count],
  })),
  { title: 'stopped_at_look', value: ({ stoppedAtLook }) => stoppedAtLook },
  ...(report.previousRun === null ? [] : [{ title: 'previous_run', value: () => report.previousRun?.uid }]),
];

const comparisonColumns = (
  metric: string,
  word: string,
  field: 'vsBaseline' | 'vsPreviousRun',
): readonly CsvColumn[] => [
  {
    title: `metric.${metric}.${word}.percent`,
    value: (row) => summaryOf(row, metric)?.[field]?.differencePercent,
  },
  {
    title: `metric.${metric}.${word}.verdict`,
    value: (row) => summaryOf(row, metric)?.[field]?.verdict,
  },
];

const NUMBER = /^-?\d+(\.\d+)?(e[+-]?\d+)?$/i;
/** ASVS 1.2.10 names = + - @ tab and NUL; the line breaks and the full-width forms are taken for them by some programs. */
const FORMULA_START = /^[=+\-@\t\r\n\0\uff1d\uff0b\uff0d\uff20]/;
/** A semicolon or a tab is a separator for spreadsheets of some languages. */
const NEEDS_QUOTES = /[",;\t\r\n]/;

function csvField(value: Value): string {
  if (value === null || value === undefined) return '';
  if (typeof value === 'number') return String(value);
  const guarded = FORMULA_START.test(value) && !NUMBER.test(value) ? `'${value}` : value;
  // Line breaks and tabs are part of a value; what else is unprintable, a CR without an LF too, would move the cursor of a terminal that shows the file.
  const text = guarded
    .split('\r\n')
    .map((line) => escapeUnprintables(line, printable))
    .join('\r\n');
  return NEEDS_QUOTES.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
