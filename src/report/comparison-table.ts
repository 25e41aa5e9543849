import { type ComparedLine, comparedLines, STOPPED } from './compared-lines.ts';
import { counted } from './counted.ts';
import { printable } from './printable.ts';
import type { TableOptions } from './report-table.ts';
import type { RunComparison } from './run-comparison.ts';
import type { ReportedRun } from './run-report.ts';
import { shortUid, stateName, timeText } from './run-text.ts';
import { type TextStyle, textStyle } from './text-style.ts';
import { type Cell, type Column, columnWidth, plainCell, tableLines, tableWidth } from './text-table.ts';
import { cutEnd, cutMiddle } from './text-width.ts';
import { verdictCell } from './verdict-column.ts';
import { wrappedText } from './wrapped-text.ts';

const VARIANTS_SHOWN = 20;
const LONGEST_NAME = 40;
const SHORTEST_NAME = 8;
/** Behind the name of a variant that runs something else than in the other run. */
const CHANGED_MARK = ' *';
const METRIC_WIDTH = 24;

/** One run against another as text for a terminal, with a final line break. Metrics beside the objective are in the JSON only. */
export function comparisonTable(comparison: RunComparison, options: TableOptions): string {
  const { columns: width, colour, all = false } = options;
  const style = textStyle(colour);
  const { run, against, variants, onlyInRun, onlyInAgainst } = comparison;
  const shown = all ? variants : variants.slice(0, VARIANTS_SHOWN);
  const sections: readonly (readonly string[])[] = [
    [runLine('', run, width, style), runLine('against ', against, width, style)],
    shown.length === 0
      ? ['The runs have no variant of the same name.']
      : body(comparison, shown, width, style),
    [
      ...(shown.length < variants.length
        ? [`… ${variants.length - shown.length} more variants (--all or -o json shows them)`]
        : []),
      ...onlyIn(run, onlyInRun, width),
      ...onlyIn(against, onlyInAgainst, width),
    ],
  ];
  const lines = sections.filter((section) => section.length > 0).flatMap((section) => [...section, '']);
  return lines.join('\n');
}

function runLine(preposition: string, run: ReportedRun, width: number, style: TextStyle): string {
  const facts = ` · run ${shortUid(run.uid)} · ${stateName(run)} · started ${timeText(run.startedAt)}`;
  const name = cutMiddle(
    printable(run.name),
    Math.max(SHORTEST_NAME, width - facts.length - preposition.length),
  );
  return (
    preposition + style.bold(name) + style.dim(cutEnd(facts, width - preposition.length - SHORTEST_NAME))
  );
}

/** What is left out, the first that suffices, where a terminal is narrow. Without the difference there is still the percentage. */
const LAYOUTS = [
  { deviations: true, difference: true },
  { deviations: true, difference: false },
  { deviations: false, difference: false },
] as const;
type Layout = (typeof LAYOUTS)[number];

function body(
  comparison: RunComparison,
  variants: RunComparison['variants'],
  width: number,
  style: TextStyle,
): readonly string[] {
  const { whyNoVerdicts } = comparison;
  const { columns, lines, layout } = fittedLayout(comparison, variants, width, style);
  return [
    ...tableLines(columns),
    ...wrappedText(legend(lines, layout), width, 2).map(style.dim),
    ...(variants.some(({ changed }) => changed)
      ? [style.dim(cutEnd('* what this variant runs is not the same in both runs', width))]
      : []),
    ...(whyNoVerdicts === null
      ? []
      : wrappedText(`No verdicts: ${whyNoVerdicts}`, width, 2).map(style.yellow)),
  ];
}

interface FittedLayout {
  readonly layout: Layout;
  readonly lines: readonly ComparedLine[];
  readonly columns: readonly Column[];
}

function fittedLayout(
  comparison: RunComparison,
  variants: RunComparison['variants'],
  width: number,
  style: TextStyle,
): FittedLayout {
  const fits = (layout: Layout): boolean => {
    const lines = comparedLines(comparison, variants, layout.deviations);
    return tableWidth(comparisonColumns(comparison, lines, layout, 2 * SHORTEST_NAME, style)) <= width;
  };
  const layout = LAYOUTS.find(fits) ?? LAYOUTS[2];
  const lines = comparedLines(comparison, variants, layout.deviations);
  const [names, ...others] = comparisonColumns(comparison, lines, layout, LONGEST_NAME, style);
  const room = width - tableWidth(others) - 2;
  const nameWidth = Math.max(SHORTEST_NAME, Math.min(names === undefined ? 0 : columnWidth(names), room));
  return { layout, lines, columns: comparisonColumns(comparison, lines, layout, nameWidth, style) };
}

/** What the marks mean that are there. */
function legend(lines: readonly ComparedLine[], { deviations }: Layout): string {
  const has = (wanted: ComparedLine['verdict']): boolean => lines.some(({ verdict }) => verdict === wanted);
  const areStopped = lines.some(({ unjudged }) => unjudged === STOPPED);
  const haveFailed = lines.some(({ unjudged }) => unjudged !== STOPPED && unjudged !== '');
  return [
    '↓ less is better, ↑ more is better',
    ...(deviations ? ['± standard deviation'] : []),
    ...(has('NoDifference') ? ['= no significant difference'] : []),
    ...(has('TooFewSamples') ? ['? too few trials'] : []),
    ...(haveFailed ? ['no verdict on variants with failed trials'] : []),
    ...(areStopped ? ['no verdict on variants stopped early'] : []),
  ].join(', ');
}

function comparisonColumns(
  { run, against }: RunComparison,
  lines: readonly ComparedLine[],
  layout: Layout,
  nameWidth: number,
  style: TextStyle,
): readonly Column[] {
  const column = (title: string, align: Column['align'], cell: (line: ComparedLine) => Cell): Column => ({
    align,
    title: { plain: title, styled: title === '' ? '' : style.dim(title) },
    cells: lines.map(cell),
  });
  const name = ({ isFirst, variant }: ComparedLine): Cell => {
    if (!isFirst) return plainCell('');
    const mark = variant.changed ? CHANGED_MARK : '';
    return plainCell(cutMiddle(printable(variant.variant), nameWidth - mark.length) + mark);
  };
  return [
    column('variant', 'left', name),
    column('metric', 'left', ({ metric, goalMark }) =>
      plainCell(cutMiddle(printable(metric), METRIC_WIDTH) + goalMark),
    ),
    column(shortUid(against.uid), 'right', (line) => plainCell(line.against)),
    column(shortUid(run.uid), 'right', (line) => plainCell(line.run)),
    ...(layout.difference ? [column('difference', 'right', ({ difference }) => plainCell(difference))] : []),
    column('', 'right', ({ percent }) => plainCell(percent)),
    column('', 'left', ({ verdict, unjudged }) => {
      if (verdict !== null) return verdictCell(verdict, style);
      const look = unjudged === STOPPED ? style.yellow : style.red;
      return { plain: unjudged, styled: look(unjudged) };
    }),
  ];
}

const onlyIn = (run: ReportedRun, names: readonly string[], width: number): readonly string[] =>
  names.length === 0
    ? []
    : [
        cutEnd(
          `${counted(names.length, 'variant')} only in run ${shortUid(run.uid)}: ${names.map(printable).join(', ')}`,
          width,
        ),
      ];
