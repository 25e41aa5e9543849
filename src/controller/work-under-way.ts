/**
 * What was asked of others for one run and is not answered yet. The next decision does not wait for it: a slot that becomes free while a cluster is
 * busy with twenty other requests is filled at once.
 */
export class WorkUnderWay {
  readonly #onAnswer: () => void;
  readonly #works = new Set<Promise<void>>();
  readonly #removing = new Set<string>();
  #failure: { readonly error: unknown } | undefined;

  /** @param onAnswer called once for each thing that is done, and when the last of some has failed: the run is worth another look */
  constructor(onAnswer: () => void) {
    this.#onAnswer = onAnswer;
  }

  get isIdle(): boolean {
    return this.#works.size === 0;
  }

  /** Takes over what was asked for together. That some of it failed is told once, and not before all of it is answered. */
  add(works: readonly Promise<unknown>[]): void {
    if (works.length === 0) return;
    let open = works.length;
    const each = works.map((work) =>
      work
        .finally(() => {
          open -= 1;
        })
        // The last one is told of below, when nothing of it is under way any more.
        .then(() => open > 0 && this.#onAnswer()),
    );
    const answered: Promise<void> = Promise.allSettled(each).then((results) => {
      this.#works.delete(answered);
      const failed = results.find(({ status }) => status === 'rejected');
      if (failed?.status === 'rejected') this.#failure ??= { error: failed.reason };
      this.#onAnswer();
    });
    this.#works.add(answered);
  }

  /** Has attempts removed, but for those whose removal is under way. */
  addRemoval(names: readonly string[], remove: (names: readonly string[]) => Promise<void>): void {
    const due = names.filter((name) => !this.#removing.has(name));
    if (due.length === 0) return;
    for (const name of due) this.#removing.add(name);
    const removal = remove(due).finally(() => {
      for (const name of due) this.#removing.delete(name);
    });
    this.add([removal]);
  }

  /** Throws the first thing that failed since this was last called. A plan made anew goes on from what was noted of it. */
  throwFailure(): void {
    const failure = this.#failure;
    this.#failure = undefined;
    if (failure !== undefined) throw failure.error;
  }

  /** Throws what {@link throwFailure} is going to throw, which is yet to do so: by the look that the failure brings, past any back-off. */
  throwFailureAndKeepIt(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  /** Resolves when nothing is under way any more; never rejects. */
  async settled(): Promise<void> {
    while (this.#works.size > 0) await Promise.all(this.#works);
  }
}
