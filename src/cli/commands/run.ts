import { statSync } from 'node:fs';
import { Command } from 'commander';
import { dataDirectoryOption, reportOutputOption } from '../common-options.ts';
import { deliveryOptions } from '../delivery-options.ts';
import { UsageError } from '../failure.ts';
import { interruptedRun, newestInterruptedRun } from '../interrupted-run.ts';
import { type LoadedManifest, loadManifest } from '../manifest-file.ts';
import type { ProcessContext } from '../process-context.ts';
import { clusterOptions, engineOption, resultLimitOption, runMetricsOption } from '../run-options.ts';
import { type RunFlags, runToEnd } from '../run-to-end.ts';
import { dataDirectoryOf, withResultStore } from '../store-access.ts';

interface RunCommandFlags extends RunFlags {
  /** True when no run is named. */
  readonly resume?: string | true;
}

export const runCommand = (context: ProcessContext): Command =>
  deliveryOptions(
    clusterOptions(
      new Command('run')
        .description('run a BatchTest to its end and name the best variant')
        .argument(
          '[file]',
          'manifest in YAML or JSON, or - for standard input; may be left out with --resume',
        )
        .addOption(engineOption().default('local'))
        .option(
          '--resume [run]',
          'go on with a local run whose process was killed: its UID or name; default: the newest one of the data directory',
        )
        .addOption(reportOutputOption())
        .option('--all', 'show every variant in the table, however many there are')
        .option('-q, --quiet', 'show no progress'),
    ),
  )
    .addOption(runMetricsOption())
    .addOption(dataDirectoryOption())
    .addOption(resultLimitOption('how large a pushed result may be (local engine; default: 1Mi)'))
    .addHelpText(
      'after',
      `
Exit codes: 0 complete, 1 variants failed, 2 invalid manifest,
3 infrastructure, 4 cancelled or over a deadline.
Results go to DATABASE_URL when it is set, else to the embedded Postgres of
the data directory.`,
    )
    .action(async (file: string | undefined, flags: RunCommandFlags, command: Command) => {
      const given = file === undefined ? undefined : await loadManifest(file, context);
      if (flags.resume !== undefined) return resume(given, flags.resume, flags, context);
      if (given === undefined) command.error("error: missing required argument 'file'");
      return runToEnd(given, flags, context);
    });

async function resume(
  given: LoadedManifest | undefined,
  reference: string | true,
  flags: RunFlags,
  context: ProcessContext,
): Promise<void> {
  if (flags.engine !== 'local')
    throw new UsageError(
      '--resume is for local runs: the operator of a cluster goes on with its runs by itself',
    );
  const { environment } = context;
  const dataDirectory = dataDirectoryOf(flags, environment);
  const stored = await withResultStore(flags, environment, async (store) => {
    if (reference === true) return newestInterruptedRun(store, given?.batchTest.metadata.name, dataDirectory);
    // A program may be called like the run that it is of.
    if (given === undefined && isFile(reference) && (await store.findRun(reference)) === undefined)
      throw new UsageError(
        `--resume names a run; to resume the run of a manifest: batchtest run ${reference} --resume`,
      );
    return interruptedRun(store, reference, dataDirectory);
  });
  context.stderr.write(`resuming run ${stored.uid} (${stored.name})\n`);
  const manifest = given ?? { batchTest: stored.manifest, directory: stored.directory ?? process.cwd() };
  return runToEnd(manifest, flags, context, stored.uid);
}

/** What cannot be looked at is not meant to be a file. */
function isFile(path: string): boolean {
  try {
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
