import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Command } from 'commander';
import { counted } from '../../report/counted.ts';
import { printable } from '../../report/printable.ts';
import { shortUid, timeText } from '../../report/run-text.ts';
import type { PrunedRun } from '../../results/result-store.ts';
import { type DataDirectoryFlag, dataDirectoryOption } from '../common-options.ts';
import { duration } from '../duration.ts';
import type { ProcessContext } from '../process-context.ts';
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
      'of each workflow keep this many of the newest ended runs all the same',
      wholeNumber,
      0,
    )
    .option('--workflow <id>', 'only runs of this workflowId')
    .option('--dry-run', 'only tell what would be deleted')
    .addOption(dataDirectoryOption())
    .action(async (flags: PruneFlags) => {
      const dryRun = flags.dryRun === true;
      const pruned = await withResultStore(flags, context.environment, (store) =>
        store.pruneRuns({
          endedBefore: new Date(Date.now() - flags.olderThan),
          workflowId: flags.workflow,
          keep: flags.keep,
          dryRun,
        }),
      );
      if (!dryRun) await removeOutput(pruned, () => dataDirectoryOf(flags, context.environment));
      for (const { uid, name, finishedAt } of pruned)
        context.stdout.write(`${shortUid(uid)}  ${timeText(finishedAt.toISOString())}  ${printable(name)}\n`);
      context.stdout.write(`${counted(pruned.length, 'run')} ${dryRun ? 'would be deleted' : 'deleted'}\n`);
    });

/** What a local run is called. A database that others write to as well must not name another folder. */
const RUN_UID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** What the trials of local runs left on this machine; those of runs that another machine ran are not here. */
async function removeOutput(pruned: readonly PrunedRun[], dataDirectory: () => string): Promise<void> {
  for (const { uid, engine } of pruned)
    if (engine === 'local' && RUN_UID.test(uid))
      await rm(join(dataDirectory(), 'runs', uid), { recursive: true, force: true });
}
