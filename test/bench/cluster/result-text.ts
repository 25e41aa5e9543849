import { type Column, plainCell, tableLines } from '../../../src/report/text-table.ts';
import { FIGURES, type FigureName, type Rates } from './figures.ts';
import { type BenchmarkResult, type Comparison, figuresIn, LIMITS, type Limits, spreadOf } from './result.ts';
import { scenarioText } from './scenario.ts';

const LIMITS_TEXTS: Readonly<Record<Limits, string>> = {
  stock: 'Stock limits of the controller manager (20 requests a second, bursts of 30)',
  raised: 'Raised limits of the controller manager (500 requests a second, bursts of 1,000)',
};

export const calibrationText = ({ created, running, ended }: Rates): string =>
  `Pods a second without any contender: ${number(created)} created, ${number(running)} scheduled and running, ${number(ended)} ended.`;

/** One comparison as an aligned table for a terminal. */
export function comparisonText(comparison: Comparison): string {
  const [titles = [], ...rows] = tableOf(comparison);
  const columns = titles.map(
    (title, index): Column => ({
      align: index === 0 ? 'left' : 'right',
      title: plainCell(title),
      cells: rows.map((row) => plainCell(row[index] ?? '')),
    }),
  );
  return [headingOf(comparison), ...tableLines(columns)].join('\n');
}

/** docs/benchmarks.md: a section for the limits, a table for each scenario. */
export function benchmarkMarkdown(result: BenchmarkResult): string {
  const { date, versions, machine, calibration, comparisons } = result;
  const sections = LIMITS.flatMap((limits) => {
    const tables = comparisons.filter((comparison) => comparison.limits === limits);
    return tables.length === 0
      ? []
      : [`## ${LIMITS_TEXTS[limits]}`, ...tables.flatMap((comparison) => markdownTable(comparison))];
  });
  const versionTexts = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  return `${[
    '# Benchmarks',
    'Written by `npm run bench:cluster -- --markdown docs/benchmarks.md`; no figure is typed by hand. What is measured, and how, is in [reference/budgets.md](reference/budgets.md#against-other-ways-in-a-cluster).',
    `${date.slice(0, 10)}, ${machine.processors}, ${machine.memoryGiB} GiB of memory, load ${number(machine.loadBefore)} in the minute before. ${versionTexts.join(', ')}.`,
    `${calibrationText(calibration)} Read every contender against that, and against the loop of bare pods, where nothing stands between a free slot and the next pod. Each figure is the median of the rounds, with the least and the most.`,
    ...sections,
  ].join('\n\n')}\n`;
}

function markdownTable(comparison: Comparison): readonly string[] {
  const [titles = [], ...rows] = tableOf(comparison);
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  const rule = titles.map((_, index) => (index === 0 ? '---' : '---:'));
  return [`### ${headingOf(comparison)}`, [titles, rule, ...rows].map(line).join('\n')];
}

function headingOf({ limits, scenario, contenders }: Comparison): string {
  const rounds = Math.min(...contenders.map((contender) => contender.rounds.length));
  return `${scenarioText(scenario)}; ${limits} limits, ${rounds} round${rounds === 1 ? '' : 's'}`;
}

/** Titles, then a row for each figure: the median of the rounds, and what they range over. */
function tableOf(comparison: Comparison): readonly (readonly string[])[] {
  return [
    ['', ...comparison.contenders.map(({ name }) => name)],
    ...figuresIn(comparison).map((name) => [
      titleOf(name),
      ...comparison.contenders.map(({ rounds }) => {
        const spread = spreadOf(rounds, name);
        if (spread === undefined) return '';
        const { digits } = FIGURES[name];
        const [middle, least, most] = [spread.median, spread.least, spread.most].map((value) =>
          value.toFixed(digits),
        );
        return least === most ? `${middle}` : `${middle} (${least}–${most})`;
      }),
    ]),
  ];
}

function titleOf(name: FigureName): string {
  const { title, unit } = FIGURES[name];
  return unit === '' ? title : `${title}, ${unit}`;
}

const number = (value: number): string => value.toFixed(1);
