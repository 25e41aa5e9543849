import { type Column, plainCell, tableLines } from '../../../src/report/text-table.ts';
import type { Ladder } from './calibration.ts';
import { FIGURES, type FigureName } from './figures.ts';
import { LIMITS, type Limits } from './limits.ts';
import type { Plot } from './plots.ts';
import {
  type BenchmarkResult,
  bestAt,
  type Comparison,
  figuresIn,
  type MeasuredContender,
  spreadOf,
} from './result.ts';
import { scenarioText } from './scenario.ts';

const LIMITS_TEXTS: Readonly<Record<Limits, string>> = {
  stock:
    'Stock limits: the controller manager (20 requests a second, bursts of 30) and Argo Workflows as they are shipped',
  raised:
    'Raised limits: the controller manager (500 requests a second, bursts of 1,000) and Argo Workflows (500, and a requeue of 500 ms)',
};

export const calibrationText = ({ created, bound, ended, endedOfJobs }: Ladder): string =>
  `Pods a second without any contender: ${number(created)} requested, ${number(bound)} with the scheduler, ${number(ended)} with KWOK and to the end, ${number(endedOfJobs)} of Jobs.`;

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

/** The section of docs/benchmarks.md: what it was measured on, the plots, then for each of the limits a table for each scenario. */
export function clusterMarkdown(result: BenchmarkResult, plots: readonly Plot[]): string {
  const { date, versions, machine, calibration, comparisons } = result;
  const versionTexts = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  return [
    `${date.slice(0, 10)}, ${machine.processors}, ${machine.memoryGiB} GiB of memory, load ${number(machine.loadBefore)} in the minute before. ${versionTexts.join(', ')}.`,
    `${calibrationText(calibration)} Read every contender against that, and against the loop of bare pods, where nothing stands between a free slot and the next pod. Each figure is the median of the rounds, with the least and the most; the best one of a row is **bold**.`,
    ...plots.map(({ file, text }) => `![${text}](benchmarks/${file})`),
    ...LIMITS.flatMap((limits) => {
      const tables = comparisons.filter((comparison) => comparison.limits === limits);
      return tables.length === 0
        ? []
        : [`### ${LIMITS_TEXTS[limits]}`, ...tables.flatMap((comparison) => comparisonMarkdown(comparison))];
    }),
  ].join('\n\n');
}

function comparisonMarkdown(comparison: Comparison): readonly string[] {
  const [titles = [], ...rows] = tableOf(comparison, (text) => `**${text}**`);
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  const rule = titles.map((_, index) => (index === 0 ? '---' : '---:'));
  return [
    `#### ${comparison.scenario.name}: ${headingOf(comparison)}`,
    [titles, rule, ...rows].map(line).join('\n'),
    ...lossesOf(comparison),
  ];
}

/** Where somebody else is better than every operator, in words; nothing where there is nobody else. */
function lossesOf(comparison: Comparison): readonly string[] {
  const isOwn = ({ isOperator }: MeasuredContender) => isOperator === true;
  if (comparison.contenders.every(isOwn)) return [];
  const losses = figuresIn(comparison).flatMap((name) => {
    const best = bestAt(comparison, name);
    const [winner] = best;
    if (winner === undefined || best.some(isOwn)) return [];
    const own = comparison.contenders.flatMap((contender) => {
      const spread = isOwn(contender) ? spreadOf(contender.rounds, name) : undefined;
      return spread === undefined ? [] : [spread];
    });
    const winning = spreadOf(winner.rounds, name);
    if (winning === undefined || own.length === 0) return [];
    const isClose = own.some(({ least, most }) => least <= winning.most && most >= winning.least);
    return [
      `${titleOf(name)} (best: ${best.map(({ name }) => name).join(', ')}${isClose ? '; the ranges overlap' : ''})`,
    ];
  });
  return [
    losses.length === 0
      ? 'Nobody is better than the operator at any of these.'
      : `The operator is not the best at: ${losses.join('; ')}.`,
  ];
}

function headingOf({ limits, scenario, contenders }: Comparison): string {
  const rounds = Math.min(...contenders.map((contender) => contender.rounds.length));
  return `${scenarioText(scenario)}; ${limits} limits, ${rounds} round${rounds === 1 ? '' : 's'}`;
}

/** Titles, then a row for each figure: the median of the rounds, and what they range over. */
function tableOf(
  comparison: Comparison,
  emphasised: (text: string) => string = (text) => text,
): readonly (readonly string[])[] {
  return [
    ['', ...comparison.contenders.map(({ name }) => name)],
    ...figuresIn(comparison).map((name) => {
      const best = bestAt(comparison, name);
      return [
        titleOf(name),
        ...comparison.contenders.map((contender) => {
          const text = cellOf(contender, name);
          return best.includes(contender) ? emphasised(text) : text;
        }),
      ];
    }),
  ];
}

function cellOf({ rounds }: MeasuredContender, name: FigureName): string {
  const spread = spreadOf(rounds, name);
  if (spread === undefined) return '';
  const { digits } = FIGURES[name];
  const [middle, least, most] = [spread.median, spread.least, spread.most].map((value) =>
    value.toFixed(digits),
  );
  return least === most ? `${middle}` : `${middle} (${least}–${most})`;
}

function titleOf(name: FigureName): string {
  const { title, unit } = FIGURES[name];
  return unit === '' ? title : `${title}, ${unit}`;
}

const number = (value: number): string => value.toFixed(1);
