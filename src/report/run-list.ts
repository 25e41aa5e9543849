import type { RunSummary } from '../results/result-store.ts';
import { printable } from './printable.ts';
import type { TableOptions } from './report-table.ts';
import { type ReportedRun, reportedRun } from './run-report.ts';
import { runDuration, shortUid, stateName, stateText, timeText } from './run-text.ts';
import { type TextStyle, textStyle } from './text-style.ts';
import { type Cell, type Column, plainCell, tableLines, tableWidth } from './text-table.ts';
import { cutMiddle } from './text-width.ts';

/** What `batchtest list` is made of. Fields are added to it, never renamed or removed. */
export interface RunList {
  readonly runs: readonly ReportedRun[];
}

/** The list of runs, in the order given. */
export const runList = (runs: readonly RunSummary[]): RunList => ({ runs: runs.map(reportedRun) });

const SHORTEST_NAME = 8;

/** One line per run, with a final line break. Where the width is short, columns at the right are left out, then names are cut. */
export function runListTable(
  { runs }: RunList,
  { columns, colour }: Pick<TableOptions, 'columns' | 'colour'>,
): string {
  if (runs.length === 0) return 'No runs are stored.\n';
  const style = textStyle(colour);
  const optional = optionalColumns(runs, style);
  const all = (nameWidth: number, further: readonly Column[]) => [
    ...mainColumns(runs, style, nameWidth),
    ...further,
  ];
  let shown = optional;
  while (shown.length > 0 && tableWidth(all(SHORTEST_NAME * 2, shown)) > columns) shown = shown.slice(0, -1);
  const excess = tableWidth(all(0, shown)) - columns;
  return `${tableLines(all(Math.max(SHORTEST_NAME, -excess), shown)).join('\n')}\n`;
}

function mainColumns(runs: readonly ReportedRun[], style: TextStyle, nameWidth: number): readonly Column[] {
  const names = runs.map(({ name, namespace }) =>
    printable(namespace === null ? name : `${namespace}/${name}`),
  );
  return [
    column('run', runs, style, ({ uid }) => plainCell(shortUid(uid))),
    {
      align: 'left',
      title: title('name', style),
      cells: names.map((name) => {
        const text = cutMiddle(name, nameWidth);
        return { plain: text, styled: style.bold(text) };
      }),
    },
    column('state', runs, style, (run) => ({ plain: stateName(run), styled: stateText(run, style) })),
    {
      ...column('trials', runs, style, ({ trials }) => plainCell(`${trials.succeeded}/${trials.total}`)),
      align: 'right',
    },
  ];
}

/** The least important one last. */
function optionalColumns(runs: readonly ReportedRun[], style: TextStyle): readonly Column[] {
  return [
    column('started', runs, style, ({ startedAt }) => plainCell(timeText(startedAt))),
    { ...column('took', runs, style, (run) => plainCell(runDuration(run).join(''))), align: 'right' },
    column('engine', runs, style, ({ engine }) => plainCell(engine)),
    column('workflow', runs, style, ({ workflowId }) => plainCell(cutMiddle(printable(workflowId), 30))),
  ];
}

const column = (
  name: string,
  runs: readonly ReportedRun[],
  style: TextStyle,
  cell: (run: ReportedRun) => Cell,
): Column => ({ align: 'left', title: title(name, style), cells: runs.map(cell) });

const title = (text: string, style: TextStyle): Cell => ({ plain: text, styled: style.dim(text) });
