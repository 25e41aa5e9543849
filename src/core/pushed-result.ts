import type { AttemptKey, ObservedAttempt } from './attempt.ts';
import type { Judgement } from './outcome.ts';
import type { ReportedResult } from './result-protocol.ts';

/**
 * What is needed of a pushed result for the verdict on its attempt. Its outputs, which may be large, stay where they are stored.
 */
export interface PushedResult extends Pick<ReportedResult, 'metrics' | 'artifacts'> {
  /** Lower-case hexadecimal SHA-256 of what was pushed. */
  readonly sha256: string;
}

/** One start of a program, of which a result may have been pushed. */
export interface ProgramStart extends AttemptKey {
  readonly startId: string;
}

/** What the record of an attempt says of what its program may have pushed. */
export type PushedPart =
  /** This is the result: its outputs are taken over into the record. */
  | { readonly kind: 'Takes'; readonly startId: string; readonly sha256: string }
  /** The verdict holds only as long as nothing was pushed. */
  | { readonly kind: 'RestsOnNothing'; readonly startId: string }
  /** Whatever was pushed does not count. */
  | { readonly kind: 'Discards' };

/** What a verdict rests on, of an attempt of a run whose programs may push results. */
export function pushedPartOf({ state, startId }: ObservedAttempt, judgement: Judgement): PushedPart {
  if (state.kind !== 'Ended' || state.termination.kind !== 'Exited' || startId === undefined)
    return { kind: 'Discards' };
  const { exitCode, pushed } = state.termination;
  if (exitCode !== 0) return { kind: 'Discards' };
  if (pushed === 'Nothing') return { kind: 'RestsOnNothing', startId };
  return pushed !== undefined && judgement.outcome === 'Succeeded'
    ? { kind: 'Takes', startId, sha256: pushed.sha256 }
    : { kind: 'Discards' };
}

/** True for an end that cannot be judged before it is known whether its program pushed a result. */
export const awaitsPushed = ({ state, startId }: ObservedAttempt): boolean =>
  startId !== undefined &&
  state.kind === 'Ended' &&
  state.termination.kind === 'Exited' &&
  state.termination.exitCode === 0 &&
  state.termination.pushed === undefined;
