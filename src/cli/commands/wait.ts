import { Command } from 'commander';
import { joinedSignal } from '../../joined-signal.ts';
import type { BatchTestObject } from '../../runner/batchtest-object.ts';
import { waitingTime } from '../duration.ts';
import { untilInterrupted } from '../interruption.ts';
import { notEmpty } from '../not-empty.ts';
import type { ProcessContext } from '../process-context.ts';
import { finishedLine } from '../progress-lines.ts';
import { type ClusterFlags, clusterOnlyOptions } from '../run-options.ts';
import { terminalOf } from '../terminal.ts';
import { exitCodeOfWatch, watchEndText } from '../watch-end.ts';

interface WaitFlags extends ClusterFlags {
  readonly timeout?: number;
}

export const waitCommand = (context: ProcessContext): Command =>
  clusterOnlyOptions(
    new Command('wait')
      .description('wait for the end of a run of a cluster, and end with its exit code')
      .argument('<name>', 'name of the BatchTest', notEmpty)
      .option(
        '--timeout <time>',
        'how long to wait at most, such as 10m (default: until the end)',
        waitingTime,
      ),
  )
    .addHelpText(
      'after',
      `
Exit codes: those of run; 124 when the timeout is over and the run is not,
130 after Ctrl-C. The run goes on in both cases.`,
    )
    .action(async (name: string, flags: WaitFlags) => {
      const interruption = untilInterrupted(() => {});
      const { timeout } = flags;
      const leaving = joinedSignal([
        interruption.signal,
        timeout === undefined ? undefined : AbortSignal.timeout(timeout),
      ]);
      let last: BatchTestObject | undefined;
      // Loaded here, so that the help does not load what talks to a cluster.
      const { watchedRun } = await import('../../runner/watched-run.ts');
      try {
        const outcome = await watchedRun(
          name,
          { ...flags, environment: context.environment },
          {
            signal: leaving.signal,
            onChange: (object) => {
              last = object;
            },
            onNotice: (notice) => void context.stderr.write(`${notice}\n`),
          },
        );
        const left = interruption.signal.aborted ? 'Interrupted' : 'TimedOut';
        context.setExitCode(exitCodeOfWatch(outcome, left));
        if (outcome.kind === 'Over') {
          const snapshot = {
            name,
            status: outcome.status,
            now: Date.now(),
            watchedSince: Date.parse(last?.metadata.creationTimestamp ?? ''),
            trialsPerSecond: undefined,
          };
          context.stdout.write(
            `${finishedLine(snapshot, terminalOf(context.stdout, context.environment))}\n`,
          );
        } else context.stderr.write(`${watchEndText(name, outcome, left, timeout)}\n`);
      } finally {
        leaving.release();
        interruption.stop();
      }
    });
