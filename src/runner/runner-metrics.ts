import type { Metrics } from '../telemetry/metrics.ts';

/** The metrics that a run is told to: those of its controller, its queue, its result store and what its programs push. */
export type RunnerMetrics = Pick<Metrics, 'runs' | 'objects' | 'queue' | 'store' | 'ingest'>;
