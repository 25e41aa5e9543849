/** A BatchTest that passes the schema and yet cannot be run. A user's mistake: shown without a stack trace, never retried. */
export class InvalidBatchTestError extends Error {
  override readonly name = 'InvalidBatchTestError';
  /** Where the mistake is, such as `spec.variants[3]`. */
  readonly field: string;

  constructor(field: string, problem: string) {
    super(`${field}: ${problem}`);
    this.field = field;
  }
}
