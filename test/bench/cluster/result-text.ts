import { plotMarkdown, recordText } from '../benchmark-result.ts';
import {
  bold,
  figureRows,
  markdownTable,
  plain,
  spreadText,
  type Table,
  terminalTable,
  titleOf,
} from '../figure-table.ts';
import type { Plot } from '../plot.ts';
import { spreadOf } from '../spread.ts';
import type { Ladder } from './calibration.ts';
import { type FigureName, figureKind } from './figures.ts';
import { LIMITS, type Limits } from './limits.ts';
import {
  type BenchmarkResult,
  bestAt,
  type Comparison,
  figuresIn,
  isOwn,
  type MeasuredContender,
} from './result.ts';
import { scenarioText } from './scenario.ts';
import { targetsMarkdown } from './targets.ts';

const LIMITS_TEXTS: Readonly<Record<Limits, string>> = {
  stock:
    'Stock limits: the controller manager (20 requests a second, bursts of 30), the scheduler (50, 100) and Argo Workflows as they are shipped',
  raised:
    'Raised limits: the controller manager and the scheduler (500 requests a second, bursts of 1,000) and Argo Workflows (500, and a requeue of 500 ms)',
};

export const calibrationText = ({ created, bound, ended, endedOfJobs }: Ladder): string =>
  `Pods a second without any contender: ${number(created)} requested, ${number(bound)} with the scheduler, ${number(ended)} with KWOK and to the end, ${number(endedOfJobs)} of Jobs.`;

/** One comparison as an aligned table for a terminal. */
export const comparisonText = (comparison: Comparison): string =>
  [headingOf(comparison), ...terminalTable(tableOf(comparison, plain))].join('\n');

/** The section of docs/benchmarks.md: what it was measured on, the plots, the targets, then for each of the limits a table for each scenario. */
export function clusterMarkdown(result: BenchmarkResult, plots: readonly Plot[]): string {
  const { calibration, comparisons } = result;
  return [
    recordText(result),
    `${calibrationText(calibration)} Read every contender against that, and against the loop of bare pods, where nothing stands between a free slot and the next pod. Each figure is the median of the rounds, with the least and the most; the best one of a row is **bold**.`,
    ...plots.map(plotMarkdown),
    '### Targets',
    'What the operator is to come to, as ratios and differences within one round, scenario by scenario: the median of the rounds where nothing else is said, rounded up; what is missed is **bold**. The limits are raised where nothing else is said.',
    targetsMarkdown(result),
    ...LIMITS.flatMap((limits) => {
      const tables = comparisons.filter((comparison) => comparison.limits === limits);
      return tables.length === 0
        ? []
        : [`### ${LIMITS_TEXTS[limits]}`, ...tables.flatMap((comparison) => comparisonMarkdown(comparison))];
    }),
  ].join('\n\n');
}

const comparisonMarkdown = (comparison: Comparison): readonly string[] => [
  `#### ${comparison.scenario.name}: ${headingOf(comparison)}`,
  markdownTable(tableOf(comparison, bold)),
  ...lossesOf(comparison),
];

/** Where somebody else is better than an operator, for each of the operators, in words; nothing where there is nobody else. */
function lossesOf({ contenders, ...comparison }: Comparison): readonly string[] {
  const others = contenders.filter((contender) => !isOwn(contender));
  if (others.length === 0) return [];
  return contenders.filter(isOwn).map((own) => {
    const among = { ...comparison, contenders: [own, ...others] };
    const losses = figuresIn(among).flatMap((name) => {
      const best = bestAt(among, name);
      const winning = best[0] && spreadOf(best[0].rounds, name);
      const ours = spreadOf(own.rounds, name);
      if (winning === undefined || ours === undefined || best.includes(own)) return [];
      const isClose = ours.least <= winning.most && ours.most >= winning.least;
      return [
        `${titleOf(figureKind(name))} (best: ${best.map(({ name }) => name).join(', ')}${isClose ? '; the ranges overlap' : ''})`,
      ];
    });
    return losses.length === 0
      ? `Nobody is better than "${own.name}" at any of these.`
      : `Others are better than "${own.name}" at: ${losses.join('; ')}.`;
  });
}

function headingOf({ limits, scenario, contenders }: Comparison): string {
  const rounds = Math.min(...contenders.map((contender) => contender.rounds.length));
  return `${scenarioText(scenario)}; ${limits} limits, ${rounds} round${rounds === 1 ? '' : 's'}`;
}

/** Titles, then a row for each figure: the median of the rounds, and what they range over. */
const tableOf = (comparison: Comparison, emphasised: (text: string) => string): Table => [
  ['', ...comparison.contenders.map(({ name }) => name)],
  ...figureRows(
    figuresIn(comparison),
    comparison.contenders,
    figureKind,
    (name) => bestAt(comparison, name),
    cellOf,
    emphasised,
  ),
];

function cellOf({ rounds }: MeasuredContender, name: FigureName): string {
  const spread = spreadOf(rounds, name);
  return spread === undefined ? '' : spreadText(spread, figureKind(name));
}

const number = (value: number): string => value.toFixed(1);
