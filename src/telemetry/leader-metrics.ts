import type { MetricFamilies } from './metric-families.ts';

/** Whether this process leads, under controller-runtime's name. */
export interface LeaderMetrics {
  /** Tells from now on what is asked at each scrape. */
  follow(lease: string, isLeading: () => boolean): void;
}

export function createLeaderMetrics(families: MetricFamilies): LeaderMetrics {
  const leases = new Map<string, () => boolean>();
  families.gauge(
    'leader_election_master_status',
    'Whether this process holds the lease: 1, or 0 while it starts or stands by.',
    { name: 'name of the Lease' },
    (gauge) => {
      for (const [name, isLeading] of leases) gauge.set({ name }, isLeading() ? 1 : 0);
    },
  );
  return { follow: (lease, isLeading) => leases.set(lease, isLeading) };
}
