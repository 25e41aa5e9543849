import { counted } from '../report/counted.ts';
import { printable, printableLine } from '../report/printable.ts';
import { type TextStyle, textStyle } from '../report/text-style.ts';
import { type Column, plainCell, tableLines } from '../report/text-table.ts';
import { cutEnd, cutMiddle } from '../report/text-width.ts';
import { wrappedText } from '../report/wrapped-text.ts';
import { type DryRun, differingFields, type ProgramParity } from './dry-run.ts';
import { isAlike } from './field-parity.ts';

interface Layout {
  readonly columns: number;
  readonly colour: boolean;
}

const NAME_WIDTH = 63;
const NOTE_LINES = 4;
const JOBS_LISTED = 10;

/** A dry run as text for a terminal, with a final line break. */
export function dryRunTable(run: DryRun, { columns: width, colour }: Layout): string {
  const style = textStyle(colour);
  const sections: readonly (readonly string[])[] = [
    [
      `${style.bold(cutMiddle(printable(run.name), NAME_WIDTH))} · ${counted(run.variants, 'variant')} × ${counted(run.repetitions, 'repetition')} = ${counted(run.trials, 'trial')}`,
      verdictLine(run, style),
    ],
    fieldLines(run, width, style),
    programLines(run, width, style),
    [
      style.dim('honoured alike by both'),
      ...wrappedText(
        run.fields
          .filter(isAlike)
          .map(({ field }) => field)
          .join(', '),
        width - 2,
        30,
      ).map((line) => `  ${line}`),
    ],
    [
      style.dim('never reproduced by a local run'),
      ...run.inherent.flatMap((text) => indented(`- ${text}`, width, 2)),
    ],
    jobLines(run, width, style),
    serverLines(run, width, style),
  ];
  return sections
    .filter((section) => section.length > 0)
    .map((section) => `${section.join('\n')}\n`)
    .join('\n');
}

/** How many differences there are that matter. */
export function mattering({ fields, program, server }: DryRun): number {
  const refused =
    server?.kind === 'Checked' ? server.objects.filter(({ outcome }) => outcome === 'Refused').length : 0;
  return [...fields, ...program].filter(({ matters }) => matters).length + refused;
}

function verdictLine(run: DryRun, style: TextStyle): string {
  if (run.verdict === 'Same') return `${style.green('✔ Same')}: both engines would run the same`;
  const count = mattering(run);
  return `${style.red('✘ Different')}: ${counted(count, 'difference')} ${count === 1 ? 'matters' : 'matter'}`;
}

function fieldLines(run: DryRun, width: number, style: TextStyle): readonly string[] {
  const rows = differingFields(run);
  if (rows.length === 0) return [];
  const column = (title: string, cells: readonly string[]): Column => ({
    align: 'left',
    title: { plain: title, styled: title === '' ? '' : style.dim(title) },
    cells: cells.map(plainCell),
  });
  const [title = '', ...lines] = tableLines([
    column(
      '',
      rows.map(({ matters }) => (matters ? '!' : '')),
    ),
    column(
      'field',
      rows.map(({ field }) => cutMiddle(printable(field), Math.max(20, width - 25))),
    ),
    column(
      'local',
      rows.map(({ local }) => local),
    ),
    column(
      'cluster',
      rows.map(({ kubernetes }) => kubernetes),
    ),
  ]);
  return [
    title,
    ...rows.flatMap((row, index) => [
      row.matters ? style.yellow(lines[index] ?? '') : (lines[index] ?? ''),
      ...indented(row.note ?? '', width, 5).map(style.dim),
    ]),
    ...(rows.some(({ matters }) => matters)
      ? [style.dim('! the program is not run alike because of it')]
      : []),
  ];
}

function programLines({ program }: DryRun, width: number, style: TextStyle): readonly string[] {
  if (program.length === 0) return [];
  return [
    style.dim('what the program is told'),
    ...program.flatMap((difference) => {
      const [first = '', ...rest] = wrappedText(
        `${difference.text}${whichVariants(difference)}`,
        width - 3,
        3,
      );
      const lines = [`${difference.matters ? '!' : ' '}  ${first}`, ...rest.map((line) => `   ${line}`)];
      return difference.matters ? lines.map(style.yellow) : lines;
    }),
  ];
}

/** ` (variant lru and 5 others)`. */
export function whichVariants({ variant, variants }: Pick<ProgramParity, 'variant' | 'variants'>): string {
  const others = variants === 1 ? '' : ` and ${counted(variants - 1, 'other')}`;
  return ` (variant ${printable(variant)}${others})`;
}

function jobLines({ jobs, variants }: DryRun, width: number, style: TextStyle): readonly string[] {
  const shown = jobs.slice(0, JOBS_LISTED);
  return [
    style.dim(`${jobs[0]?.kind ?? 'Job'}s of the first trials in the cluster (--jobs prints them)`),
    ...shown.map(({ metadata }) => cutEnd(`   ${metadata?.name}`, width)),
    ...(variants > shown.length ? [`   … ${variants - shown.length} more`] : []),
  ];
}

function serverLines({ server }: DryRun, width: number, style: TextStyle): readonly string[] {
  if (server === null) return [];
  if (server.kind === 'NoCluster')
    return indented(`no API server was asked: ${printableLine(server.message)}`, width, 0);
  return [
    style.dim(
      cutEnd(
        `asked of ${printable(server.server)}, namespace ${printable(server.namespace)}; nothing was created`,
        width,
      ),
    ),
    ...server.objects.flatMap(({ kind, outcome, message }) => {
      const text = `${kind}: ${outcome}${message === null ? '' : `: ${printableLine(message)}`}`;
      const lines = indented(text, width, 3);
      return outcome === 'Refused' ? lines.map(style.red) : lines;
    }),
  ];
}

const indented = (text: string, width: number, indent: number): readonly string[] =>
  wrappedText(text, width - indent, NOTE_LINES).map((line) => ' '.repeat(indent) + line);
