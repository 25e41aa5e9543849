import type { ProgramStart } from '../core/pushed-result.ts';

/** Whose program a token is. Taken from the engine that started it: a program cannot name its own run or trial. */
export interface PushIdentity {
  readonly runUid: string;
  /** Undefined for a local run. */
  readonly namespace: string | undefined;
  readonly start: ProgramStart;
  /** True once nothing of the program runs any more. */
  readonly hasEnded: boolean;
}

export type PushAuthentication =
  | { readonly kind: 'Identified'; readonly identity: PushIdentity }
  /** Nobody knows the token. */
  | { readonly kind: 'Unauthenticated'; readonly message: string }
  /** The token is somebody's who may not push a result. */
  | { readonly kind: 'Forbidden'; readonly message: string }
  /** It cannot be told now; then nothing is taken. */
  | { readonly kind: 'Unavailable'; readonly message: string };

/** Tells whose program shows a token. What differs between a cluster and a local run; everything else of a push is the same. */
export interface PushAuthenticator {
  /** Whether the token is known to be somebody's, without asking anybody: then it is not one that its sender made up. */
  isKnown(token: string): boolean;
  authenticate(token: string): Promise<PushAuthentication>;
}
