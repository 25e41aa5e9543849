import type pg from 'pg';
import type { RunEnd } from '../../core/plan.ts';
import type { RunDefinition } from '../../core/run.ts';
import type { StoredComparison, StoredTrial } from '../../core/run-ledger.ts';
import type { OpenedRun } from '../result-store.ts';
import { storableJson, storableText } from './storable-text.ts';
import type { RunRow } from './tables.ts';

interface OpenRunRow extends Pick<RunRow, 'fence' | 'state' | 'reason' | 'message'> {
  readonly registered_ms_ago: number;
  /** False when the run was registered before. */
  readonly created: boolean;
}

/** What opening a run says of it, and whether it was registered by that. */
export type OpeningOfRun = Omit<OpenedRun, 'begun' | 'trials' | keyof StoredComparison> & {
  readonly created: boolean;
};

/** Registers a run, or takes it over with a higher fence. One transaction, one round trip. */
export async function openRun(pool: pg.Pool, run: RunDefinition): Promise<OpeningOfRun> {
  const { rows } = await pool.query<OpenRunRow>(
    `select created, (run).fence, (run).state, (run).reason, (run).message,
       greatest(0, round(extract(epoch from clock_timestamp() - (run).started_at) * 1000))::float8 as registered_ms_ago
     from batchtest.open_run($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`,
    [
      run.uid,
      storableText(run.name),
      run.namespace === undefined ? null : storableText(run.namespace),
      storableText(run.workflowId),
      run.engine,
      run.seed,
      storableJson(run.manifest),
      run.directory === undefined ? null : storableText(run.directory),
      storableJson(run.variants),
      run.trials.map(({ variant }) => variant.id),
      run.trials.map(({ repetition }) => repetition),
      run.manifest.spec.reusePolicy === 'Succeeded',
    ],
  );
  const [row] = rows;
  if (row === undefined) throw new Error('open_run returned no row');
  return {
    created: row.created,
    fence: row.fence,
    registeredMsAgo: row.registered_ms_ago,
    end: endOf(row),
  };
}

/** What the store holds of the trials of a run that was registered just now. */
export const untriedTrials = (run: RunDefinition): readonly StoredTrial[] =>
  run.trials.map(({ variant, repetition }) => ({
    variantId: variant.id,
    repetition,
    phase: 'Pending',
    recordedAttempts: 0,
    countedAttempts: 0,
    failsVariant: false,
    reusedFrom: undefined,
    lastOutcome: undefined,
    metrics: new Map(),
  }));

function endOf({ state, reason, message }: OpenRunRow): RunEnd | undefined {
  if (state === 'Running' || reason === null) return undefined;
  return { state, reason, message: message ?? '' };
}
