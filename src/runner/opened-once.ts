/** A resource that is opened by whoever needs it first, and shared from then on. */
export class OpenedOnce<T> {
  readonly #open: () => Promise<T>;
  readonly #close: (resource: T) => Promise<void>;
  #opened: Promise<T> | undefined;

  constructor(open: () => Promise<T>, close: (resource: T) => Promise<void>) {
    this.#open = open;
    this.#close = close;
  }

  /** Rejects with what opening failed with; whoever asks next tries again. */
  get(): Promise<T> {
    this.#opened ??= this.#open().catch((error: unknown) => {
      this.#opened = undefined;
      throw error;
    });
    return this.#opened;
  }

  /** Closes it, if it is open. */
  async close(): Promise<void> {
    // What could not be opened has nothing to close, and its opener was told why.
    const resource = await this.#opened?.catch(() => undefined);
    if (resource !== undefined) await this.#close(resource);
  }
}
