import { Command, InvalidArgumentError } from 'commander';
import { counted } from '../../report/counted.ts';
import { messageList, messageListTable } from '../../report/message-list.ts';
import { LISTED_MESSAGES } from '../../results/outbox.ts';
import {
  type DataDirectoryFlag,
  dataDirectoryOption,
  type OutputFormat,
  outputOption,
} from '../common-options.ts';
import { UsageError } from '../failure.ts';
import type { ProcessContext } from '../process-context.ts';
import { renderedData } from '../rendered-data.ts';
import { withResultStore } from '../store-access.ts';
import { terminalOf } from '../terminal.ts';

interface ListFlags extends DataDirectoryFlag {
  readonly dead?: boolean;
  readonly output: OutputFormat;
}

interface RetryFlags extends DataDirectoryFlag {
  readonly all?: boolean;
}

export const outboxCommand = (context: ProcessContext): Command =>
  new Command('outbox')
    .description('what follows from stored results: verification and notifications that are not done')
    .addCommand(listCommand(context))
    .addCommand(retryCommand(context));

const listCommand = (context: ProcessContext): Command =>
  new Command('list')
    .description('list the messages that are not delivered, the oldest first')
    .option('--dead', 'only those that are not tried again by themselves')
    .addOption(outputOption())
    .addOption(dataDirectoryOption())
    .action(async (flags: ListFlags) => {
      const messages = await withResultStore(flags, context.environment, (store) =>
        store.outbox.list({ deadOnly: flags.dead === true, limit: LISTED_MESSAGES }),
      );
      const list = messageList(messages);
      const { stdout, environment } = context;
      stdout.write(
        renderedData(list, flags.output, () => messageListTable(list, terminalOf(stdout, environment))),
      );
    });

const retryCommand = (context: ProcessContext): Command =>
  new Command('retry')
    .description('have dead messages handled again, by the operator or the next local run')
    .argument('[id...]', 'ids of messages, as batchtest outbox list shows them', messageIds)
    .option('--all', 'all that are dead')
    .addOption(dataDirectoryOption())
    .action(async (named: readonly number[], flags: RetryFlags) => {
      const ids = named.length === 0 ? undefined : named;
      if ((ids === undefined) === (flags.all !== true))
        throw new UsageError(
          'name the messages to retry, or say --all: batchtest outbox list --dead shows them',
        );
      const retried = await withResultStore(flags, context.environment, (store) => store.outbox.retry(ids));
      const refused = (ids ?? []).filter((id) => !retried.includes(id));
      if (retried.length > 0 || refused.length === 0)
        context.stdout.write(`${counted(retried.length, 'message')} will be tried again\n`);
      if (refused.length > 0)
        throw new UsageError(
          `not dead, or not there: ${refused.join(', ')} (batchtest outbox list --dead shows those that are)`,
        );
    });

function messageIds(text: string, before: readonly number[] | undefined): readonly number[] {
  if (!/^[1-9][0-9]{0,14}$/.test(text)) throw new InvalidArgumentError('It must be the number of a message.');
  return [...(before ?? []), Number(text)];
}
