import { type Column, plainCell, tableLines } from '../../../src/report/text-table.ts';
import { FIGURE_NAMES, FIGURES, type FigureName } from './figures.ts';
import { type LocalResult, type MeasuredContender, spreadOf } from './result.ts';
import type { Work } from './work.ts';

/** The result as aligned text for a terminal. */
export function localText(result: LocalResult): string {
  const [titles = [], ...rows] = tableOf(result);
  const columns = titles.map(
    (title, index): Column => ({
      align: index === 0 ? 'left' : 'right',
      title: plainCell(title),
      cells: rows.map((row) => plainCell(row[index] ?? '')),
    }),
  );
  return [workText(result.work), ...tableLines(columns), ...notMeasuredTexts(result)].join('\n');
}

/** The section of docs/benchmarks.md. */
export function localMarkdown(result: LocalResult, plots: readonly { file: string; text: string }[]): string {
  const { date, versions, machine, work, contenders } = result;
  const [titles = [], ...rows] = tableOf(result, (text) => `**${text}**`);
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  const rule = titles.map((_, index) => (index === 0 ? '---' : '---:'));
  const rounds = Math.max(...contenders.map((contender) => contender.rounds.length));
  return [
    `${date.slice(0, 10)}, ${machine.processors}, ${machine.memoryGiB} GiB of memory, load ${machine.loadBefore.toFixed(1)} in the minute before. ${Object.entries(
      versions,
    )
      .map(([name, version]) => `${name} ${version}`)
      .join(', ')}.`,
    `${workText(work)} Each figure is the median of ${rounds} round${rounds === 1 ? '' : 's'}, with the least and the most; the best one of a row is **bold**.`,
    ...notMeasuredTexts(result),
    ...plots.map(({ file, text }) => `![${text}](benchmarks/${file})`),
    [titles, rule, ...rows].map(line).join('\n'),
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
function tableOf(
  { contenders }: LocalResult,
  emphasised: (text: string) => string = (text) => text,
): readonly (readonly string[])[] {
  return [
    ['', ...contenders.map(({ name }) => name)],
    ...FIGURE_NAMES.map((name) => {
      const best = bestOf(contenders, name);
      return [
        titleOf(name),
        ...contenders.map((contender) => {
          const text = cellOf(contender, name);
          return best.includes(contender) ? emphasised(text) : text;
        }),
      ];
    }),
    ['stored at the end', ...contenders.map(({ keeps }) => keeps)],
  ];
}

function cellOf(contender: MeasuredContender, name: FigureName): string {
  const spread = spreadOf(contender, name);
  if (spread === undefined) return contender.notMeasured === undefined ? '' : 'not measured';
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

/** Those whose median is the best, by the digits that are shown. */
function bestOf(contenders: readonly MeasuredContender[], name: FigureName): readonly MeasuredContender[] {
  const { best, digits } = FIGURES[name];
  const shown = (contender: MeasuredContender) =>
    Number((spreadOf(contender, name)?.median ?? Number.NaN).toFixed(digits));
  const values = contenders.map(shown).filter((value) => !Number.isNaN(value));
  const winning = best === 'least' ? Math.min(...values) : Math.max(...values);
  return contenders.filter((contender) => shown(contender) === winning);
}

/** Where somebody else is better, in words. */
function lossesText({ contenders }: LocalResult): string {
  const losses = FIGURE_NAMES.filter((name) => !FIGURES[name].title.startsWith('–')).flatMap((name) => {
    const best = bestOf(contenders, name);
    return best.some(({ isOwn }) => isOwn)
      ? []
      : [`${titleOf(name)} (best: ${best.map((contender) => contender.name).join(', ')})`];
  });
  return losses.length === 0
    ? 'Nobody is better than batchtest at any of these.'
    : `batchtest is not the best at: ${losses.join('; ')}.`;
}
