import type { MetricFamilies } from './metric-families.ts';

export interface CertificateMetrics {
  /** @param at milliseconds since the epoch */
  expires(at: number): void;
}

export function createCertificateMetrics(families: MetricFamilies): CertificateMetrics {
  let expiresAt: number | undefined;
  families.gauge(
    'batchtest_metrics_certificate_expiry_timestamp_seconds',
    'When the certificate expires that metrics are served with. Absent when they are served without one.',
    // Without a label the series would be there, as 0, before there is a certificate.
    { endpoint: ['metrics'] },
    (gauge) => {
      if (expiresAt !== undefined) gauge.set({ endpoint: 'metrics' }, expiresAt / 1_000);
    },
  );
  return {
    expires: (at) => {
      expiresAt = at;
    },
  };
}
