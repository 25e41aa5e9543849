import { Command } from 'commander';
import { runComparison } from '../../report/run-comparison.ts';
import { runReport } from '../../report/run-report.ts';
import { trialReport } from '../../report/trial-report.ts';
import {
  type DataDirectoryFlag,
  dataDirectoryOption,
  type ReportFormat,
  reportOutputOption,
} from '../common-options.ts';
import { notEmpty } from '../not-empty.ts';
import type { ProcessContext } from '../process-context.ts';
import { renderedComparison, renderedReport } from '../rendered-report.ts';
import { withResultStore } from '../store-access.ts';
import { storedRun } from '../stored-run.ts';

interface ReportFlags extends DataDirectoryFlag {
  readonly output: ReportFormat;
  readonly all?: boolean;
  readonly compare?: string;
}

export const reportCommand = (context: ProcessContext): Command =>
  new Command('report')
    .description('show what is stored of a run')
    .argument(
      '[run]',
      'UID of a run, the beginning of one, or the name of a BatchTest; default: the newest run',
      notEmpty,
    )
    .addOption(reportOutputOption())
    .option('--all', 'show every variant in the table, however many there are')
    .option('--compare <run>', 'show how the run differs from this one, named in the same ways', notEmpty)
    .addOption(dataDirectoryOption())
    .action(async (reference: string | undefined, flags: ReportFlags) => {
      const { compare } = flags;
      const { stored, other } = await withResultStore(flags, context.environment, async (store) => ({
        stored: await storedRun(store, reference),
        other: compare === undefined ? undefined : await storedRun(store, compare),
      }));
      context.stdout.write(
        other === undefined
          ? renderedReport(trialReport(stored), flags, context)
          : renderedComparison(runComparison(runReport(stored), runReport(other)), flags, context),
      );
    });
