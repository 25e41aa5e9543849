import type { Kysely } from 'kysely';
import type pg from 'pg';
import type { PreviousRun, PreviousSample } from '../../comparison/previous-run.ts';
import type { Tables } from './tables.ts';

/** Chooses the earlier run that a run is compared with on these metrics, unless that was done before. One transaction. */
export async function choosePreviousRun(
  pool: pg.Pool,
  runUid: string,
  metrics: readonly string[],
): Promise<void> {
  await pool.query('select batchtest.choose_previous_run($1, $2)', [runUid, metrics]);
}

/** The earlier run that a run is compared with, and what was copied of it; undefined when there was none, or none was asked for. */
export async function readPreviousRun(db: Kysely<Tables>, runUid: string): Promise<PreviousRun | undefined> {
  const { previous_run_uid: uid, previous_run_started_at: startedAt } = await db
    .selectFrom('runs')
    .select(['previous_run_uid', 'previous_run_started_at'])
    .where('uid', '=', runUid)
    .executeTakeFirstOrThrow();
  if (uid === null || startedAt === null) return undefined;
  const rows = await db
    .selectFrom('previous_samples')
    .innerJoin('variants', (join) =>
      join
        .onRef('variants.run_uid', '=', 'previous_samples.run_uid')
        .onRef('variants.variant_id', '=', 'previous_samples.variant_id'),
    )
    .select([
      'variants.name',
      'previous_samples.metric',
      'previous_samples.samples',
      'previous_samples.repetitions',
    ])
    .where('previous_samples.run_uid', '=', runUid)
    .execute();
  const byVariant = new Map<string, Map<string, PreviousSample>>();
  for (const { name, metric, samples: values, repetitions } of rows)
    byVariant.set(
      name,
      (byVariant.get(name) ?? new Map()).set(metric, { values, repetitions: repetitions ?? undefined }),
    );
  return { uid, startedAt, samples: byVariant };
}
