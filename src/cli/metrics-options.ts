import { Option } from 'commander';
import type { MetricsEndpoint } from '../operator/operator.ts';
import { UsageError } from './failure.ts';
import { listenHost } from './listen-host.ts';
import { port } from './port.ts';

export interface MetricsFlags {
  readonly metricsPort?: number;
  readonly metricsHost: string;
  readonly metricsSecure?: boolean;
  readonly metricsTlsCert?: string;
  readonly metricsTlsKey?: string;
}

const GROUP = 'Metrics:';

const option = (flags: string, description: string): Option =>
  new Option(flags, description).helpGroup(GROUP);

/** Where the operator serves its metrics, and to whom. */
export const metricsOptions = {
  port: () =>
    option('--metrics-port <port>', 'port of /metrics; 0 chooses one (default: with the health)').argParser(
      port,
    ),
  host: () =>
    option('--metrics-host <address>', 'where that port listens; empty: every address').default('127.0.0.1'),
  secure: () =>
    option(
      '--metrics-secure',
      'HTTPS, and only for tokens that may get /metrics in the cluster (TokenReview, SubjectAccessReview)',
    ),
  tlsCert: () => option('--metrics-tls-cert <file>', 'its certificate, in PEM form'),
  tlsKey: () => option('--metrics-tls-key <file>', 'the key of the certificate'),
} as const;

/**
 * The endpoint that the options ask for; undefined for none of its own.
 * @throws UsageError when one of them makes no sense without another
 */
export function metricsEndpointOf(flags: MetricsFlags): MetricsEndpoint | undefined {
  const { metricsPort, metricsSecure, metricsTlsCert, metricsTlsKey } = flags;
  const host = listenHost(flags.metricsHost);
  if (metricsSecure !== true) {
    if (metricsTlsCert !== undefined || metricsTlsKey !== undefined)
      throw new UsageError('--metrics-tls-cert and --metrics-tls-key are for --metrics-secure');
    return metricsPort === undefined ? undefined : { host, port: metricsPort, tls: undefined };
  }
  if (metricsPort === undefined)
    throw new UsageError('--metrics-secure needs a port of its own: --metrics-port');
  if (metricsTlsCert === undefined || metricsTlsKey === undefined)
    throw new UsageError('--metrics-secure needs --metrics-tls-cert and --metrics-tls-key');
  const tls = { certFile: metricsTlsCert, keyFile: metricsTlsKey };
  return { host, port: metricsPort, tls };
}
