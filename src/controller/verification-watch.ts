import { isVerificationPending, type VerificationCounts } from '../core/verification-counts.ts';
import { ResultStoreUnavailableError } from '../results/result-store.ts';
import type { Verification } from '../results/verification.ts';
import { answerWithin } from './answer-within.ts';

/** How often it is looked while something waits to be read back. */
const LOOK_MS = 2_000;
const LONGEST_LOOK_MS = 5 * 60_000;
/** A decision may have to be made meanwhile, such as to end what a user cancels; the answer is told when it is there. */
const LONGEST_WAIT_MS = 250;

/** How long to wait for what is not read back when the run has been over for `overForMs`: the longer, the longer. */
export const lookAgainAfterMs = (overForMs: number): number =>
  Math.min(LONGEST_LOOK_MS, Math.max(LOOK_MS, overForMs / 10));

/**
 * What of a run that is under way was read back. Whoever reads it back, this process or another, notes it in the store, and from there it is told; so it is never
 * ahead of what is committed.
 */
export class VerificationWatch {
  #counts: VerificationCounts | undefined;
  /** In milliseconds since the epoch; undefined when there is nothing to look for. */
  #lookAt: number | undefined;
  /** The look that the store has not answered. */
  #underWay: Promise<void> | undefined;

  /** @param hasResults something of the run was stored before */
  constructor(hasResults: boolean) {
    this.#lookAt = hasResults ? 0 : undefined;
  }

  /** Undefined before the first look. */
  get counts(): VerificationCounts | undefined {
    return this.#counts;
  }

  /** When there may be something new to tell (milliseconds since the epoch); undefined when nothing waits to be read back. */
  get lookAgainAt(): number | undefined {
    return this.#lookAt === 0 ? undefined : this.#lookAt;
  }

  /** Takes note that a result was stored, which is to be read back. */
  noteRecorded(): void {
    this.#lookAt ??= 0;
  }

  /** Looks, when it is time to, and waits a moment for the answer. A store that is away tells nothing new, and one that takes its time is not asked twice. */
  async look(
    runUid: string,
    verification: Pick<Verification, 'counts'>,
    atOnce: boolean,
    now: number,
  ): Promise<void> {
    if (this.#lookAt === undefined || (now < this.#lookAt && !atOnce)) return;
    this.#lookAt = now + LOOK_MS;
    this.#underWay ??= this.#ask(runUid, verification, now + LOOK_MS).finally(() => {
      this.#underWay = undefined;
    });
    await answerWithin(this.#underWay, LONGEST_WAIT_MS);
  }

  async #ask(runUid: string, verification: Pick<Verification, 'counts'>, nextLookAt: number): Promise<void> {
    try {
      this.#counts = await verification.counts(runUid);
      this.#lookAt = isVerificationPending(this.#counts) ? nextLookAt : undefined;
    } catch (error) {
      if (!(error instanceof ResultStoreUnavailableError)) throw error;
    }
  }
}
