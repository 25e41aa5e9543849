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
import { bestOf, spreadOf } from '../spread.ts';
import { FIGURE_NAMES, FIGURES, type FigureName } from './figures.ts';
import type { LocalResult, MeasuredContender } from './result.ts';
import type { Work } from './work.ts';

/** The result as aligned text for a terminal. */
export const localText = (result: LocalResult): string =>
  [workText(result.work), ...terminalTable(tableOf(result, plain)), ...notMeasuredTexts(result)].join('\n');

/** The section of docs/benchmarks.md. */
export function localMarkdown(result: LocalResult, plots: readonly Plot[]): string {
  const rounds = Math.max(...result.contenders.map((contender) => contender.rounds.length));
  return [
    recordText(result),
    `${workText(result.work)} Each figure is the median of ${rounds} round${rounds === 1 ? '' : 's'}, with the least and the most; the best one of a row is **bold**.`,
    ...notMeasuredTexts(result),
    ...plots.map(plotMarkdown),
    markdownTable(tableOf(result, bold)),
    lossesText(result),
  ].join('\n\n');
}

const workText = ({ trials, parallelism }: Work): string =>
  `${trials.toLocaleString('en')} programs that do nothing but write a result, ${parallelism} at a time.`;

const notMeasuredTexts = ({ contenders }: LocalResult): readonly string[] =>
  contenders.flatMap(({ name, notMeasured }) =>
    notMeasured === undefined ? [] : [`${name} was not measured: ${notMeasured}`],
  );

/** Titles, then a row for each figure: the median of the rounds, and what they range over. */
const tableOf = ({ contenders }: LocalResult, emphasised: (text: string) => string): Table => [
  ['', ...contenders.map(({ name }) => name)],
  ...figureRows(
    FIGURE_NAMES,
    contenders,
    (name) => FIGURES[name],
    (name) => bestOf(contenders, name, FIGURES[name]),
    cellOf,
    emphasised,
  ),
  ['stored at the end', ...contenders.map(({ keeps }) => keeps)],
];

function cellOf({ rounds, notMeasured }: MeasuredContender, name: FigureName): string {
  const spread = spreadOf(rounds, name);
  if (spread === undefined) return notMeasured === undefined ? '' : 'not measured';
  return spreadText(spread, FIGURES[name]);
}

/** Where somebody else is better, in words. */
function lossesText({ contenders }: LocalResult): string {
  const losses = FIGURE_NAMES.filter((name) => !FIGURES[name].title.startsWith('–')).flatMap((name) => {
    const best = bestOf(contenders, name, FIGURES[name]);
    return best.length === 0 || best.some(({ isOwn }) => isOwn)
      ? []
      : [`${titleOf(FIGURES[name])} (best: ${best.map((contender) => contender.name).join(', ')})`];
  });
  return losses.length === 0
    ? 'Nobody is better than batchtest at any of these.'
    : `batchtest is not the best at: ${losses.join('; ')}.`;
}
