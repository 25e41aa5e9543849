import type { EngineName } from '../core/run.ts';
import { steadyClock } from '../engine/local/steady-clock.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { UsageError } from './failure.ts';

/** Metrics of this process that are served while it runs. */
export interface ServedMetrics {
  readonly metrics: Metrics;
  readonly port: number;
  close(): Promise<void>;
}

/**
 * Serves the metrics of a local run on this machine; undefined when no port is asked for.
 * @throws UsageError for a run that is not this process' own; MetricsServerError when the port is taken
 */
export async function servedMetrics(flags: {
  readonly engine: EngineName;
  readonly metricsPort?: number;
}): Promise<ServedMetrics | undefined> {
  if (flags.metricsPort === undefined) return undefined;
  if (flags.engine !== 'local')
    throw new UsageError(
      '--metrics-port is for local runs: the operator of a cluster serves its own metrics',
    );
  // Loaded here, so that no other run carries it.
  const { createMetrics } = await import('../telemetry/metrics.ts');
  const { startMetricsServer } = await import('../telemetry/metrics-server.ts');
  // Runs tell their times by such a clock.
  const metrics = createMetrics(steadyClock());
  const server = await startMetricsServer({ host: '127.0.0.1', port: flags.metricsPort }, metrics);
  return { metrics, port: server.port, close: () => server.close() };
}
