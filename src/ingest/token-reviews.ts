import type { PushAuthentication, PushAuthenticator } from './push-authentication.ts';
import { PushRate } from './push-rate.ts';

/** What is said of a token, or why nobody was asked about it. */
export type TokenReview =
  | PushAuthentication
  /** Many are being asked about. */
  | { readonly kind: 'Busy' }
  /** Those from this address were nobody's too often. */
  | { readonly kind: 'TooManyStrangers'; readonly waitMs: number };

/** Tokens that somebody is asked about at once. Their senders hold no place yet. */
const REVIEWS_AT_ONCE = 32;

/** Has tokens reviewed, so that a sender who makes them up neither floods who is asked nor keeps others from being heard. */
export class TokenReviews {
  readonly #authenticator: PushAuthenticator;
  /** Tokens that are not those of a trial. One that was made up is always a new one: its sender is known by its address alone. */
  readonly #strangers: PushRate;
  #underWay = 0;
  /** By address: how many of its tokens have been drawn for, and may yet turn out to be those of a trial. */
  readonly #undecided = new Map<string, number>();

  /** @param monotonicNow a clock that never steps, in milliseconds */
  constructor(authenticator: PushAuthenticator, monotonicNow: () => number) {
    this.#authenticator = authenticator;
    this.#strangers = new PushRate(monotonicNow);
  }

  /** Rejects only as the authenticator does. */
  async review(token: string, address: string): Promise<TokenReview> {
    if (this.#underWay >= REVIEWS_AT_ONCE) return { kind: 'Busy' };
    this.#underWay += 1;
    try {
      // Whatever others at this address do: a pod that has been heard stays heard.
      if (this.#authenticator.isKnown(token)) return await this.#authenticator.authenticate(token);
      return await this.#reviewUnknown(token, address);
    } finally {
      this.#underWay -= 1;
    }
  }

  /** Draws before it asks, so that no more are asked about at once than may turn out to be nobody's. */
  async #reviewUnknown(token: string, address: string): Promise<TokenReview> {
    const undecided = this.#undecided.get(address) ?? 0;
    const waitMs = this.#strangers.take(address);
    if (waitMs !== undefined) return undecided > 0 ? { kind: 'Busy' } : { kind: 'TooManyStrangers', waitMs };
    this.#undecided.set(address, undecided + 1);
    try {
      const authentication = await this.#authenticator.authenticate(token);
      if (authentication.kind === 'Identified' || authentication.kind === 'Unavailable')
        this.#strangers.giveBack(address);
      return authentication;
    } finally {
      this.#decide(address);
    }
  }

  #decide(address: string): void {
    const left = (this.#undecided.get(address) ?? 0) - 1;
    if (left > 0) this.#undecided.set(address, left);
    else this.#undecided.delete(address);
  }
}
