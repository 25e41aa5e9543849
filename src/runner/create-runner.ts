import { createLogger, type Logger } from '../telemetry/logger.ts';
import { ClusterRunner } from './cluster-runner.ts';
import { LocalRunner } from './local-runner.ts';
import type { Environment } from './presets.ts';
import type { BatchTestRunner } from './runner.ts';
import type { KubernetesRunnerConfig, LocalRunnerConfig, RunnerConfig } from './runner-config.ts';

/** What a runner takes from the process around it. */
export interface RunnerContext {
  /** Programs of the local engine inherit it, but for what leads to the result store. Default: that of this process. */
  readonly environment?: Environment;
  /** Default: warnings and errors as JSON lines on stderr. */
  readonly logger?: Logger;
}

/**
 * The runner that a configuration describes; see `presets`. It connects to nothing before its first use.
 *
 * @example
 * const runner = createRunner(presets.localDevelopment());
 * const { bestVariantName, comparisonMatrix } = await runner.run(batchTest);
 * await runner.shutdown();
 */
export function createRunner(config: LocalRunnerConfig, context?: RunnerContext): BatchTestRunner;
export function createRunner(config: KubernetesRunnerConfig, context?: RunnerContext): ClusterRunner;
export function createRunner(config: RunnerConfig, context?: RunnerContext): BatchTestRunner;
export function createRunner(config: RunnerConfig, context: RunnerContext = {}): BatchTestRunner {
  const environment = context.environment ?? process.env;
  const logger = context.logger ?? createLogger('warn');
  switch (config.engine) {
    case 'local':
      return new LocalRunner(config, environment, logger);
    case 'kubernetes':
      return new ClusterRunner(config, environment);
  }
}
