import type { Verdict } from '../comparison/baseline-comparison.ts';
import type { ComparisonRow } from '../comparison/comparison-matrix.ts';
import { printable } from './printable.ts';
import type { RunReport } from './run-report.ts';
import type { TextStyle } from './text-style.ts';
import { type Cell, type Column, plainCell } from './text-table.ts';
import { cutMiddle } from './text-width.ts';

const BASELINE_WIDTH = 20;

/** The column of verdicts. */
export interface VerdictColumn extends Column {
  readonly name: string;
  readonly kind: 'verdict';
}

/** The verdicts against the baseline, those of several metrics in the objective's order; none without a baseline. */
export function verdictColumns(
  rows: readonly ComparisonRow[],
  { comparison: { baseline }, objective }: RunReport,
  style: TextStyle,
): readonly VerdictColumn[] {
  if (baseline === null) return [];
  const title = `vs ${cutMiddle(printable(baseline), BASELINE_WIDTH)}`;
  return [
    {
      kind: 'verdict',
      name: `vs ${baseline}`,
      align: 'left',
      title: { plain: title, styled: style.dim(title) },
      cells: rows.map((row) => {
        if (row.variant === baseline) return dimmed('baseline', style);
        const words = objective.flatMap(({ metric }) => {
          const summary = Object.hasOwn(row.metrics, metric) ? row.metrics[metric] : undefined;
          const verdict = summary?.vsBaseline?.verdict;
          return verdict === undefined || verdict === null ? [] : [verdictCell(verdict, style)];
        });
        return words.length === 0 ? dimmed('–', style) : joined(words);
      }),
    },
  ];
}

/** What the marks in these columns mean. */
export function verdictLegend(columns: readonly (Column & { readonly kind: string })[]): readonly string[] {
  const cells = columns.flatMap(({ kind, cells: list }) => (kind === 'verdict' ? list : []));
  const isThere = (mark: string): boolean => cells.some(({ plain }) => plain.split(', ').includes(mark));
  return [
    ...(isThere(VERDICT_MARKS.NoDifference) ? ['= no significant difference'] : []),
    ...(isThere(VERDICT_MARKS.TooFewSamples) ? ['? too few trials'] : []),
  ];
}

/** The verdicts in as little room as there is in a table. */
export const VERDICT_MARKS: Readonly<Record<Verdict, string>> = {
  Better: 'better',
  Worse: 'worse',
  NoDifference: '=',
  TooFewSamples: '?',
};

/** The mark of a verdict, in its colour. */
export function verdictCell(verdict: Verdict, style: TextStyle): Cell {
  const plain = VERDICT_MARKS[verdict];
  switch (verdict) {
    case 'Better':
      return { plain, styled: style.green(plain) };
    case 'Worse':
      return { plain, styled: style.red(plain) };
    case 'NoDifference':
    case 'TooFewSamples':
      return plainCell(plain);
  }
}

const joined = (cells: readonly Cell[]): Cell => ({
  plain: cells.map(({ plain }) => plain).join(', '),
  styled: cells.map(({ styled }) => styled).join(', '),
});

const dimmed = (text: string, style: TextStyle): Cell => ({ plain: text, styled: style.dim(text) });
