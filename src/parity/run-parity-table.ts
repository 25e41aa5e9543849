import { counted } from '../report/counted.ts';
import { printable, printableLine } from '../report/printable.ts';
import type { ReportedRun } from '../report/run-report.ts';
import { shortUid, stateName, timeText } from '../report/run-text.ts';
import { type TextStyle, textStyle } from '../report/text-style.ts';
import { cutEnd } from '../report/text-width.ts';
import { wrappedText } from '../report/wrapped-text.ts';
import type { ParityDifference } from './difference.ts';
import type { ParityVerdict, RunParity } from './run-parity.ts';

interface Layout {
  readonly columns: number;
  readonly colour: boolean;
}

const TEXT_LINES = 3;

/** The comparison of two runs as text for a terminal, with a final line break. Single metrics are in the JSON only. */
export function runParityTable(parity: RunParity, { columns: width, colour }: Layout): string {
  const style = textStyle(colour);
  const { differences, undecided, notes, first, second } = parity;
  const sections: readonly (readonly string[])[] = [
    [
      cutEnd(runText('first', first), width),
      cutEnd(runText('second', second), width),
      verdictStyle(parity.verdict, style)(verdictText(parity)),
      style.dim(cutEnd(measureText(parity), width)),
    ],
    differences.flatMap((difference) => differenceLines(difference, width, style)),
    listed('undecided', undecided, width, style),
    listed('not compared', notes, width, style),
  ];
  return sections
    .filter((section) => section.length > 0)
    .map((section) => `${section.join('\n')}\n`)
    .join('\n');
}

const runText = (place: string, run: ReportedRun): string =>
  `${place.padEnd(6)}  ${printable(run.name)} · run ${shortUid(run.uid)} · ${run.engine} · ${stateName(run)} · started ${timeText(run.startedAt)}`;

/** The one verdict, as a sentence. */
export function verdictText({ verdict, differences, undecided, compared }: RunParity): string {
  switch (verdict) {
    case 'Same':
      return `✔ Same: ${counted(compared.variants, 'variant')} and ${counted(compared.trials, 'trial')}`;
    case 'Different':
      return `✘ Different: ${counted(differences.length, 'kind')} of difference`;
    case 'Undecided':
      return `? Undecided: nothing differs for certain, and ${counted(undecided.length, 'question')} ${undecided.length === 1 ? 'is' : 'are'} open`;
  }
}

/** What was exact and what was compared with a tolerance. */
export function measureText({ exact, exactOutputs, tolerancePercent, confidence }: RunParity): string {
  const exactly = [...exact.map(printable), ...(exactOutputs ? ['outputs'] : [])];
  return [
    ...(exactly.length > 0 ? [`exact: ${exactly.join(', ')}`] : []),
    `other metrics within ${tolerancePercent} % at a confidence of ${confidence}`,
    'duration_seconds for information only',
  ].join(' · ');
}

function differenceLines(difference: ParityDifference, width: number, style: TextStyle): readonly string[] {
  const { count, examples } = difference;
  const lines = examples.flatMap((text) => indented(printableLine(text), width));
  return [
    `${style.red(difference.kind)}${subjectText(difference)}${count > 1 ? `: ${count} times` : ''}`,
    ...lines,
    ...(count > examples.length ? [`  … ${count - examples.length} more`] : []),
  ];
}

/** ` of p95_ms`; empty where there is no subject. */
export const subjectText = ({ subject }: ParityDifference): string =>
  subject === null ? '' : ` of ${printable(subject)}`;

function listed(title: string, texts: readonly string[], width: number, style: TextStyle): readonly string[] {
  return texts.length === 0
    ? []
    : [style.dim(title), ...texts.flatMap((text) => indented(printableLine(text), width))];
}

const indented = (text: string, width: number): readonly string[] =>
  wrappedText(text, width - 2, TEXT_LINES).map((line) => `  ${line}`);

function verdictStyle(verdict: ParityVerdict, style: TextStyle): (text: string) => string {
  switch (verdict) {
    case 'Same':
      return style.green;
    case 'Different':
      return style.red;
    case 'Undecided':
      return style.yellow;
  }
}
