import { Command } from 'commander';
import { cancelLocalRun } from '../../runner/cancel-local-run.ts';
import { type DataDirectoryFlag, dataDirectoryOption } from '../common-options.ts';
import { UsageError } from '../failure.ts';
import { notEmpty } from '../not-empty.ts';
import type { ProcessContext } from '../process-context.ts';
import { clusterOptions, engineOption } from '../run-options.ts';
import { withResultStore } from '../store-access.ts';
import { storedRun } from '../stored-run.ts';

interface CancelFlags extends DataDirectoryFlag {
  readonly engine?: 'local' | 'kubernetes';
  readonly kubeconfig?: string;
  readonly namespace?: string;
}

export const cancelCommand = (context: ProcessContext): Command =>
  clusterOptions(
    new Command('cancel')
      .description('end a run for good; what is stored of it stays')
      .argument('<run>', 'UID of a run, the beginning of one, or the name of a BatchTest', notEmpty)
      .addOption(engineOption()),
  )
    .addOption(dataDirectoryOption())
    .addHelpText(
      'after',
      `
With --engine kubernetes the BatchTest of that name is cancelled in the
cluster, whether or not its results can be read from here. With --engine local
RUN is a local run, also when a newer one of a cluster has the same name.
Without it a stored run of a cluster whose BatchTest is gone from there is
ended in the result store.`,
    )
    .action(async (reference: string, flags: CancelFlags) => {
      const say = (text: string): void => {
        context.stdout.write(`${text}\n`);
      };
      const { environment } = context;
      if (flags.engine === 'kubernetes') {
        const { cancelClusterRun } = await inCluster();
        return say(await cancelClusterRun(reference, { ...flags, environment }));
      }
      await withResultStore(flags, environment, async (store) => {
        const run = await storedRun(store, reference, { engine: flags.engine, namespace: flags.namespace });
        if (run.state !== 'Running')
          throw new UsageError(`run ${run.uid} (${run.name}) is over: ${run.state}`);
        if (run.engine === 'local') return say(await cancelLocalRun(store, run));
        const { cancelStoredClusterRun } = await inCluster();
        say(await cancelStoredClusterRun(store, run, { ...flags, environment }));
      });
    });

/** Loaded when it is needed, so that the help does not load what talks to a cluster. */
const inCluster = (): Promise<typeof import('../../runner/cancel-cluster-run.ts')> =>
  import('../../runner/cancel-cluster-run.ts');
