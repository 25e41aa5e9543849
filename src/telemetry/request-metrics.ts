import type { RequestObserver } from '../engine/kubernetes/kube-client.ts';
import { REQUEST_BUCKETS } from './buckets.ts';
import type { MetricFamilies } from './metric-families.ts';

const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'] as const;
const HOST = 'host and port of the API server';
const CODE = 'HTTP status, or <error> when no answer came';

/** Requests to the API server, under the names and labels that client-go has. Nothing of a URL but the host is told. */
export interface RequestMetrics {
  /** What counts the requests to one server, such as https://10.0.0.1:443. */
  of(server: string): RequestObserver;
}

export function createRequestMetrics(families: MetricFamilies): RequestMetrics {
  const requests = families.counter(
    'rest_client_requests_total',
    'Requests to the API server, watches and each try of a request that is tried again included.',
    { code: CODE, method: METHODS, host: HOST },
  );
  const duration = families.histogram(
    'rest_client_request_duration_seconds',
    'From the sending of a request until the headers of its answer were here; of a watch that is its beginning.',
    { verb: METHODS, host: HOST },
    REQUEST_BUCKETS,
  );
  const waits = families.histogram(
    'rest_client_rate_limiter_duration_seconds',
    'How long requests waited because as many were under way as may be at once.',
    { verb: METHODS, host: HOST },
    REQUEST_BUCKETS,
  );
  const retries = families.counter(
    'rest_client_request_retries_total',
    'Requests tried again, by what the try before came to.',
    { code: CODE, verb: METHODS, host: HOST },
  );
  const codeOf = (status: number | undefined): string => (status === undefined ? '<error>' : String(status));
  return {
    of(server) {
      const { host } = new URL(server);
      return {
        answered(method, status, seconds) {
          requests.inc({ code: codeOf(status), method, host });
          duration.observe({ verb: method, host }, seconds);
        },
        waited: (method, seconds) => waits.observe({ verb: method, host }, seconds),
        retried: (method, status) => retries.inc({ code: codeOf(status), verb: method, host }),
      };
    },
  };
}
