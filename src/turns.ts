/** Lets few do at once what takes much memory; the others wait in the order in which they came. */
export class Turns {
  readonly #atOnce: number;
  #underWay = 0;
  readonly #waiting = new Set<() => void>();

  constructor(atOnce: number) {
    this.#atOnce = atOnce;
  }

  /** What the work comes to; undefined when its turn did not come within the patience, and then nothing is done. */
  async take<T>(patienceMs: number, work: () => Promise<T>): Promise<T | undefined> {
    if (!(await this.#turn(patienceMs))) return undefined;
    try {
      return await work();
    } finally {
      this.#pass();
    }
  }

  #turn(patienceMs: number): Promise<boolean> {
    if (this.#underWay < this.#atOnce) {
      this.#underWay += 1;
      return Promise.resolve(true);
    }
    return new Promise((resolve) => {
      const begin = (): void => {
        clearTimeout(patience);
        resolve(true);
      };
      const patience = setTimeout(() => {
        this.#waiting.delete(begin);
        resolve(false);
      }, patienceMs);
      this.#waiting.add(begin);
    });
  }

  /** To the one that has waited the longest, or to whoever comes. */
  #pass(): void {
    const [next] = this.#waiting;
    if (next === undefined) {
      this.#underWay -= 1;
      return;
    }
    this.#waiting.delete(next);
    next();
  }
}
