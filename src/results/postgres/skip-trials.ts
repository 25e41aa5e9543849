import type { Kysely } from 'kysely';
import type pg from 'pg';
import type { SkipOutcome, SkipRecord } from '../result-store.ts';
import type { Tables } from './tables.ts';

/** Marks trials that need not be run and variants that are stopped early. One transaction, one round trip. */
export async function skipTrials(pool: pg.Pool, record: SkipRecord): Promise<SkipOutcome> {
  const { rows } = await pool.query<{ verdict: SkipOutcome['kind']; refusal: string | null }>(
    'select verdict, refusal from batchtest.skip_trials($1, $2, $3, $4, $5, $6)',
    [
      record.runUid,
      record.fence,
      record.trials.map(({ variantId }) => variantId),
      record.trials.map(({ repetition }) => repetition),
      record.stoppedVariantIds,
      record.look ?? null,
    ],
  );
  const [row] = rows;
  if (row === undefined) throw new Error('skip_trials returned no row');
  return row.verdict === 'Refused' ? { kind: 'Refused', reason: row.refusal ?? '' } : { kind: row.verdict };
}

/** The look at which each of a run's variants was stopped early, by the ID of the variant. */
export async function readStoppedVariants(
  db: Kysely<Tables>,
  runUid: string,
): Promise<ReadonlyMap<string, number>> {
  const rows = await db
    .selectFrom('variants')
    .select(['variant_id', 'stopped_at_look'])
    .where('run_uid', '=', runUid)
    .where('stopped_at_look', 'is not', null)
    .execute();
  return new Map(
    rows.flatMap(({ variant_id: id, stopped_at_look: look }) => (look === null ? [] : [[id, look] as const])),
  );
}
