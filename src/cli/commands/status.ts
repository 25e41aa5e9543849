import { Command } from 'commander';
import { reportJsonLine } from '../../report/report-json.ts';
import { reportYaml } from '../../report/report-yaml.ts';
import { runStatus } from '../../report/run-status.ts';
import type { BatchTestObject } from '../../runner/batchtest-object.ts';
import { type OutputFormat, outputOption } from '../common-options.ts';
import { untilInterrupted } from '../interruption.ts';
import { notEmpty } from '../not-empty.ts';
import type { ProcessContext } from '../process-context.ts';
import { startProgressDisplay } from '../progress-display.ts';
import { renderedRunStatus } from '../rendered-report.ts';
import { type ClusterFlags, clusterOnlyOptions } from '../run-options.ts';
import { terminalOf } from '../terminal.ts';
import { exitCodeOfWatch, watchEndText } from '../watch-end.ts';

interface StatusFlags extends ClusterFlags {
  readonly output: OutputFormat;
  readonly watch?: boolean;
}

export const statusCommand = (context: ProcessContext): Command =>
  clusterOnlyOptions(
    new Command('status')
      .description('show what a run of a cluster does, what it waits for, and its best variant so far')
      .argument('<name>', 'name of the BatchTest', notEmpty)
      .option('-w, --watch', 'go on showing it until the run is over, and end with its exit code')
      .addOption(outputOption()),
  )
    .addHelpText(
      'after',
      `
With --watch, -o json prints a line and -o yaml a document per change.
Ctrl-C ends the watching (exit code 130); the run goes on.`,
    )
    .action(async (name: string, flags: StatusFlags) => {
      if (flags.watch === true) return watch(name, flags, context);
      const { clusterRun } = await clusterRuns();
      const object = await clusterRun(name, { ...flags, environment: context.environment });
      context.stdout.write(renderedRunStatus(runStatus(object), flags, context));
    });

/** Loaded when it is needed, so that the help does not load what talks to a cluster. */
const clusterRuns = () => import('../../runner/watched-run.ts');

async function watch(name: string, flags: StatusFlags, context: ProcessContext): Promise<void> {
  const { watchedRun } = await clusterRuns();
  const interruption = untilInterrupted(() => {});
  const shown = shownChanges(name, flags, context);
  try {
    const outcome = await watchedRun(
      name,
      { ...flags, environment: context.environment },
      {
        signal: interruption.signal,
        onChange: shown.show,
        onNotice: shown.notice,
      },
    );
    shown.end();
    context.setExitCode(exitCodeOfWatch(outcome, 'Interrupted'));
    if (outcome.kind !== 'Over')
      context.stderr.write(`${watchEndText(name, outcome, 'Interrupted', undefined)}\n`);
  } finally {
    shown.end();
    interruption.stop();
  }
}

/** Shows one status after the other on stdout. */
interface ShownChanges {
  readonly show: (object: BatchTestObject) => void;
  readonly notice: (text: string) => void;
  /** Ending twice is ending once. */
  readonly end: () => void;
}

function shownChanges(name: string, { output }: StatusFlags, context: ProcessContext): ShownChanges {
  const { stdout, stderr } = context;
  const notice = (text: string): void => {
    stderr.write(`${text}\n`);
  };
  switch (output) {
    case 'table':
      return shownInTerminal(name, context, notice);
    case 'json':
      return { show: (object) => stdout.write(reportJsonLine(runStatus(object))), notice, end: () => {} };
    case 'yaml':
      return {
        show: (object) => stdout.write(`---\n${reportYaml(runStatus(object))}`),
        notice,
        end: () => {},
      };
  }
}

/** As a run under way is shown by the command that runs it, and at the end the status as of then. */
function shownInTerminal(
  name: string,
  context: ProcessContext,
  notice: ShownChanges['notice'],
): ShownChanges {
  const { stdout, environment } = context;
  const display = startProgressDisplay({ name, stream: stdout, environment, now: Date.now, summary: false });
  let last: BatchTestObject | undefined;
  return {
    show: (object) => {
      last = object;
      if (object.status !== undefined) display.update(object.status);
    },
    // Beside what is drawn over on a terminal; a file or a pipe gets nothing but what was asked for.
    notice: terminalOf(stdout, environment).interactive ? display.print : notice,
    end: () => {
      display.stop();
      if (last !== undefined) stdout.write(renderedRunStatus(runStatus(last), { output: 'table' }, context));
      last = undefined;
    },
  };
}
