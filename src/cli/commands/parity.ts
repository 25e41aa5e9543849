import { Command, InvalidArgumentError, Option } from 'commander';
import { dryRun, variantCarriers, withServerCheck } from '../../parity/dry-run.ts';
import { type ParityVerdict, runParity } from '../../parity/run-parity.ts';
import type { ServerCheck } from '../../parity/server-check.ts';
import { reportYaml } from '../../report/report-yaml.ts';
import type { StoredRun } from '../../results/result-store.ts';
import { ClusterUnavailableError } from '../../runner/errors.ts';
import { type DataDirectoryFlag, dataDirectoryOption } from '../common-options.ts';
import { ExitCode } from '../exit-code.ts';
import { UsageError } from '../failure.ts';
import { type LoadedManifest, loadManifest, withPlaces } from '../manifest-file.ts';
import { notEmpty } from '../not-empty.ts';
import type { ProcessContext } from '../process-context.ts';
import { refuseOptions } from '../refuse-options.ts';
import { type ParityFormat, renderedDryRun, renderedRunParity } from '../rendered-parity.ts';
import { type ClusterFlags, clusterOnlyOptions } from '../run-options.ts';
import { withResultStore } from '../store-access.ts';
import { storedRun } from '../stored-run.ts';

interface ParityFlags extends ClusterFlags, DataDirectoryFlag {
  readonly output: ParityFormat;
  readonly jobs?: boolean;
  readonly exact?: readonly string[];
  readonly exactOutputs?: boolean;
  readonly tolerance?: number;
}

export const parityCommand = (context: ProcessContext): Command =>
  clusterOnlyOptions(
    new Command('parity')
      .description(
        'say whether a local run and one in a cluster are the same: of a manifest, before; of two stored runs, after',
      )
      .argument(
        '<file or run>',
        'a manifest, or - for standard input; with a second argument: a stored run',
        notEmpty,
      )
      .argument('[run]', 'the stored run to compare with: UID, the beginning of one, or name', notEmpty)
      .addOption(
        new Option('-o, --output <format>', 'how to print the result')
          .choices(['table', 'json', 'yaml', 'markdown'])
          .default('table'),
      )
      .option(
        '--exact <metrics>',
        'runs: metrics, separated by commas, that must be the same in each trial',
        metricNames,
      )
      .option('--exact-outputs', 'runs: the outputs of each trial must be the same')
      .option(
        '--tolerance <percent>',
        'runs: how far the means of the other metrics may be apart (default: 5%)',
        percentage,
      )
      .option(
        '--jobs',
        'manifest: print the Job, or pod, of the first trial of each variant as YAML, and nothing else',
      ),
  )
    .addOption(dataDirectoryOption())
    .addHelpText(
      'after',
      `
Of a manifest nothing is run and nothing is created. An API server that can be
reached is asked whether it would admit the BatchTest, a Job and its pod, or a
pod alone (spec.execution).
Exit codes: 0 the same, 1 different, 5 undecided: too few trials, or values
that vary too much.`,
    )
    .action(async (fileOrRun: string, run: string | undefined, flags: ParityFlags) => {
      if (run !== undefined) return compareRuns(fileOrRun, run, flags, context);
      refuseOptions(
        flags,
        ['exact', 'exactOutputs', 'tolerance'],
        'compares two runs: batchtest parity RUN1 RUN2',
      );
      const manifest = await loadManifest(fileOrRun, context);
      return withPlaces(manifest, () =>
        flags.jobs === true ? printJobs(manifest, flags, context) : compareEngines(manifest, flags, context),
      );
    });

const namespaceOf = ({ batchTest }: LoadedManifest, { namespace }: ClusterFlags): string =>
  batchTest.metadata.namespace ?? namespace ?? 'default';

function printJobs(manifest: LoadedManifest, flags: ParityFlags, { stdout }: ProcessContext): void {
  for (const carrier of variantCarriers(manifest.batchTest, namespaceOf(manifest, flags)))
    stdout.write(`---\n${reportYaml(carrier)}`);
}

async function compareEngines(
  manifest: LoadedManifest,
  flags: ParityFlags,
  context: ProcessContext,
): Promise<void> {
  const run = dryRun(manifest.batchTest, flags.namespace);
  const result = withServerCheck(run, await serverCheck(manifest, flags, context));
  context.setExitCode(exitCodeOfParity(result.verdict));
  context.stdout.write(renderedDryRun(result, flags, context));
}

/** @throws ClusterUnavailableError when the cluster that was asked for by name cannot be asked */
async function serverCheck(
  { batchTest }: LoadedManifest,
  flags: ParityFlags,
  { environment }: ProcessContext,
): Promise<ServerCheck> {
  // Loaded here, so that the help does not load what talks to a cluster.
  const { serverDryRun } = await import('../../runner/server-dry-run.ts');
  const check = await serverDryRun(batchTest, { ...flags, environment });
  if (check.kind === 'NoCluster' && flags.kubeconfig !== undefined)
    throw new ClusterUnavailableError(check.message);
  return check;
}

async function compareRuns(
  one: string,
  other: string,
  flags: ParityFlags,
  context: ProcessContext,
): Promise<void> {
  refuseOptions(flags, ['jobs', 'namespace', 'kubeconfig'], 'is about a manifest: batchtest parity FILE');
  const [first, second] = await withResultStore(flags, context.environment, async (store) => [
    finished(await storedRun(store, one)),
    finished(await storedRun(store, other)),
  ]);
  const parity = runParity(first, second, {
    ...(flags.exact === undefined ? {} : { exact: flags.exact }),
    ...(flags.exactOutputs === undefined ? {} : { exactOutputs: flags.exactOutputs }),
    ...(flags.tolerance === undefined ? {} : { tolerancePercent: flags.tolerance }),
  });
  context.setExitCode(exitCodeOfParity(parity.verdict));
  context.stdout.write(renderedRunParity(parity, flags, context));
}

/** @throws UsageError when the run is not over */
function finished(run: StoredRun): StoredRun {
  if (run.state === 'Running')
    throw new UsageError(
      `run ${run.uid} (${run.name}) ${run.isInterrupted ? 'was interrupted: resume or cancel it' : 'is under way: wait for it'} before it is compared`,
    );
  return run;
}

function exitCodeOfParity(verdict: ParityVerdict): ExitCode {
  switch (verdict) {
    case 'Same':
      return ExitCode.complete;
    case 'Different':
      return ExitCode.variantsFailed;
    case 'Undecided':
      return ExitCode.undecided;
  }
}

function metricNames(text: string): readonly string[] {
  const names = text.split(',').map((name) => name.trim());
  if (names.some((name) => name === ''))
    throw new InvalidArgumentError('It must be names of metrics, separated by commas.');
  return names;
}

function percentage(text: string): number {
  const [, number] = /^(\d{1,3}(?:\.\d{1,6})?) ?%?$/.exec(text) ?? [];
  if (number === undefined || Number(number) >= 100)
    throw new InvalidArgumentError('It must be a percentage below 100, such as 5% or 0.5%.');
  return Number(number);
}
