import type { ListedMessage } from '../results/outbox.ts';
import { printable } from './printable.ts';
import { shortUid, timeText } from './run-text.ts';
import { type TextStyle, textStyle } from './text-style.ts';
import { type Cell, type Column, plainCell, tableLines } from './text-table.ts';
import { cutMiddle } from './text-width.ts';
import { wrappedText } from './wrapped-text.ts';

/** A message of the outbox as reports name it. Times are ISO 8601 in UTC. */
interface ReportedMessage {
  readonly id: number;
  readonly kind: ListedMessage['kind'];
  readonly state: ListedMessage['state'];
  readonly run: string;
  /** Null when the run is not stored any more. */
  readonly name: string | null;
  readonly tries: number;
  readonly createdAt: string;
  /** When a pending message is due; null for a dead one. */
  readonly dueAt: string | null;
  readonly lastError: string | null;
}

/** What `batchtest outbox list` is made of. Fields are added to it, never renamed or removed. */
export interface MessageList {
  readonly messages: readonly ReportedMessage[];
}

export const messageList = (messages: readonly ListedMessage[]): MessageList => ({
  messages: messages.map((message) => ({
    id: message.id,
    kind: message.kind,
    state: message.state,
    run: message.runUid,
    name: message.runName ?? null,
    tries: message.tries,
    createdAt: message.createdAt.toISOString(),
    dueAt: message.dueAt?.toISOString() ?? null,
    lastError: message.lastError ?? null,
  })),
});

const NAME_WIDTH = 40;
const LINES_OF_AN_ERROR = 3;
const INDENT = '  ';

/** A line per message, below it why it was not delivered, with a final line break. */
export function messageListTable(
  { messages }: MessageList,
  { columns, colour }: { readonly columns: number; readonly colour: boolean },
): string {
  if (messages.length === 0) return 'Everything is delivered.\n';
  const style = textStyle(colour);
  const [head = '', ...rows] = tableLines(tableColumns(messages, style));
  const lines = messages.flatMap(({ lastError }, position) => [
    rows[position] ?? '',
    ...(lastError === null
      ? []
      : wrappedText(printable(lastError), columns - INDENT.length, LINES_OF_AN_ERROR).map(
          (line) => INDENT + style.dim(line),
        )),
  ]);
  return `${[head, ...lines].join('\n')}\n`;
}

function tableColumns(messages: readonly ReportedMessage[], style: TextStyle): readonly Column[] {
  const column = (name: string, cell: (message: ReportedMessage) => Cell): Column => ({
    align: 'left',
    title: { plain: name, styled: style.dim(name) },
    cells: messages.map(cell),
  });
  return [
    { ...column('id', ({ id }) => plainCell(String(id))), align: 'right' },
    column('kind', ({ kind }) => plainCell(kind)),
    column('state', ({ state }) => ({ plain: state, styled: state === 'Dead' ? style.red(state) : state })),
    { ...column('tries', ({ tries }) => plainCell(String(tries))), align: 'right' },
    column('run', ({ run }) => plainCell(shortUid(run))),
    column('name', ({ name }) => plainCell(cutMiddle(printable(name ?? '–'), NAME_WIDTH))),
    column('created', ({ createdAt }) => plainCell(timeText(createdAt))),
  ];
}
