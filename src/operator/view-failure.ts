import { ApiError } from '../engine/kubernetes/api-error.ts';
import { RequestTimeoutError } from '../engine/kubernetes/kube-client.ts';
import type { ViewFailure } from '../telemetry/view-metrics.ts';

/** Why a list or watch failed, as one of the words of a metric's label. */
export function viewFailureOf(error: unknown): ViewFailure {
  if (error instanceof RequestTimeoutError) return 'Timeout';
  if (!(error instanceof ApiError)) return 'ConnectionFailed';
  if (error.status === 410) return 'Expired';
  if (error.status === 401 || error.status === 403) return 'Forbidden';
  if (error.status === 429) return 'Overloaded';
  return error.status >= 500 ? 'ServerError' : 'Refused';
}
