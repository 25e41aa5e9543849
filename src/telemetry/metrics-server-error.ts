/** Metrics cannot be served as they are asked for. The message names the port or the file; shown without a stack trace. */
export class MetricsServerError extends Error {
  override readonly name = 'MetricsServerError';
}
