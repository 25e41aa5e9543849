import { stripVTControlCharacters } from 'node:util';
import type { ComparisonRow } from '../comparison/comparison-matrix.ts';
import { bestText, evidenceText } from './best-text.ts';
import { meanAndDeviationTexts, scoreText, summaryOf } from './comparison-columns.ts';
import { counted } from './counted.ts';
import { gateResultText, gateRuleText, unlistedGates } from './gate-lines.ts';
import { markdownBlock, markdownCode } from './markdown-text.ts';
import { printableLine } from './printable.ts';
import { metricNames, parameterValue, varyingParameters } from './report-names.ts';
import type { ReportedFailure, RunReport } from './run-report.ts';
import { endOf, runDuration, stateName, trialCountsText } from './run-text.ts';
import { verificationTexts } from './run-verification.ts';
import { cutEnd, cutMiddle } from './text-width.ts';
import { VERDICT_MARKS } from './verdict-column.ts';

/** How much of a report is told. */
interface Extent {
  /** Variants that are always seen. */
  readonly variants: number;
  /** Variants in a part that has to be opened. */
  readonly furtherVariants: number;
  readonly parameters: number;
  readonly furtherMetrics: number;
  /** Limits of gates; those that are not kept come first. */
  readonly gates: number;
  readonly failures: number;
  readonly messageLines: number;
}

/** The first of these that fits is taken. The last one fits whatever the report holds: names are cut. */
const EXTENTS: readonly [Extent, ...Extent[]] = [
  {
    variants: 20,
    furtherVariants: 180,
    parameters: 8,
    furtherMetrics: 6,
    gates: 48,
    failures: 20,
    messageLines: 20,
  },
  {
    variants: 20,
    furtherVariants: 60,
    parameters: 6,
    furtherMetrics: 3,
    gates: 48,
    failures: 10,
    messageLines: 10,
  },
  {
    variants: 20,
    furtherVariants: 0,
    parameters: 4,
    furtherMetrics: 0,
    gates: 20,
    failures: 5,
    messageLines: 5,
  },
  {
    variants: 10,
    furtherVariants: 0,
    parameters: 2,
    furtherMetrics: 0,
    gates: 10,
    failures: 2,
    messageLines: 2,
  },
  {
    variants: 3,
    furtherVariants: 0,
    parameters: 0,
    furtherMetrics: 0,
    gates: 5,
    failures: 0,
    messageLines: 0,
  },
];

/** GitHub refuses comments of more than 65,536 characters; the rest is for what a caller puts around the report. */
export const MARKDOWN_LIMIT = 60_000;

const NAME_WIDTH = 60;
const VALUE_WIDTH = 32;
const NAMES_SHOWN = 6;
const MESSAGE_LINE_WIDTH = 240;

/**
 * The report as GitHub's Markdown, for a comment of a pull request or the summary of a build: which variant is best, the matrix, and what
 * failed. At most {@link MARKDOWN_LIMIT} characters: of large runs the best variants and the first failures, and it says so. Names and
 * logs cannot format anything or notify anybody.
 */
export function reportMarkdown(report: RunReport): string {
  const [first, ...others] = EXTENTS;
  let text = markdownOf(report, first);
  for (const extent of others) {
    if (text.length <= MARKDOWN_LIMIT) break;
    text = markdownOf(report, extent);
  }
  return text;
}

function markdownOf(report: RunReport, extent: Extent): string {
  const blocks = [
    heading(report),
    verdict(report),
    ...[evidenceText(report)].filter((text) => text !== ''),
    ...gates(report, extent),
    ...verification(report, extent),
    ...stateMessage(report),
    ...matrix(report, extent),
    ...failures(report, extent),
    footer(report),
  ];
  return `${blocks.join('\n\n')}\n`;
}

function heading({ run }: RunReport): string {
  const facts = [stateName(run), trialCountsText(run.trials), ...runDuration(run)].join(' · ');
  return `### ${markdownCode(run.name, NAME_WIDTH)} · ${facts}`;
}

function verdict(report: RunReport): string {
  const best = bestText(report);
  if (best.kind === 'None') return `**${best.text}.**`;
  const shown = best.names.slice(0, NAMES_SHOWN).map((name) => markdownCode(name, NAME_WIDTH));
  const more = best.names.length - shown.length;
  const [first = '', ...others] = [...shown, ...(more > 0 ? [counted(more, 'other')] : [])];
  const last = others.pop();
  const names = [`**${first}**`, ...others].join(', ') + (last === undefined ? '' : ` and ${last}`);
  return `★ ${names} ${best.verdict}.`;
}

