import { randomBytes, randomUUID } from 'node:crypto';
import type { ProgramStart } from '../../core/pushed-result.ts';
import type { AttemptRequest } from '../engine.ts';

/** Whose program a token is. */
export interface TokenHolder {
  readonly runUid: string;
  readonly start: ProgramStart;
  hasEnded: boolean;
}

/** The tokens by which programs of this machine show whose result they push: each start of a program has its own. */
export class AttemptTokens {
  readonly #holders = new Map<string, TokenHolder>();

  /** A token that nobody can guess, for a program that is about to be started. */
  issue({ run, trial, attempt }: AttemptRequest): { readonly token: string; readonly startId: string } {
    const token = randomBytes(32).toString('base64url');
    const startId = randomUUID();
    this.#holders.set(token, {
      runUid: run.uid,
      start: { variantId: trial.variant.id, repetition: trial.repetition, attempt, startId },
      hasEnded: false,
    });
    return { token, startId };
  }

  /** Its program has ended: it is known, and may push nothing more. */
  noteEnded(token: string): void {
    const holder = this.#holders.get(token);
    if (holder !== undefined) holder.hasEnded = true;
  }

  revoke(token: string): void {
    this.#holders.delete(token);
  }

  find(token: string): TokenHolder | undefined {
    return this.#holders.get(token);
  }
}
