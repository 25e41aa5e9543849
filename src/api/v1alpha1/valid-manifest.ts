import { formatProblem, type ManifestProblem, parseManifest, validateManifest } from './manifest.ts';
import type { BatchTest } from './schema.ts';

/** A manifest that was refused. A user's mistake: shown without a stack trace. Its message has a line per problem. */
export class ManifestError extends Error {
  override readonly name = 'ManifestError';
  readonly problems: readonly ManifestProblem[];

  constructor(problems: readonly ManifestProblem[]) {
    super(problems.map(formatProblem).join('\n'));
    this.problems = problems;
  }
}

/**
 * The BatchTest that a manifest describes, defaults filled in.
 * @param manifest its text, YAML or JSON, or the object itself
 * @param sourceName what problems are reported against: a file's name
 * @throws ManifestError when it is invalid
 */
export function validManifest(manifest: unknown, sourceName = 'BatchTest'): BatchTest {
  const result =
    typeof manifest === 'string'
      ? parseManifest(manifest, sourceName)
      : validateManifest(manifest, sourceName);
  if (!result.ok) throw new ManifestError(result.problems);
  return result.batchTest;
}
