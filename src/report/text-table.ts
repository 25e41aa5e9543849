import { textWidth } from './text-width.ts';

/** Text of a cell and how it looks; the width is that of the plain text. */
export interface Cell {
  /** Printable, one line, no terminal sequences. */
  readonly plain: string;
  /** The same with terminal sequences. */
  readonly styled: string;
}

/** One column, its title included. */
export interface Column {
  readonly align: 'left' | 'right';
  readonly title: Cell;
  readonly cells: readonly Cell[];
}

const GAP = '  ';

/** A cell without styles. */
export const plainCell = (text: string): Cell => ({ plain: text, styled: text });

/** Columns that the widest cell or the title takes. */
export const columnWidth = ({ title, cells }: Column): number =>
  cells.reduce((widest, { plain }) => Math.max(widest, textWidth(plain)), textWidth(title.plain));

/** Columns that a table takes. */
export const tableWidth = (columns: readonly Column[]): number =>
  columns.reduce((sum, column) => sum + columnWidth(column), GAP.length * Math.max(0, columns.length - 1));

/**
 * The titles and then the rows as lines: aligned, without borders, without spaces at the end. Every column has as many cells as the
 * first. Takes time linear in the cells, which tables of 10,000 rows need.
 */
export function tableLines(columns: readonly Column[]): readonly string[] {
  const padded = columns.map((column) => {
    const width = columnWidth(column);
    return [column.title, ...column.cells].map((cell) => paddedCell(cell, width, column.align));
  });
  const rows = padded[0]?.length ?? 0;
  return Array.from({ length: rows }, (_, row) =>
    padded
      .map((cells) => cells[row] ?? '')
      .join(GAP)
      .replace(/ +$/, ''),
  );
}

function paddedCell({ plain, styled }: Cell, width: number, align: Column['align']): string {
  const padding = ' '.repeat(Math.max(0, width - textWidth(plain)));
  return align === 'left' ? styled + padding : padding + styled;
}
