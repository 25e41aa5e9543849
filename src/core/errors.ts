import { formatPath } from '../api/v1alpha1/manifest-problem.ts';

/** A BatchTest that passes the schema and yet cannot be run. A user's mistake: shown without a stack trace, never retried. */
export class InvalidBatchTestError extends Error {
  override readonly name = 'InvalidBatchTestError';
  /** Where the mistake is. */
  readonly path: readonly PropertyKey[];
  /** The same, such as `spec.variants[3]`. */
  readonly field: string;
  /** What is wrong there. */
  readonly problem: string;

  constructor(path: readonly PropertyKey[], problem: string) {
    const field = formatPath(path);
    super(`${field}: ${problem}`);
    this.path = path;
    this.field = field;
    this.problem = problem;
  }
}
