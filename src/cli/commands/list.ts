import { Command, InvalidArgumentError } from 'commander';
import { runList } from '../../report/run-list.ts';
import {
  type DataDirectoryFlag,
  dataDirectoryOption,
  type OutputFormat,
  outputOption,
} from '../common-options.ts';
import type { ProcessContext } from '../process-context.ts';
import { renderedRunList } from '../rendered-report.ts';
import { withResultStore } from '../store-access.ts';

interface ListFlags extends DataDirectoryFlag {
  readonly output: OutputFormat;
  readonly limit: number;
  readonly workflow?: string;
}

export const listCommand = (context: ProcessContext): Command =>
  new Command('list')
    .description('list the stored runs, the newest first')
    .addOption(outputOption())
    .option('--limit <number>', 'how many at most', positiveInteger, 20)
    .option('--workflow <id>', 'only runs of this workflowId')
    .addOption(dataDirectoryOption())
    .action(async (flags: ListFlags) => {
      const runs = await withResultStore(flags, context.environment, (store) =>
        store.listRuns({
          limit: flags.limit,
          ...(flags.workflow === undefined ? {} : { workflowId: flags.workflow }),
        }),
      );
      context.stdout.write(renderedRunList(runList(runs), flags, context));
    });

function positiveInteger(text: string): number {
  if (!/^[1-9][0-9]{0,5}$/.test(text))
    throw new InvalidArgumentError('It must be a whole number from 1 to 999999.');
  return Number(text);
}
