import type { Metrics } from '../telemetry/metrics.ts';

/** The metrics that a run is told to: those of its controller, its queue and its result store. */
export type RunnerMetrics = Pick<Metrics, 'runs' | 'objects' | 'queue' | 'store'>;
