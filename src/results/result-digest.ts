import { createHash } from 'node:crypto';
import { canonicalJson } from '../core/canonical-json.ts';
import type { Outcome } from '../core/outcome.ts';

/** What the digest of a result is made of: the verdict, and everything that the program reported. */
export interface DigestedResult {
  readonly outcome: Outcome;
  readonly reason: string;
  readonly message: string;
  readonly exitCode: number | undefined;
  /** By name, in any order; each value as the shortest decimal that reads back as the same double. */
  readonly metrics: readonly (readonly [name: string, value: string])[];
  readonly artifacts: readonly {
    readonly name: string;
    readonly uri: string;
    readonly sha256?: string | undefined;
    readonly size?: number | undefined;
    readonly mediaType?: string | undefined;
  }[];
  readonly outputs: unknown;
}

/**
 * SHA-256, in lower-case hexadecimal, of a result in a form that does not depend on how it was written down. Made once by the process that judged the attempt,
 * of what it is about to store, and once of the rows that are read back.
 * @param outputs `Pushed`: that process never had them, because they went from the program to the store; then they are not part of the digest
 */
export function resultDigest(result: DigestedResult, outputs: 'Stored' | 'Pushed' = 'Stored'): string {
  const { metrics, outputs: stored, ...rest } = result;
  const sorted = metrics.toSorted(([one], [other]) => (one < other ? -1 : one > other ? 1 : 0));
  const ofOutputs = outputs === 'Stored' ? { outputs: stored } : { outputsWerePushed: true };
  return createHash('sha256')
    .update(canonicalJson({ ...rest, ...ofOutputs, metrics: sorted }))
    .digest('hex');
}

/** The shortest decimal that reads back as the same double; String() alone loses the sign of -0. */
export const exactNumber = (value: number): string => (Object.is(value, -0) ? '-0' : String(value));
