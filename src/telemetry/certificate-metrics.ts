import type { MetricFamilies } from './metric-families.ts';

/** What this process serves with a certificate of its own. */
const ENDPOINTS = ['metrics', 'ingest'] as const;

export interface CertificateMetrics {
  /** @param at milliseconds since the epoch */
  expires(endpoint: (typeof ENDPOINTS)[number], at: number): void;
}

export function createCertificateMetrics(families: MetricFamilies): CertificateMetrics {
  const expiries = new Map<(typeof ENDPOINTS)[number], number>();
  families.gauge(
    'batchtest_metrics_certificate_expiry_timestamp_seconds',
    'When the certificate expires that an endpoint is served with: the metrics, or the ingest of pushed results. Absent for one that is served without.',
    // Without a label the series would be there, as 0, before there is a certificate.
    { endpoint: ENDPOINTS },
    (gauge) => {
      for (const [endpoint, at] of expiries) gauge.set({ endpoint }, at / 1_000);
    },
  );
  return {
    expires: (endpoint, at) => {
      expiries.set(endpoint, at);
    },
  };
}
