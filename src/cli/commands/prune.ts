import { Command } from 'commander';
import { counted } from '../../report/counted.ts';
import { printable } from '../../report/printable.ts';
import { shortUid, timeText } from '../../report/run-text.ts';
import type { PrunedRun } from '../../results/result-store.ts';
import { deleteDueRuns } from '../../results/run-deletion.ts';
import { type DataDirectoryFlag, dataDirectoryOption } from '../common-options.ts';
import { duration } from '../duration.ts';
import { ExitCode } from '../exit-code.ts';
import { explainFailure } from '../failure.ts';
import type { ProcessContext } from '../process-context.ts';
import { removeRunOutput } from '../run-output.ts';
import { dataDirectoryOf, withResultStore } from '../store-access.ts';
import { wholeNumber } from '../whole-number.ts';

interface PruneFlags extends DataDirectoryFlag {
  readonly olderThan: number;
  readonly keep: number;
  readonly workflow?: string;
  readonly dryRun?: boolean;
}

export const pruneCommand = (context: ProcessContext): Command =>
  new Command('prune')
    .description('delete the results of runs that ended long ago, and the output that local trials left')
    .requiredOption(
      '--older-than <age>',
      'only runs that ended longer ago than this, such as 30d or 12h',
      duration,
    )
    .option(
      '--keep <number>',
      'of each workflow, namespace and engine keep this many of the newest ended runs all the same',
      wholeNumber,
      0,
    )
    .option('--workflow <id>', 'only runs of this workflowId')
    .option('--dry-run', 'only tell what would be deleted')
    .addOption(dataDirectoryOption())
    .action(async (flags: PruneFlags) => {
      const selection = {
        endedBefore: new Date(Date.now() - flags.olderThan),
        workflowId: flags.workflow,
        keep: flags.keep,
        dryRun: true,
      };
      if (flags.dryRun === true) {
        const due = await withResultStore(flags, context.environment, (store) => store.pruneRuns(selection));
        context.stdout.write(`${due.map(lineOf).join('')}${counted(due.length, 'run')} would be deleted\n`);
        return;
      }
      // Without one, output that is there would stay when the run that it is of is gone.
      const dataDirectory = dataDirectoryOf(flags, context.environment);
      // Who may delete nothing is told so before any output is gone.
      const { deleted, failure } = await withResultStore(flags, context.environment, (store) =>
        deleteDueRuns(store, selection, (run) => hasRemovedOutput(run, dataDirectory, context)),
      );
      // Only now, and at once: a reader of stdout that has left ends this process, with the exit code that is set.
      if (failure !== undefined) context.setExitCode(explainFailure(failure).exitCode);
      context.stdout.write(`${deleted.map(lineOf).join('')}${counted(deleted.length, 'run')} deleted\n`);
      if (failure !== undefined) throw failure;
    });

/**
 * Before the run itself is deleted: one whose output is left is found again by the next call. That a stored run has lost its output, as when the store fails
 * in between, harms nothing: its logs and artifacts are for people to look at, and all that is reported, compared, run again or taken over is stored. A
 * verification that still waits finds its files missing, as they are.
 * @returns false when something of it is left, which is told: the run stays then
 */
async function hasRemovedOutput(
  run: PrunedRun,
  dataDirectory: string,
  { stderr, setExitCode }: ProcessContext,
): Promise<boolean> {
  try {
    await removeRunOutput(run, dataDirectory);
    return true;
  } catch (error) {
    const why = printable(error instanceof Error ? error.message : String(error));
    stderr.write(`run ${shortUid(run.uid)} stays, because its output cannot be removed: ${why}\n`);
    setExitCode(ExitCode.infrastructure);
    return false;
  }
}

const lineOf = ({ uid, name, finishedAt }: PrunedRun): string =>
  `${shortUid(uid)}  ${timeText(finishedAt.toISOString())}  ${printable(name)}\n`;
