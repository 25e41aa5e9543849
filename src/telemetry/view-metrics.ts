import type { ViewHealth } from '../engine/kubernetes/view-health.ts';
import type { MetricFamilies } from './metric-families.ts';

const RESOURCES = ['batchtests', 'jobs', 'pods'] as const;
const REASONS = [
  'Expired',
  'Forbidden',
  'Overloaded',
  'ServerError',
  'Refused',
  'Timeout',
  'ConnectionFailed',
] as const;

/** Why a list or watch failed. */
export type ViewFailure = (typeof REASONS)[number];

/** The views of the cluster that watches keep up to date. */
export interface ViewMetrics {
  /** Counts a list or watch of a collection that failed. */
  failed(path: string, reason: ViewFailure): void;
  /** Tells of these views from now on. Returns how to stop that. */
  follow(views: FollowedViews): () => void;
}

/** Views of the cluster, asked anew each time. */
export interface FollowedViews {
  health(): readonly ViewHealth[];
  /** How many namespaces were not seen completely yet. */
  unseen(): number;
}

export function createViewMetrics(families: MetricFamilies): ViewMetrics {
  const restarts = families.counter(
    'batchtest_informer_restarts_total',
    'Lists and watches that failed and were begun again. Expired is ordinary, after a pause.',
    { resource: RESOURCES, reason: REASONS },
  );
  const sources = new Set<FollowedViews>();
  families.gauge(
    'batchtest_informer_last_event_timestamp_seconds',
    'When the API server was last heard of by the view of a resource that has been silent longest; bookmarks come every minute.',
    { resource: RESOURCES },
    (gauge) => {
      for (const resource of RESOURCES) {
        const times = [...sources]
          .flatMap((views) => views.health())
          .filter(({ path }) => resourceOf(path) === resource)
          .map(({ lastActivityAt }) => lastActivityAt);
        if (times.length > 0) gauge.set({ resource }, Math.min(...times) / 1_000);
      }
    },
  );
  families.gauge(
    'batchtest_namespaces_unseen',
    'Namespaces of which nothing is run, because not all of what there is in them could be listed since the start. 0 once all are seen.',
    {},
    (gauge) => {
      if (sources.size > 0) gauge.set([...sources].reduce((sum, views) => sum + views.unseen(), 0));
    },
  );
  for (const resource of RESOURCES) for (const reason of REASONS) restarts.inc({ resource, reason }, 0);
  return {
    failed(path, reason) {
      const resource = resourceOf(path);
      if (resource !== undefined) restarts.inc({ resource, reason });
    },
    follow(views) {
      sources.add(views);
      return () => sources.delete(views);
    },
  };
}

const resourceOf = (path: string): (typeof RESOURCES)[number] | undefined =>
  RESOURCES.find((resource) => path.endsWith(`/${resource}`));
