import type { ComparisonRow } from '../comparison/comparison-matrix.ts';
import { type ColumnOptions, type ComparisonColumn, comparisonColumns } from './comparison-columns.ts';
import type { RunReport } from './run-report.ts';
import type { TextStyle } from './text-style.ts';
import { columnWidth, tableWidth } from './text-table.ts';

export interface FittedColumns {
  readonly columns: readonly ComparisonColumn[];
  /** Names of the columns that were left out for lack of width, as they would have stood. */
  readonly leftOut: readonly string[];
}

const NAME_SHARE = 0.4;
const NAME_WIDTH_AT_LEAST = 20;
const SHORTEST_NAME_WIDTH = 8;

/**
 * The columns that fit a width, so that no row wraps. What is missed least goes first: the bar, metrics that decide nothing,
 * parameters, deviations, then the objective's metrics from the last, the verdicts, and words about failed trials; rank, variant, score, first metric
 * and trials stay, the variant's name cut if need be.
 */
export function fittedColumns(
  rows: readonly ComparisonRow[],
  report: RunReport,
  width: number,
  style: TextStyle,
): FittedColumns {
  const options: ColumnOptions = {
    style,
    nameWidth: Math.max(NAME_WIDTH_AT_LEAST, Math.floor(width * NAME_SHARE)),
    deviations: true,
  };
  const full = comparisonColumns(rows, report, options);
  const withDeviations = shrunk(full, width, ['bar', 'metric', 'parameter'], 0);
  if (tableWidth(withDeviations) <= width) return fitted(full, withDeviations);
  const bare = comparisonColumns(rows, report, { ...options, deviations: false });
  const withoutDeviations = bare.filter(({ name, kind }) => isAmong(withDeviations, name, kind));
  const oneMetric = shrunk(withoutDeviations, width, ['objective'], 1);
  const fewest = shrunk(oneMetric, width, ['verdict', 'trouble'], 0);
  const columns = withNameCut(fewest, rows, report, width, options);
  return fitted(full, columns);
}

/** Without columns of these kinds, one after the other and from the last, until the rest fits; `keep` of each kind stay. */
function shrunk(
  columns: readonly ComparisonColumn[],
  width: number,
  kinds: readonly ComparisonColumn['kind'][],
  keep: number,
): readonly ComparisonColumn[] {
  const left = [...columns];
  for (const kind of kinds)
    while (tableWidth(left) > width && left.filter((column) => column.kind === kind).length > keep)
      left.splice(
        left.findLastIndex((column) => column.kind === kind),
        1,
      );
  return left;
}

function withNameCut(
  columns: readonly ComparisonColumn[],
  rows: readonly ComparisonRow[],
  report: RunReport,
  width: number,
  options: ColumnOptions,
): readonly ComparisonColumn[] {
  const excess = tableWidth(columns) - width;
  const variant = columns.find(({ kind }) => kind === 'variant');
  if (excess <= 0 || variant === undefined) return columns;
  const nameWidth = Math.max(SHORTEST_NAME_WIDTH, columnWidth(variant) - excess);
  const [cut] = comparisonColumns(rows, report, { ...options, nameWidth }).filter(
    ({ kind }) => kind === 'variant',
  );
  return columns.map((column) => (column === variant && cut !== undefined ? cut : column));
}

function fitted(full: readonly ComparisonColumn[], columns: readonly ComparisonColumn[]): FittedColumns {
  const leftOut = full.filter(
    // The bar says what the score says, and words about failed trials what their count does.
    ({ name, kind }) => kind !== 'bar' && kind !== 'trouble' && !isAmong(columns, name, kind),
  );
  return { columns, leftOut: leftOut.map(({ name }) => name) };
}

const isAmong = (
  columns: readonly ComparisonColumn[],
  name: string,
  kind: ComparisonColumn['kind'],
): boolean => columns.some((column) => column.name === name && column.kind === kind);
