import type { BatchTest } from '../api/v1alpha1/schema.ts';
import type { EngineName } from '../core/run.ts';
import { steadyClock } from '../engine/local/steady-clock.ts';
import { unsupportedLocally } from '../engine/local/unsupported-locally.ts';
import { type TrialReport, trialReport } from '../report/trial-report.ts';
import { createRunner } from '../runner/create-runner.ts';
import { LocalRunner } from '../runner/local-runner.ts';
import { type Environment, resultStoreFrom } from '../runner/presets.ts';
import type { BatchTestRunner, RunResult } from '../runner/runner.ts';
import type { RunnerConfig } from '../runner/runner-config.ts';
import { createLogger } from '../telemetry/logger.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { DataDirectoryFlag, ReportFormat } from './common-options.ts';
import { type DeliveryFlags, deliveryConfig } from './delivery-options.ts';
import { exitCodeOf } from './exit-code.ts';
import { untilInterrupted } from './interruption.ts';
import { type LoadedManifest, withPlaces } from './manifest-file.ts';
import type { ProcessContext } from './process-context.ts';
import { startProgressDisplay } from './progress-display.ts';
import { refuseOptions } from './refuse-options.ts';
import { renderedReport } from './rendered-report.ts';
import { servedMetrics } from './served-metrics.ts';
import { dataDirectoryOf } from './store-access.ts';
import { unreadRunReport, whyUnread } from './unread-run-report.ts';

/** The options of every command that runs a BatchTest. */
export interface RunFlags extends DataDirectoryFlag, DeliveryFlags {
  readonly engine: EngineName;
  readonly output: ReportFormat;
  readonly all?: boolean;
  readonly quiet?: boolean;
  readonly kubeconfig?: string;
  readonly namespace?: string;
  /** Bytes. */
  readonly resultLimit?: number;
  readonly metricsPort?: number;
}

/**
 * Runs a BatchTest with a progress display, prints its report and sets the exit code.
 * @param resume UID of the interrupted run to go on with; undefined for a new one
 */
export async function runToEnd(
  manifest: LoadedManifest,
  flags: RunFlags,
  context: ProcessContext,
  resume?: string,
): Promise<void> {
  refuseOptionsOfOthers(flags);
  if (flags.engine === 'local') warnOfLimits(manifest.batchTest, context);
  const result = await withPlaces(manifest, () => run(manifest, flags, context, resume));
  const reported = reportOf(result);
  context.setExitCode(exitCodeOf(result.end, reported.report));
  context.stdout.write(renderedReport(reported, flags, context));
  if (result.unread !== undefined) context.stderr.write(`${whyUnread(result.unread, context.environment)}\n`);
}

/** Whoever names a namespace means a cluster, and would wait for it there. */
function refuseOptionsOfOthers(flags: RunFlags): void {
  if (flags.engine === 'local')
    refuseOptions(flags, ['namespace', 'kubeconfig'], 'is for runs in a cluster: --engine kubernetes');
  else
    refuseOptions(
      flags,
      ['notifyUrl', 'notifyTokenFile', 'artifactStore', 'resultLimit', 'metricsPort'],
      'is for local runs: the operator of a cluster has its own',
    );
}

async function run(
  manifest: LoadedManifest,
  flags: RunFlags,
  context: ProcessContext,
  resume: string | undefined,
): Promise<RunResult> {
  const served = await servedMetrics(flags.metricsPort);
  const runner = runnerOf(runnerConfig(manifest, flags, context), context.environment, served?.metrics);
  const progress =
    flags.quiet === true
      ? undefined
      : startProgressDisplay({
          name: manifest.batchTest.metadata.name,
          stream: context.stderr,
          environment: context.environment,
          // That which its start is told by: a cluster's goes on while this machine is suspended.
          now: flags.engine === 'local' ? steadyClock() : Date.now,
          summary: flags.output !== 'table',
        });
  const say = (line: string): void => {
    if (progress === undefined) context.stderr.write(`${line}\n`);
    else progress.print(line);
  };
  if (served !== undefined) say(`metrics: http://127.0.0.1:${served.port}/metrics`);
  const interruption = untilInterrupted(say);
  try {
    return await runner.run(manifest.batchTest, {
      signal: interruption.signal,
      onProgress: (status) => progress?.update(status),
      onNotice: say,
      ...(resume === undefined ? {} : { resume }),
    });
  } finally {
    progress?.stop();
    interruption.stop();
    await runner.shutdown();
    await served?.close();
  }
}

/** @param metrics told of a local run; the operator of a cluster has its own */
function runnerOf(
  config: RunnerConfig,
  environment: Environment,
  metrics: Metrics | undefined,
): BatchTestRunner {
  return metrics !== undefined && config.engine === 'local'
    ? new LocalRunner(config, environment, createLogger('warn'), metrics)
    : createRunner(config, { environment });
}

function runnerConfig(
  { directory }: LoadedManifest,
  flags: RunFlags,
  { environment }: ProcessContext,
): RunnerConfig {
  const dataDirectory = (): string => dataDirectoryOf(flags, environment);
  const store = resultStoreFrom(environment, dataDirectory);
  switch (flags.engine) {
    case 'local':
      return {
        engine: 'local',
        store,
        dataDirectory: dataDirectory(),
        manifestDirectory: directory,
        removeDataDirectory: false,
        ...(flags.resultLimit === undefined ? {} : { resultLimitBytes: flags.resultLimit }),
        delivery: deliveryConfig(flags, environment),
      };
    case 'kubernetes':
      return { engine: 'kubernetes', store, kubeconfig: flags.kubeconfig, namespace: flags.namespace };
  }
}

/** What a local run does otherwise than a pod is said before anything starts; what it cannot do at all, its runner refuses. */
function warnOfLimits(batchTest: BatchTest, { stderr }: ProcessContext): void {
  for (const { field, problem, severity } of unsupportedLocally(batchTest))
    if (severity === 'warning') stderr.write(`warning: ${field} ${problem}\n`);
}

function reportOf({ stored, unread, uid }: RunResult): TrialReport {
  if (stored !== undefined) return trialReport(stored);
  if (unread !== undefined) return { report: unreadRunReport(unread), trials: [] };
  throw new Error(`run ${uid} is over, and nothing is known of it`);
}
