import { Kysely, PostgresDialect } from 'kysely';
import type pg from 'pg';
import { metricsAgainstPreviousRun } from '../../comparison/previous-run.ts';
import type { RunEnd } from '../../core/plan.ts';
import type { ProgramStart, PushedResult } from '../../core/pushed-result.ts';
import type { RunDefinition } from '../../core/run.ts';
import type { StoredComparison } from '../../core/run-ledger.ts';
import type { Outbox } from '../outbox.ts';
import {
  type AttemptRecord,
  type FinishOutcome,
  type OpenedRun,
  type PrunedRun,
  type PruneSelection,
  type PushOutcome,
  type RecordOutcome,
  type ResultPush,
  type ResultStore,
  ResultStoreUnavailableError,
  type RunHold,
  type RunScope,
  type RunSummary,
  type RunToConclude,
  type SkipOutcome,
  type SkipRecord,
  type StoredRun,
} from '../result-store.ts';
import { deleteDueRuns } from '../run-deletion.ts';
import type { Verification } from '../verification.ts';
import { withoutFailedConnections } from './connection-pool.ts';
import { holdRun } from './hold-run.ts';
import { loadRun, loadRunToConclude, readBegunRun } from './load-run.ts';
import { openRun, untriedTrials } from './open-run.ts';
import { PostgresOutbox } from './postgres-outbox.ts';
import { PostgresVerification } from './postgres-verification.ts';
import { choosePreviousRun, readPreviousRun } from './previous-run.ts';
import { pushResult, readPushed } from './pushed-results.ts';
import { recordAttempt } from './record-attempt.ts';
import { findRun, interruptedRuns, listRuns } from './run-summaries.ts';
import { readStoppedVariants, skipTrials } from './skip-trials.ts';
import { storableText } from './storable-text.ts';
import type { StoreObserver } from './store-observer.ts';
import { readTrials } from './stored-trials.ts';
import { SCHEMA, type Tables } from './tables.ts';
import { whileContended } from './while-contended.ts';

/** Each may have hundreds of metrics and artifacts for every attempt, and outputs of 16 MiB. */
const TRIALS_DELETED_AT_ONCE = 100;
/** The UID of no run. */
const NO_RUN = '';

/**
 * Results in the schema `batchtest` of a Postgres database. Each write is one call of an SQL function and thereby one transaction: it
 * is committed, or nothing of it is there. When the answer to a write is lost, repeating it tells: see migrations/0002-writes.ts.
 */
export class PostgresResultStore implements ResultStore {
  readonly outbox: Outbox;
  readonly verification: Verification;
  readonly #pool: pg.Pool;
  readonly #holds: pg.Pool;
  readonly #db: Kysely<Tables>;
  readonly #onClosed: () => Promise<void>;
  readonly #observer: StoreObserver | undefined;
  #closed: Promise<void> | undefined;

