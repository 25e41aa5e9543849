export interface ConcurrentRequests {
  /** While answers come soon. */
  readonly usual: number;
  /** While they do not. */
  readonly most: number;
  /** How long the next in line waits for its turn before it goes beside the others, in milliseconds. */
  readonly patienceMs: number;
}

/**
 * Bounds how many requests are under way at once; the others wait in the order they came. Without it, a run of 10,000 trials asks for
 * thousands of Jobs in the same moment, and each request's deadline runs out while it waits for a connection. Where each answer takes long, as behind an
 * admission webhook, more are let through, so that one slow namespace does not hold up all others.
 */
export class RequestLimit {
  readonly #concurrent: ConcurrentRequests;
  readonly #waiting: { readonly since: number; readonly go: () => void }[] = [];
  #underWay = 0;
  #patience: NodeJS.Timeout | undefined;

  constructor(concurrent: ConcurrentRequests) {
    this.#concurrent = concurrent;
  }

  /** Does the work when it is its turn. Gives what the work gives. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#underWay < this.#concurrent.usual) this.#underWay += 1;
    else await this.#turn();
    try {
      return await work();
    } finally {
      // The slot goes to the next in line without being free in between, so that nobody overtakes.
      const next = this.#waiting.shift();
      if (next === undefined) this.#underWay -= 1;
      else next.go();
      this.#watchNext();
    }
  }

  #turn(): Promise<void> {
    return new Promise((go) => {
      this.#waiting.push({ since: performance.now(), go });
      if (this.#waiting.length === 1) this.#watchNext();
    });
  }

  #watchNext(): void {
    clearTimeout(this.#patience);
    const [next] = this.#waiting;
    if (next === undefined || this.#underWay >= this.#concurrent.most) return;
    const leftMs = next.since + this.#concurrent.patienceMs - performance.now();
    if (leftMs > 0) {
      this.#patience = setTimeout(() => this.#watchNext(), Math.ceil(leftMs));
      return;
    }
    this.#waiting.shift();
    this.#underWay += 1;
    next.go();
    this.#watchNext();
  }
}
