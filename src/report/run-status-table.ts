import type { Condition } from '../api/v1alpha1/status.ts';
import { scoreText } from './comparison-columns.ts';
import { counted } from './counted.ts';
import { durationInSeconds } from './duration-text.ts';
import { printable, printableLine } from './printable.ts';
import type { RunPhase, RunStatus } from './run-status.ts';
import { timeText } from './run-text.ts';
import { type TextStyle, textStyle } from './text-style.ts';
import { type Column, plainCell, tableLines, tableWidth } from './text-table.ts';
import { cutEnd, cutMiddle } from './text-width.ts';

export interface RunStatusTableOptions {
  readonly columns: number;
  readonly colour: boolean;
  /** Milliseconds since the epoch: what ages are counted to. */
  readonly now: number;
}

const NAME_SHARE = 0.5;
const LABEL_WIDTH = 10;

/** The status of a run as text for a terminal, with a final line break. No line is wider than `columns`. */
export function runStatusTable(status: RunStatus, { columns, colour, now }: RunStatusTableOptions): string {
  const style = textStyle(colour);
  const facts = [
    ...['trials', 'variants'].flatMap((label) => countsOf(label, status)),
    ...bestFacts(status),
    ...(status.gate === null ? [] : [['gate', status.gate] as const]),
    ...(status.waitingFor === null
      ? []
      : [
          [status.phase === 'Suspended' ? 'suspended' : 'waits for', explanation(status.waitingFor)] as const,
        ]),
  ];
  const lines = [
    titleLine(status, columns, style),
    style.dim(cutEnd(placeText(status, now), columns)),
    '',
    ...facts.map(([label, text]) => factLine(label, text, columns, style)),
    ...(status.conditions.length === 0
      ? []
      : ['', ...conditionLines(status.conditions, columns, now, style)]),
  ];
  return `${lines.join('\n').replace(/\n+$/, '')}\n`;
}

function titleLine({ name, phase, deleting }: RunStatus, columns: number, style: TextStyle): string {
  const shown = cutMiddle(printable(name), Math.floor(columns * NAME_SHARE));
  return `${style.bold(shown)} · ${phaseStyle(phase, style)(phase)}${deleting ? ' · being deleted' : ''}`;
}

function placeText({ name, namespace, uid, createdAt, finishedAt }: RunStatus, now: number): string {
  const place = `BatchTest ${printable(namespace === null ? name : `${namespace}/${name}`)}`;
  const age = `created ${timeText(createdAt)}, ${durationInSeconds(now - Date.parse(createdAt))} ago`;
  const end = finishedAt === null ? '' : ` · over since ${timeText(finishedAt)}`;
  return `${place} · run ${uid} · ${age}${end}`;
}

function countsOf(label: string, { trials, variants }: RunStatus): readonly (readonly [string, string])[] {
  if (label === 'variants')
    return variants == null
      ? []
      : [[label, `${variants.total}: ${variants.succeeded} succeeded, ${variants.failed} failed`]];
  if (trials == null) return [];
  const { total, running, pending, succeeded, failed, cancelled, skipped = 0, reused = 0 } = trials;
  const parts = [
    `${succeeded} succeeded${reused > 0 ? ` (${reused} reused)` : ''}`,
    `${failed} failed`,
    ...(cancelled > 0 ? [`${cancelled} cancelled`] : []),
    ...(skipped > 0 ? [`${skipped} skipped`] : []),
    `${running} running`,
    `${pending} pending`,
  ];
  return [[label, `${total}: ${parts.join(', ')}`]];
}

function bestFacts({ best, phase }: RunStatus): readonly (readonly [string, string])[] {
  if (best === null) return [];
  const isOver = phase === 'Complete' || phase === 'Failed' || phase === 'Cancelled';
  const ties =
    best.tieCount !== null && best.tieCount > 0
      ? `, and ${counted(best.tieCount, 'other')} cannot be told apart from it`
      : '';
  return [
    ['best', `${printable(best.name)}${isOver ? '' : ' so far'}, score ${scoreText(best.score)}${ties}`],
  ];
}

const factLine = (label: string, text: string, columns: number, style: TextStyle): string =>
  style.dim(label.padEnd(LABEL_WIDTH)) + cutEnd(text, columns - LABEL_WIDTH);

function conditionLines(
  conditions: readonly Condition[],
  columns: number,
  now: number,
  style: TextStyle,
): readonly string[] {
  const column = (title: string, cell: (condition: Condition) => string): Column => ({
    align: 'left',
    title: { plain: title, styled: title === '' ? '' : style.dim(title) },
    cells: conditions.map((condition) => plainCell(cell(condition))),
  });
  const table = [
    column('condition', ({ type }) => printable(type)),
    column('status', ({ status }) => status),
    column('since', ({ lastTransitionTime }) => durationInSeconds(now - Date.parse(lastTransitionTime))),
  ];
  const room = columns - tableWidth(table) - 2;
  return tableLines([...table, column('', (condition) => cutEnd(explanation(condition), room))]);
}

const explanation = ({ reason, message }: { readonly reason: string; readonly message: string }): string =>
  [printable(reason), printableLine(message)].filter((text) => text !== '').join(': ');

function phaseStyle(phase: RunPhase, style: TextStyle): (text: string) => string {
  switch (phase) {
    case 'Running':
      return style.cyan;
    case 'Complete':
      return style.green;
    case 'Failed':
      return style.red;
    case 'Unattended':
    case 'Waiting':
    case 'Suspended':
    case 'Cancelled':
      return style.yellow;
  }
}
