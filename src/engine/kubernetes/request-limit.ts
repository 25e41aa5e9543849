/**
 * Bounds how many requests are under way at once; the others wait in the order they came. Without it, a run of 10,000 trials asks for
 * thousands of Jobs in the same moment, and each request's deadline runs out while it waits for a connection.
 */
export class RequestLimit {
  readonly #limit: number;
  readonly #waiting: (() => void)[] = [];
  #underWay = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Does the work when it is its turn. Gives what the work gives. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#underWay >= this.#limit) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#underWay += 1;
    try {
      return await work();
    } finally {
      // The slot goes to the next in line without being free in between, so that nobody overtakes.
      const next = this.#waiting.shift();
      if (next === undefined) this.#underWay -= 1;
      else next();
    }
  }
}