function gates(report: RunReport, extent: Extent): readonly string[] {
  const { gates: all } = report;
  if (all.length === 0)
    return unlistedGates(report).map(({ result, reason }) => `- gates: ${gateVerdict(result)}: ${reason}`);
  const shown = [
    ...all.filter(({ result }) => result !== 'Passed'),
    ...all.filter(({ result }) => result === 'Passed'),
  ].slice(0, extent.gates);
  const lines = shown.map((gate) => {
    const { metric, result, reason } = gate;
    return `- gate ${markdownCode(metric, VALUE_WIDTH)} ${gateRuleText(gate)}: ${gateVerdict(result)}: ${markdownCode(reason, MESSAGE_LINE_WIDTH)}`;
  });
  const more = all.length - shown.length;
  return [[...lines, ...(more > 0 ? [`- ${counted(more, 'further limit')} not shown here`] : [])].join('\n')];
}

const gateVerdict = (result: RunReport['gates'][number]['result']): string =>
  result === 'Passed' ? gateResultText(result) : `**${gateResultText(result)}**`;

function verification({ verification: all }: RunReport, extent: Extent): readonly string[] {
  const texts = verificationTexts(all);
  if (texts.length === 0) return [];
  const shown = all.problems.slice(0, extent.failures);
  return [
    [
      ...texts.map(({ isFine, text }) => `- ${isFine ? text : `**${text}**`}`),
      ...shown.map(
        ({ variant, repetition, name, state, reason }) =>
          `  - ${markdownCode(variant, NAME_WIDTH)} repetition ${repetition}: ${markdownCode(name, NAME_WIDTH)}: **${state}**: ${markdownCode(reason, MESSAGE_LINE_WIDTH)}`,
      ),
    ].join('\n'),
  ];
}

function stateMessage({ run }: RunReport): readonly string[] {
  const end = endOf(run);
  return end === undefined
    ? []
    : [`${end.reason}: ${markdownCode(printableLine(end.message), MESSAGE_LINE_WIDTH)}`];
}

function matrix(report: RunReport, extent: Extent): readonly string[] {
  const { variants, furtherVariants } = extent;
  const shown = report.matrix.slice(0, variants);
  const further = report.matrix.slice(variants, variants + furtherVariants);
  const omitted = report.matrix.length - shown.length - further.length;
  if (shown.length === 0) return [];
  // Both tables write numbers alike.
  const lines = tableLines([...shown, ...further], report, extent);
  const head = lines.slice(0, 2);
  const body = lines.slice(2);
  const rest = omitted > 0 ? `${counted(omitted, 'further variant')} not shown here.` : undefined;
  return [
    [...head, ...body.slice(0, shown.length)].join('\n'),
    ...(further.length === 0
      ? rest === undefined
        ? []
        : [rest]
      : [
          `<details><summary>${counted(further.length, 'further variant')}</summary>`,
          [...head, ...body.slice(shown.length)].join('\n'),
          ...(rest === undefined ? [] : [rest]),
          '</details>',
        ]),
  ];
}

interface MarkdownColumn {
  readonly title: string;
  readonly align: 'left' | 'right';
  readonly cells: readonly string[];
}

function tableLines(
  rows: readonly ComparisonRow[],
  report: RunReport,
  { parameters, furtherMetrics }: Extent,
): readonly string[] {
  const objective = report.objective.map(({ metric }) => metric);
  const further = metricNames(report).slice(objective.length, objective.length + furtherMetrics);
  const columns: readonly MarkdownColumn[] = [
    { title: '#', align: 'right', cells: rows.map(({ rank }) => (rank === 1 ? '★ 1' : String(rank ?? '–'))) },
    { title: 'variant', align: 'left', cells: rows.map(({ variant }) => markdownCode(variant, NAME_WIDTH)) },
    ...varyingParameters(report)
      .slice(0, parameters)
      .map((name) => parameterColumn(rows, name)),
    {
      title: 'score',
      align: 'right',
      cells: rows.map(({ score }) => (score === null ? '–' : scoreText(score))),
    },
    ...report.objective.map(({ metric, goal }) =>
      metricColumn(rows, metric, goal === 'minimize' ? ' ↓' : ' ↑'),
    ),
    ...verdictColumns(rows, report),
    ...further.map((metric) => metricColumn(rows, metric, '')),
    { title: 'trials', align: 'right', cells: rows.map(trialsText) },
  ];
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [
    line(columns.map(({ title }) => title)),
    line(columns.map(({ align }) => (align === 'right' ? '--:' : '---'))),
    ...rows.map((_, position) => line(columns.map(({ cells }) => cells[position] ?? ''))),
  ];
}

