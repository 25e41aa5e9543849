import { Registry } from 'prom-client';
import { type CertificateMetrics, createCertificateMetrics } from './certificate-metrics.ts';
import { createIngestMetrics, type IngestMetrics } from './ingest-metrics.ts';
import { createLeaderMetrics, type LeaderMetrics } from './leader-metrics.ts';
import { type MetricDescription, MetricFamilies } from './metric-families.ts';
import { createObjectMetrics, type ObjectMetrics } from './object-metrics.ts';
import { createOutboxMetrics, type OutboxMetrics } from './outbox-metrics.ts';
import { createProcessMetrics } from './process-metrics.ts';
import { createQueueMetrics, type QueueMetrics } from './queue-metrics.ts';
import { createRequestMetrics, type RequestMetrics } from './request-metrics.ts';
import { createRunMetrics, type RunMetrics } from './run-metrics.ts';
import { createStoreMetrics, type StoreMetrics } from './store-metrics.ts';
import { createViewMetrics, type ViewMetrics } from './view-metrics.ts';

/**
 * The metrics of one process, and how they are told to Prometheus. No label holds the name of a BatchTest, a variant or a pod: the number
 * of series is bounded by namespaces times closed lists of words. What is asked for at a scrape is in this process, so that one is
 * answered whatever else is away.
 */
export interface Metrics {
  readonly runs: RunMetrics;
  readonly objects: ObjectMetrics;
  readonly queue: QueueMetrics;
  readonly store: StoreMetrics;
  readonly requests: RequestMetrics;
  readonly views: ViewMetrics;
  readonly leader: LeaderMetrics;
  readonly certificate: CertificateMetrics;
  readonly ingest: IngestMetrics;
  readonly outbox: OutboxMetrics;
  /** Every metric, in no order. */
  readonly descriptions: readonly MetricDescription[];
  /** In Prometheus' text format. */
  text(): Promise<string>;
  readonly contentType: string;
}

/**
 * Metrics that start from zero; the series of closed sets of labels are there from the start, so that an alert can tell 0 from absent.
 * @param now milliseconds since the epoch, on the clock of the runs
 */
export function createMetrics(now: () => number = Date.now): Metrics {
  const registry = new Registry();
  const families = new MetricFamilies(registry);
  const subjects = {
    runs: createRunMetrics(families, now),
    objects: createObjectMetrics(families),
    queue: createQueueMetrics(families),
    store: createStoreMetrics(families),
    requests: createRequestMetrics(families),
    views: createViewMetrics(families),
    leader: createLeaderMetrics(families),
    certificate: createCertificateMetrics(families),
    ingest: createIngestMetrics(families),
    outbox: createOutboxMetrics(families),
  };
  const ofProcess = createProcessMetrics(families, registry);
  return {
    ...subjects,
    descriptions: [...families.descriptions, ...ofProcess],
    text: () => registry.metrics(),
    contentType: registry.contentType,
  };
}
