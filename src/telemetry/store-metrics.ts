import type { BegunRun } from '../core/run.ts';
import type { PoolConnections, StoreObserver } from '../results/postgres/store-observer.ts';
import {
  type RecordOutcome,
  type ResultStore,
  ResultStoreUnavailableError,
} from '../results/result-store.ts';
import type { Verification } from '../results/verification.ts';
import { STORE_REASONS } from './attempt-reasons.ts';
import { TRANSACTION_BUCKETS } from './buckets.ts';
import { boundedWord, type MetricFamilies } from './metric-families.ts';

/** What the loop uses of its store. */
export type WrittenStore = Pick<
  ResultStore,
  'openRun' | 'recordAttempt' | 'readPushed' | 'skipTrials' | 'finishRun'
> & {
  readonly verification: Pick<Verification, 'counts'>;
  loadRunToConclude(uid: string): Promise<BegunRun | undefined>;
};

const OPERATIONS = [
  'open_run',
  'load_run',
  'record_attempt',
  'push_result',
  'read_pushed',
  'skip_trials',
  'finish_run',
  'count_verified',
] as const;
type Operation = (typeof OPERATIONS)[number];
const OUTCOMES = ['committed', 'unavailable', 'error'] as const;
const RESULTS = ['inserted', 'duplicate', 'pushed_meanwhile', 'fenced', 'refused', 'failed'] as const;
/** Those after which a statement is tried again: serialization failure, deadlock. */
const SQLSTATES = ['40001', '40P01'] as const;
const POOL_STATES = ['busy', 'idle', 'waiting'] as const;

/** The result store, as its callers and its connections see it. */
export interface StoreMetrics {
  /** The store, measured. */
  measured(store: WrittenStore): WrittenStore;
  /** What takes pushed results, measured. */
  measuredPushes(store: Pick<ResultStore, 'pushResult'>): Pick<ResultStore, 'pushResult'>;
  readonly observer: StoreObserver;
}

export function createStoreMetrics(families: MetricFamilies): StoreMetrics {
  const results = families.counter(
    'batchtest_results_stored_total',
    'Results that were to be stored: inserted; duplicate, stored before, as after an answer that was lost; pushed_meanwhile, to be judged anew; fenced, because another process has the run; refused, as of a run that is over; failed, and tried again.',
    { result: RESULTS },
  );
  const seconds = families.histogram(
    'batchtest_store_transaction_seconds',
    'How long the result store took, waiting for a connection included.',
    { op: OPERATIONS, outcome: OUTCOMES },
    TRANSACTION_BUCKETS,
  );
  const unavailable = families.counter(
    'batchtest_store_unavailable_total',
    'Calls of the result store that it could not answer then, by why. They are tried again.',
    { reason: STORE_REASONS },
  );
  const retries = families.counter(
    'batchtest_store_retries_total',
    'Statements tried again at once because other writers kept them from committing.',
    { sqlstate: SQLSTATES },
  );
  const pools = new Set<() => PoolConnections>();
  families.gauge(
    'batchtest_pg_pool_connections',
    'Connections to Postgres for statements, and callers that wait for one.',
    { state: POOL_STATES },
    (gauge) => {
      for (const state of POOL_STATES)
        gauge.set(
          { state },
          [...pools].reduce((sum, connections) => sum + connections()[state], 0),
        );
    },
  );
  for (const result of RESULTS) results.inc({ result }, 0);
  for (const op of OPERATIONS) seconds.zero({ op, outcome: 'committed' });
  for (const reason of STORE_REASONS) unavailable.inc({ reason }, 0);
  for (const sqlstate of SQLSTATES) retries.inc({ sqlstate }, 0);

  const measure = async <Answer>(op: Operation, write: () => Promise<Answer>): Promise<Answer> => {
    const startedAt = performance.now();
    const done = (outcome: (typeof OUTCOMES)[number]) =>
      seconds.observe({ op, outcome }, (performance.now() - startedAt) / 1_000);
    try {
      const answer = await write();
      done('committed');
      return answer;
    } catch (error) {
      if (error instanceof ResultStoreUnavailableError) {
        done('unavailable');
        unavailable.inc({ reason: boundedWord(error.reason, STORE_REASONS) });
      } else done('error');
      throw error;
    }
  };

  return {
    measured: (store) => ({
      openRun: (run) => measure('open_run', () => store.openRun(run)),
      loadRunToConclude: (uid) => measure('load_run', () => store.loadRunToConclude(uid)),
      async recordAttempt(record) {
        try {
          const outcome = await measure('record_attempt', () => store.recordAttempt(record));
          results.inc({ result: RESULT_OF[outcome.kind] });
          return outcome;
        } catch (error) {
          results.inc({ result: 'failed' });
          throw error;
        }
      },
      readPushed: (...asked) => measure('read_pushed', () => store.readPushed(...asked)),
      skipTrials: (record) => measure('skip_trials', () => store.skipTrials(record)),
      finishRun: (...end) => measure('finish_run', () => store.finishRun(...end)),
      verification: {
        counts: (runUid) => measure('count_verified', () => store.verification.counts(runUid)),
      },
    }),
    measuredPushes: (store) => ({
      pushResult: (push) => measure('push_result', () => store.pushResult(push)),
    }),
    observer: {
      opened: (connections) => pools.add(connections),
      contended: (sqlstate) => retries.inc({ sqlstate: sqlstate === '40P01' ? '40P01' : '40001' }),
    },
  };
}

const RESULT_OF: Readonly<Record<RecordOutcome['kind'], (typeof RESULTS)[number]>> = {
  Recorded: 'inserted',
  AlreadyRecorded: 'duplicate',
  PushedMeanwhile: 'pushed_meanwhile',
  Fenced: 'fenced',
  Refused: 'refused',
};
