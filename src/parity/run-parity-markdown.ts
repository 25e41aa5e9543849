import { markdownCode } from '../report/markdown-text.ts';
import type { ReportedRun } from '../report/run-report.ts';
import { shortUid, stateName } from '../report/run-text.ts';
import type { RunParity } from './run-parity.ts';
import { verdictText } from './run-parity-table.ts';

const NAME_WIDTH = 63;
const LONG = 300;
/** GitHub refuses comments of more than 65,536 characters. */
const DIFFERENCES_SHOWN = 50;

/** The comparison of two runs as GitHub's Markdown. Names cannot format anything or notify anybody. */
export function runParityMarkdown(parity: RunParity): string {
  const { first, second, differences, undecided, notes, tolerancePercent, confidence, exact } = parity;
  const shown = differences.slice(0, DIFFERENCES_SHOWN);
  const rows = shown.map(({ kind, subject, count, examples }) =>
    [
      kind,
      subject === null ? '' : code(subject),
      String(count),
      examples.map((text) => code(text, LONG)).join('<br>'),
    ].join(' | '),
  );
  const table = ['kind | of | times | for example', '--- | --- | --: | ---', ...rows].map(
    (row) => `| ${row} |`,
  );
  const blocks = [
    `### ${verdictText(parity)}`,
    `${runText(first)} and ${runText(second)}`,
    ...(rows.length === 0 ? [] : [table.join('\n')]),
    ...(differences.length > shown.length
      ? [`${differences.length - shown.length} more kinds not shown here.`]
      : []),
    list('Undecided', undecided),
    list('Not compared', notes),
    `<sub>${exact.length === 0 ? '' : `exact: ${exact.map((metric) => code(metric)).join(', ')}; `}other metrics within ${tolerancePercent} % at a confidence of ${confidence}</sub>`,
  ];
  return `${blocks.filter((block) => block !== '').join('\n\n')}\n`;
}

const runText = (run: ReportedRun): string =>
  `${code(run.name)} ${code(shortUid(run.uid))} (${run.engine}, ${stateName(run)})`;

const list = (title: string, texts: readonly string[]): string =>
  texts.length === 0 ? '' : [`${title}:`, '', ...texts.map((text) => `- ${code(text, LONG)}`)].join('\n');

const code = (text: string, width = NAME_WIDTH): string => markdownCode(text, width);