function parameterColumn(rows: readonly ComparisonRow[], name: string): MarkdownColumn {
  const values = rows.map((row) => parameterValue(row, name));
  return {
    title: markdownCode(name, VALUE_WIDTH),
    align: values.every((value) => value === undefined || Number.isFinite(Number(value))) ? 'right' : 'left',
    cells: values.map((value) => (value === undefined ? '' : markdownCode(value, VALUE_WIDTH))),
  };
}

function metricColumn(rows: readonly ComparisonRow[], metric: string, goalMark: string): MarkdownColumn {
  const texts = meanAndDeviationTexts(
    rows.map((row) => summaryOf(row, metric)),
    true,
  );
  return {
    title: markdownCode(metric, VALUE_WIDTH) + goalMark,
    align: 'right',
    cells: texts.map((text, position) => {
      if (text === undefined) return '–';
      const value = text.mean + text.deviation.replace(/± +/, '± ').trimEnd();
      return rows[position]?.rank === 1 ? `**${value}**` : value;
    }),
  };
}

/** The verdicts against the baseline, metric by metric of the objective. */
function verdictColumns(
  rows: readonly ComparisonRow[],
  { comparison: { baseline }, objective }: RunReport,
): readonly MarkdownColumn[] {
  if (baseline === null) return [];
  const cells = rows.map((row) => {
    if (row.variant === baseline) return 'baseline';
    const marks = objective.flatMap(({ metric }) => {
      const verdict = summaryOf(row, metric)?.vsBaseline?.verdict ?? undefined;
      return verdict === undefined ? [] : [VERDICT_MARKS[verdict]];
    });
    return marks.length === 0 ? '–' : marks.join(', ');
  });
  return [{ title: `vs ${markdownCode(baseline, VALUE_WIDTH)}`, align: 'left', cells }];
}

const trialsText = ({ trials, stoppedAtLook }: ComparisonRow): string =>
  [
    `${trials.succeeded}/${trials.total}`,
    ...(trials.failed > 0 ? [`${trials.failed} failed`] : []),
    ...(stoppedAtLook === null ? [] : ['stopped early']),
  ].join(', ');

function failures({ failures: all, failureCount }: RunReport, extent: Extent): readonly string[] {
  if (failureCount === 0) return [];
  const shown = all.slice(0, extent.failures);
  const more = failureCount - shown.length;
  return [
    `<details><summary>${counted(failureCount, 'failed trial')}</summary>`,
    ...shown.flatMap((failure) => [failureHead(failure), failureBlock(failure, extent.messageLines)]),
    ...(more > 0
      ? [`${counted(more, 'failed trial')}${shown.length > 0 ? ' more' : ''} not shown here.`]
      : []),
    '</details>',
  ];
}

function failureHead({ variant, repetition, attempt, outcome, reason }: ReportedFailure): string {
  const tries = attempt === 1 ? '' : `, attempt ${attempt}`;
  return `${markdownCode(variant, NAME_WIDTH)} repetition ${repetition}${tries}: **${outcome}** ${markdownCode(reason, VALUE_WIDTH)}`;
}

/** The last lines, where programs say why they give up. */
function failureBlock({ message, logs }: ReportedFailure, messageLines: number): string {
  const lines = stripVTControlCharacters(message)
    .split(/[\r\n\u2028\u2029]+/)
    .filter((line) => line.trim() !== '');
  const [first, ...others] = lines;
  const kept = others.slice(-messageLines);
  return markdownBlock([
    ...(first === undefined ? [] : [cutEnd(first, MESSAGE_LINE_WIDTH)]),
    ...(kept.length < others.length ? ['…'] : []),
    ...kept.map((line) => cutEnd(line.replaceAll('\t', '  '), MESSAGE_LINE_WIDTH)),
    ...(logs === null ? [] : [`logs ${cutMiddle(logs, MESSAGE_LINE_WIDTH)}`]),
  ]);
}

const footer = ({ run }: RunReport): string =>
  `<sub>run ${markdownCode(run.uid, NAME_WIDTH)} · everything: ${markdownCode(`batchtest report ${run.uid} -o html`, 120)}</sub>`;
