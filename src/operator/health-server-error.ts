/** The health cannot be served where it was asked for. The message names host and port; shown without a stack trace. */
export class HealthServerError extends Error {
  override readonly name = 'HealthServerError';
}