  /**
   * @param pool of a database whose schema is up to date, for statements; the store ends it when it is closed
   * @param holds another of the same database, of which each run that is held keeps one connection; ended as well
   */
  constructor(
    pool: pg.Pool,
    holds: pg.Pool,
    onClosed: () => Promise<void> = async () => {},
    observer?: StoreObserver,
  ) {
    this.#pool = pool;
    this.#holds = holds;
    this.#onClosed = onClosed;
    this.#observer = observer;
    observer?.opened(() => ({
      busy: pool.totalCount - pool.idleCount,
      idle: pool.idleCount,
      waiting: pool.waitingCount,
    }));
    const dialect = new PostgresDialect({ pool: withoutFailedConnections(pool) });
    this.#db = new Kysely<Tables>({ dialect }).withSchema(SCHEMA);
    this.outbox = new PostgresOutbox(pool, this.#db);
    this.verification = new PostgresVerification(pool, this.#db);
  }

  openRun(run: RunDefinition): Promise<OpenedRun> {
    return this.#whileContended(`open run ${run.uid}`, async () => {
      const { created, ...opened } = await openRun(this.#pool, run);
      // Read after the commit: from then on, nobody with an older fence writes.
      const areUntried = created && run.manifest.spec.reusePolicy === 'Never';
      const trials = areUntried ? untriedTrials(run) : await readTrials(this.#db, run.uid);
      const begun = created ? undefined : await readBegunRun(this.#db, run.uid);
      return { ...opened, begun, trials, ...(await this.#comparisonOf(run, created)) };
    });
  }

  /** Nothing is read of a run that has nothing of the kind. */
  async #comparisonOf(run: RunDefinition, created: boolean): Promise<StoredComparison> {
    const { comparison } = run.manifest.spec;
    const metrics = metricsAgainstPreviousRun(comparison);
    if (metrics.length > 0) await choosePreviousRun(this.#pool, run.uid, metrics);
    const mayBeStopped = !created && comparison.earlyStopping !== undefined;
    return {
      previousRun: metrics.length > 0 ? await readPreviousRun(this.#db, run.uid) : undefined,
      stoppedVariants: mayBeStopped ? await readStoppedVariants(this.#db, run.uid) : new Map(),
    };
  }

  recordAttempt(record: AttemptRecord): Promise<RecordOutcome> {
    const { runUid, variantId, repetition, attempt } = record;
    const doing = `record attempt ${attempt} of trial ${variantId}/${repetition} of run ${runUid}`;
    return this.#whileContended(doing, async () => {
      const { verdict, refusal } = await recordAttempt(this.#pool, record);
      switch (verdict) {
        case 'Recorded':
        case 'Fenced':
        case 'PushedMeanwhile':
          return { kind: verdict };
        case 'Refused':
          return { kind: 'Refused', reason: refusal ?? '' };
        case 'AlreadyRecorded': {
          const [trial] = await readTrials(this.#db, runUid, record);
          if (trial === undefined) throw new Error('the trial is gone');
          return { kind: 'AlreadyRecorded', trial };
        }
      }
    });
  }

  skipTrials(record: SkipRecord): Promise<SkipOutcome> {
    return this.#whileContended(`skip trials of run ${record.runUid}`, () => skipTrials(this.#pool, record));
  }

  pushResult(push: ResultPush): Promise<PushOutcome> {
    const { variantId, repetition, attempt } = push.start;
    const doing = `store what attempt ${attempt} of trial ${variantId}/${repetition} of run ${push.runUid} pushed`;
    return this.#whileContended(doing, () => pushResult(this.#pool, push));
  }

  readPushed(
    runUid: string,
    starts: readonly ProgramStart[],
  ): Promise<readonly (PushedResult | undefined)[]> {
    return this.#whileContended(`read pushed results of run ${runUid}`, () =>
      readPushed(this.#pool, runUid, starts),
    );
  }

  finishRun(
    runUid: string,
    fence: number,
    end: RunEnd,
    gate?: 'Passed' | 'Failed',
    pending?: number,
  ): Promise<FinishOutcome> {
    return this.#whileContended(`finish run ${runUid}`, async () => {
      if (pending !== undefined && (await this.#pendingTrials(runUid, fence)) > pending)
        return 'TrialsUnfinished';
      const { rows } = await this.#pool.query<{ verdict: FinishOutcome }>(
        'select verdict from batchtest.end_run($1, $2, $3, $4, $5, $6)',
        [runUid, fence, end.state, end.reason, storableText(end.message), gate ?? null],
      );
      return rows[0]?.verdict ?? 'NoSuchRun';
    });
  }

  /** Of a run that is under way, for its writer: nobody else changes trials of it, so that this needs no lock. */
  async #pendingTrials(runUid: string, fence: number): Promise<number> {
    const { rows } = await this.#pool.query<{ pending: number }>(
      `select count(*)::int as pending from batchtest.runs r join batchtest.trials t on t.run_uid = r.uid
       where r.uid = $1 and r.fence = $2 and r.state = 'Running' and t.phase = 'Pending'`,
      [runUid, fence],
    );
    return rows[0]?.pending ?? 0;
  }

  findRun(reference: string, scope?: RunScope): Promise<RunSummary | undefined> {
    return this.#whileContended(`find run ${reference}`, () => findRun(this.#db, reference, scope));
  }

  listRuns(options: {
    readonly limit: number;
    readonly workflowId?: string;
  }): Promise<readonly RunSummary[]> {
    return this.#whileContended('list runs', () => listRuns(this.#db, options));
  }

  interruptedRuns(): Promise<readonly RunSummary[]> {
    return this.#whileContended('list interrupted runs', () => interruptedRuns(this.#db));
  }

  loadRun(uid: string): Promise<StoredRun | undefined> {
    return this.#whileContended(`load run ${uid}`, () => loadRun(this.#db, uid));
  }

  loadRunToConclude(uid: string): Promise<RunToConclude | undefined> {
    return this.#whileContended(`load what the conclusion needs of run ${uid}`, () =>
      loadRunToConclude(this.#db, uid),
    );
  }

  holdRun(runUid: string): Promise<RunHold | undefined> {
    return this.#whileContended(`hold run ${runUid}`, () => holdRun(this.#holds, runUid));
  }

  requestCancel(runUid: string): Promise<'Requested' | 'AlreadyFinished' | 'NoSuchRun'> {
    return this.#whileContended(`request the cancellation of run ${runUid}`, async () => {
      const { rows } = await this.#pool.query<{ verdict: 'Requested' | 'AlreadyFinished' | 'NoSuchRun' }>(
        'select verdict from batchtest.request_cancel($1)',
        [runUid],
      );
      return rows[0]?.verdict ?? 'NoSuchRun';
    });
  }

  isCancelRequested(runUid: string): Promise<boolean> {
    return this.#whileContended(`read whether run ${runUid} is to be cancelled`, async () => {
      const run = await this.#db
        .selectFrom('runs')
        .select('cancel_requested')
        .where('uid', '=', runUid)
        .executeTakeFirst();
      return run?.cancel_requested ?? false;
    });
  }

  async pruneRuns(selection: PruneSelection): Promise<readonly PrunedRun[]> {
    if (selection.dryRun) return this.#runsDue(selection);
    const { deleted, failure } = await deleteDueRuns(this, selection);
    if (failure !== undefined) throw failure;
    return deleted;
  }

  async deleteRuns(uids: readonly string[]): Promise<readonly string[]> {
    // A role that may delete nothing is told so.
    if (uids.length === 0) await this.#deletePart(NO_RUN, 'delete runs');
    const deleted: string[] = [];
    for (const uid of uids) if (await this.#delete(uid)) deleted.push(uid);
    return deleted;
  }

  /**
   * In parts: a whole run can take longer than a statement may, and would again the next time.
   * @returns false when it was gone
   */
  async #delete(runUid: string): Promise<boolean> {
    for (;;) {
      const verdict = await this.#deletePart(runUid, `delete run ${runUid}`);
      if (verdict !== 'Partly') return verdict === 'Deleted';
    }
  }

  #deletePart(runUid: string, doing: string): Promise<'Partly' | 'Deleted' | 'NoSuchRun' | undefined> {
    return this.#whileContended(doing, async () => {
      const { rows } = await this.#pool.query<{ verdict: 'Partly' | 'Deleted' | 'NoSuchRun' }>(
        'select verdict from batchtest.delete_run_part($1, $2)',
        [runUid, TRIALS_DELETED_AT_ONCE],
      );
      return rows[0]?.verdict;
    });
  }

  #runsDue({
    endedBefore,
    workflowId,
    keep,
    engine,
    namespaces = 'All',
  }: PruneSelection): Promise<readonly PrunedRun[]> {
    return this.#whileContended('prune runs', async () => {
      const { rows } = await this.#pool.query<{
        uid: string;
        name: string;
        engine: PrunedRun['engine'];
        finished_at: Date;
      }>(
        'select uid, name, engine, finished_at from batchtest.prune_runs(to_timestamp($1), $2, $3, true, $4, $5)',
        [
          // As a number: Postgres refuses how years before 0 and after 9999 are written. It has no times as early as a Date may be, and nothing ended before 1970.
          Math.max(0, endedBefore.getTime()) / 1_000,
          workflowId === undefined ? null : storableText(workflowId),
          keep,
          engine ?? null,
          namespaces === 'All' ? null : namespaces,
        ],
      );
      return rows.map(({ finished_at: finishedAt, ...run }) => ({ ...run, finishedAt }));
    });
  }

  async ping(): Promise<void> {
    await this.#whileContended('reach the result store', async () => {
      const { rows } = await this.#pool.query<{ writable: boolean }>(
        `select not pg_is_in_recovery() and current_setting('transaction_read_only') = 'off' as writable`,
      );
      if (rows[0]?.writable !== true)
        throw new ResultStoreUnavailableError('ReadOnly', 'the database is read-only');
    });
  }

  close(): Promise<void> {
    this.#closed ??= Promise.all([this.#pool.end(), this.#holds.end()]).then(this.#onClosed);
    return this.#closed;
  }

  /** Runs the query; again when other writers kept it from committing. What it rejects with, storeError has judged. */
  #whileContended<Answer>(doing: string, query: () => Promise<Answer>): Promise<Answer> {
    return whileContended(doing, query, (code) => this.#observer?.contended(code));
  }
}
