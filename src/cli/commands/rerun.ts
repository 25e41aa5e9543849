import { Command } from 'commander';
import type { BatchTest } from '../../api/v1alpha1/schema.ts';
import { dataDirectoryOption, reportOutputOption } from '../common-options.ts';
import { deliveryOptions } from '../delivery-options.ts';
import { UsageError } from '../failure.ts';
import { notEmpty } from '../not-empty.ts';
import type { ProcessContext } from '../process-context.ts';
import { clusterOptions, engineOption, resultLimitOption } from '../run-options.ts';
import { type RunFlags, runToEnd } from '../run-to-end.ts';
import { withResultStore } from '../store-access.ts';
import { storedRun } from '../stored-run.ts';

interface RerunFlags extends Omit<RunFlags, 'engine'> {
  readonly engine?: RunFlags['engine'];
  readonly failed?: boolean;
}

export const rerunCommand = (context: ProcessContext): Command =>
  deliveryOptions(
    clusterOptions(
      new Command('rerun')
        .description('run the BatchTest of a stored run again, as a new run')
        .argument(
          '[run]',
          'UID of a run, the beginning of one, or the name of a BatchTest; default: the newest run',
          notEmpty,
        )
        .option('--failed', 'only what did not succeed: stored successes of the same workflow are taken over')
        .addOption(engineOption())
        .addOption(reportOutputOption())
        .option('--all', 'show every variant in the table, however many there are')
        .option('-q, --quiet', 'show no progress'),
    ),
  )
    .addOption(dataDirectoryOption())
    .addOption(resultLimitOption('how large a pushed result may be (local engine; default: 1Mi)'))
    .action(async (reference: string | undefined, flags: RerunFlags) => {
      const stored = await withResultStore(flags, context.environment, (store) =>
        storedRun(store, reference),
      );
      const { engine = stored.engine } = flags;
      if (stored.state === 'Running' && !stored.isInterrupted)
        throw new UsageError(`run ${stored.uid} (${stored.name}) is under way: wait for it, or cancel it`);
      const batchTest = again(stored.manifest, flags.failed === true);
      const manifest = { batchTest, directory: stored.directory ?? process.cwd() };
      return runToEnd(manifest, { ...flags, engine }, context);
    });

/**
 * The same BatchTest, to be run anew: what was asked of the earlier run while it ran is not asked of this one. Nor does it count what that one was told to take
 * over: a rerun with --failed leaves that in its manifest, and every rerun of it would measure nothing.
 */
const again = ({ spec, ...batchTest }: BatchTest, isOnlyForFailed: boolean): BatchTest => ({
  ...batchTest,
  spec: {
    ...spec,
    cancel: false,
    suspend: false,
    reusePolicy: isOnlyForFailed ? 'Succeeded' : 'Never',
  },
});
