import { setTimeout as sleep } from 'node:timers/promises';
import { answerWithin } from '../controller/answer-within.ts';
import { SCHEMA_MISSING } from '../results/postgres/store-error.ts';
import { type ResultStore, ResultStoreUnavailableError } from '../results/result-store.ts';
import type { Verification } from '../results/verification.ts';
import type { Logger } from '../telemetry/logger.ts';

const RETRY_MS = 2_000;
/** How long its users wait for the first try to open it. A run waits with a reason that its user can read; whoever cancels it does not wait at all. */
const FIRST_TRY_MS = 5_000;
/** How long its closing waits for a server that does not answer. Its connections end all the same, so the process does. */
const CLOSE_MS = 5_000;

/**
 * A result store that may come up later than its user, who is told of it as of one that is away. An operator that gave up because Postgres is not there
 * would only be restarted, and could not tell its users what they wait for.
 */
export class LateResultStore
  implements
    Pick<
      ResultStore,
      | 'openRun'
      | 'loadRunToConclude'
      | 'recordAttempt'
      | 'skipTrials'
      | 'pushResult'
      | 'readPushed'
      | 'finishRun'
      | 'pruneRuns'
      | 'deleteRuns'
      | 'ping'
    >
{
  readonly #open: () => Promise<ResultStore>;
  readonly #logger: Logger;
  readonly #closing = new AbortController();
  readonly #opening: Promise<void>;
  readonly #firstTry: Promise<void>;
  #endFirstTry: () => void = () => {};
  #store: ResultStore | undefined;
  #isRestoring = false;
  #problem = new ResultStoreUnavailableError('Opening', 'the result store is being opened');

  /**
   * Opens it in the background, however long that takes.
   * @param onDefect called when it can never be opened; what the reason is, {@link close} tells
   */
  constructor(open: () => Promise<ResultStore>, logger: Logger, onDefect: () => void) {
    this.#open = open;
    this.#logger = logger;
    this.#firstTry = new Promise((resolve) => {
      this.#endFirstTry = resolve;
    });
    this.#opening = this.#openPatiently().finally(() => this.#endFirstTry());
    this.#opening.catch(onDefect);
  }

  get isOpen(): boolean {
    return this.#store !== undefined;
  }

  openRun: ResultStore['openRun'] = (run) => this.#ask((store) => store.openRun(run));
  loadRunToConclude: ResultStore['loadRunToConclude'] = (uid) =>
    this.#ask((store) => store.loadRunToConclude(uid));
  recordAttempt: ResultStore['recordAttempt'] = (record) => this.#ask((store) => store.recordAttempt(record));
  skipTrials: ResultStore['skipTrials'] = (record) => this.#ask((store) => store.skipTrials(record));
  pushResult: ResultStore['pushResult'] = (push) => this.#ask((store) => store.pushResult(push));
  readPushed: ResultStore['readPushed'] = (...starts) => this.#ask((store) => store.readPushed(...starts));
  finishRun: ResultStore['finishRun'] = (...end) => this.#ask((store) => store.finishRun(...end));
  pruneRuns: ResultStore['pruneRuns'] = (selection) => this.#ask((store) => store.pruneRuns(selection));
  deleteRuns: ResultStore['deleteRuns'] = (uids) => this.#ask((store) => store.deleteRuns(uids));
  ping: ResultStore['ping'] = () => this.#ask((store) => store.ping());

  readonly verification: Pick<Verification, 'counts'> = {
    counts: (runUid) => this.#ask((store) => store.verification.counts(runUid)),
  };

  /** The store itself, however long it takes to be there; undefined when this is closed before. */
  async whenOpen(): Promise<ResultStore | undefined> {
    await this.#opening.catch(() => undefined);
    return this.#store;
  }

  /**
   * Does not wait for ever for a server that does not answer.
   * @throws what opening failed with, when that was a defect and no outage
   */
  async close(): Promise<void> {
    this.#closing.abort();
    const closed = this.#opening.then(() => this.#store?.close()).then(() => true);
    if ((await answerWithin(closed, CLOSE_MS)) === undefined)
      this.#logger.warn({ deadlineMs: CLOSE_MS }, 'the result store does not answer while it is closed');
  }

  async #ask<Answer>(question: (store: ResultStore) => Promise<Answer>): Promise<Answer> {
    try {
      return await question(await this.#opened());
    } catch (error) {
      if (error instanceof ResultStoreUnavailableError && error.reason === SCHEMA_MISSING)
        this.#restoreSchema();
      throw error;
    }
  }

  /** Opening creates the schema: of a database that was made anew under its users. Nobody else would, until the operator is restarted. */
  #restoreSchema(): void {
    if (this.#store === undefined || this.#isRestoring) return;
    this.#isRestoring = true;
    this.#logger.warn('the schema of results is gone and is created again');
    void this.#open()
      .then((store) => store.close())
      .catch((error: unknown) => this.#logger.warn({ err: error }, 'the schema of results was not created'))
      .then(() => sleep(RETRY_MS, undefined, { signal: this.#closing.signal, ref: false }))
      .catch(() => undefined)
      .finally(() => {
        this.#isRestoring = false;
      });
  }

  async #opened(): Promise<ResultStore> {
    // A store that is merely being opened is not away.
    await answerWithin(this.#firstTry, FIRST_TRY_MS);
    if (this.#store === undefined) throw this.#problem;
    return this.#store;
  }

  async #openPatiently(): Promise<void> {
    const { signal } = this.#closing;
    while (!signal.aborted) {
      try {
        this.#store = await this.#open();
        return;
      } catch (error) {
        if (!(error instanceof ResultStoreUnavailableError)) throw error;
        this.#problem = error;
        this.#endFirstTry();
        const { reason, message, server } = error;
        this.#logger.warn({ reason, message, server }, 'waiting for the result store');
        await sleep(RETRY_MS, undefined, { signal }).catch(() => undefined);
      }
    }
  }
}
