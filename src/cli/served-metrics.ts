import { steadyClock } from '../engine/local/steady-clock.ts';
import type { Metrics } from '../telemetry/metrics.ts';

/** Metrics of this process that are served while it runs. */
export interface ServedMetrics {
  readonly metrics: Metrics;
  readonly port: number;
  close(): Promise<void>;
}

/**
 * Serves the metrics of a local run on this machine; undefined when no port is asked for.
 * @throws MetricsServerError when the port is taken
 */
export async function servedMetrics(requested: number | undefined): Promise<ServedMetrics | undefined> {
  if (requested === undefined) return undefined;
  // Loaded here, so that no other run carries it.
  const { createMetrics } = await import('../telemetry/metrics.ts');
  const { startMetricsServer } = await import('../telemetry/metrics-server.ts');
  // Runs tell their times by such a clock.
  const metrics = createMetrics(steadyClock());
  const server = await startMetricsServer({ host: '127.0.0.1', port: requested }, metrics);
  return { metrics, port: server.port, close: () => server.close() };
}
