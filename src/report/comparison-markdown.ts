import { type ComparedLine, comparedLines } from './compared-lines.ts';
import { counted } from './counted.ts';
import { markdownCode } from './markdown-text.ts';
import { MARKDOWN_LIMIT } from './report-markdown.ts';
import type { RunComparison } from './run-comparison.ts';
import type { ReportedRun } from './run-report.ts';
import { shortUid, stateName, timeText } from './run-text.ts';
import { VERDICT_MARKS } from './verdict-column.ts';

/** Numbers of variants that are tried until the text is short enough. */
const VARIANTS_SHOWN: readonly number[] = [100, 20, 5];
const NAME_WIDTH = 60;
const NAMES_SHOWN = 10;

/**
 * One run against another as GitHub's Markdown, of at most {@link MARKDOWN_LIMIT} characters: of many variants the best of the run. Names
 * cannot format anything or notify anybody.
 */
export function comparisonMarkdown(comparison: RunComparison): string {
  let text = '';
  for (const most of VARIANTS_SHOWN) {
    text = markdownOf(comparison, most);
    if (text.length <= MARKDOWN_LIMIT) break;
  }
  return text;
}

function markdownOf(comparison: RunComparison, most: number): string {
  const { run, against, variants, onlyInRun, onlyInAgainst, confidence, whyNoVerdicts } = comparison;
  const shown = variants.slice(0, most);
  const omitted = variants.length - shown.length;
  const blocks = [
    `### ${markdownCode(run.name, NAME_WIDTH)}: run ${runText(run)} against ${run.name === against.name ? '' : `${markdownCode(against.name, NAME_WIDTH)} `}${runText(against)}`,
    ...(whyNoVerdicts === null ? [] : [`**No verdicts: ${whyNoVerdicts}.**`]),
    ...(shown.length === 0 ? ['The runs have no variant of the same name.'] : [table(comparison, shown)]),
    ...(omitted > 0 ? [`${counted(omitted, 'further variant')} not shown here.`] : []),
    ...(shown.some(({ changed }) => changed)
      ? ['\\* what this variant runs is not the same in both runs']
      : []),
    ...onlyIn(run, onlyInRun),
    ...onlyIn(against, onlyInAgainst),
    `<sub>runs ${markdownCode(run.uid, NAME_WIDTH)} and ${markdownCode(against.uid, NAME_WIDTH)}; ± is the standard deviation, = no significant difference at a confidence of ${confidence}, ? too few trials, and there is no verdict on variants with failed trials or stopped early</sub>`,
  ];
  return `${blocks.join('\n\n')}\n`;
}

const runText = (run: ReportedRun): string =>
  `${markdownCode(shortUid(run.uid), NAME_WIDTH)} (${stateName(run)}, ${timeText(run.startedAt)})`;

function table(comparison: RunComparison, variants: RunComparison['variants']): string {
  const { run, against } = comparison;
  const rows = comparedLines(comparison, variants).map((line) => {
    const name = line.isFirst
      ? markdownCode(line.variant.variant, NAME_WIDTH) + (line.variant.changed ? ' \\*' : '')
      : '';
    const metric = markdownCode(line.metric, NAME_WIDTH) + line.goalMark;
    return [name, metric, line.against, line.run, line.difference, line.percent, verdictText(line)];
  });
  const titles = [
    'variant',
    'metric',
    markdownCode(shortUid(against.uid), NAME_WIDTH),
    markdownCode(shortUid(run.uid), NAME_WIDTH),
    'difference',
    '%',
    '',
  ];
  return [titles, ['---', '---', '--:', '--:', '--:', '--:', '---'], ...rows]
    .map((cells) => `| ${cells.join(' | ')} |`)
    .join('\n');
}

function verdictText({ verdict, unjudged }: ComparedLine): string {
  if (verdict === null) return unjudged;
  return verdict === 'Worse' ? `**${VERDICT_MARKS[verdict]}**` : VERDICT_MARKS[verdict];
}

function onlyIn(run: ReportedRun, names: readonly string[]): readonly string[] {
  if (names.length === 0) return [];
  const shown = names.slice(0, NAMES_SHOWN).map((name) => markdownCode(name, NAME_WIDTH));
  const more = names.length - shown.length;
  return [
    `Only in run ${markdownCode(shortUid(run.uid), NAME_WIDTH)}: ${shown.join(', ')}${more > 0 ? ` and ${counted(more, 'other')}` : ''}`,
  ];
}
