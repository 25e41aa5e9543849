import { type Column, plainCell, tableLines } from '../../src/report/text-table.ts';
import type { FigureKind, Spread } from './spread.ts';

/** Titles of the columns, then the rows; the first cell of each says what the others are. */
export type Table = readonly (readonly string[])[];

/** A row for each figure. */
export const figureRows = <Name extends string, Contender>(
  names: readonly Name[],
  contenders: readonly Contender[],
  kindOf: (name: Name) => FigureKind,
  bestAt: (name: Name) => readonly Contender[],
  cellOf: (contender: Contender, name: Name) => string,
  emphasised: (text: string) => string,
): Table =>
  names.map((name) => {
    const best = bestAt(name);
    return [
      titleOf(kindOf(name)),
      ...contenders.map((contender) => {
        const text = cellOf(contender, name);
        return best.includes(contender) ? emphasised(text) : text;
      }),
    ];
  });

export const titleOf = ({ title, unit }: FigureKind): string => (unit === '' ? title : `${title}, ${unit}`);

/** The median of the rounds, and what they range over. */
export function spreadText({ median, least, most }: Spread, { digits }: FigureKind): string {
  const [middle, from, to] = [median, least, most].map((value) => value.toFixed(digits));
  return from === to ? `${middle}` : `${middle} (${from}–${to})`;
}

/** Aligned, for a terminal. */
export function terminalTable([titles = [], ...rows]: Table): readonly string[] {
  const columns = titles.map(
    (title, index): Column => ({
      align: index === 0 ? 'left' : 'right',
      title: plainCell(title),
      cells: rows.map((row) => plainCell(row[index] ?? '')),
    }),
  );
  return tableLines(columns);
}

export function markdownTable([titles = [], ...rows]: Table): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  const rule = titles.map((_, index) => (index === 0 ? '---' : '---:'));
  return [titles, rule, ...rows].map(line).join('\n');
}

/** For `figureRows`, in Markdown. */
export const bold = (text: string): string => `**${text}**`;
/** For `figureRows`, in a terminal. */
export const plain = (text: string): string => text;
