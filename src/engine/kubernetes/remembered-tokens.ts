/** Answers about tokens that may be used again for a while. Tokens are known by their hash only; of too many, the one that was answered the longest ago is forgotten. */
export class RememberedTokens<Answer> {
  readonly #limit: number;
  readonly #now: () => number;
  /** In the order in which they were answered. */
  readonly #answers = new Map<string, { readonly answer: Answer; readonly until: number }>();

  /** @param now in milliseconds */
  constructor(limit: number, now: () => number) {
    this.#limit = limit;
    this.#now = now;
  }

  /** @param key what `tokenKey` gave */
  get(key: string): Answer | undefined {
    const known = this.#answers.get(key);
    return known !== undefined && this.#now() < known.until ? known.answer : undefined;
  }

  remember(key: string, answer: Answer, forMs: number): void {
    this.#answers.delete(key);
    this.#answers.set(key, { answer, until: this.#now() + forMs });
    const [oldest] = this.#answers.keys();
    if (this.#answers.size > this.#limit && oldest !== undefined) this.#answers.delete(oldest);
  }
}
