import type { Kysely } from 'kysely';
import type { StoredTrial } from '../../core/run-ledger.ts';
import type { Tables } from './tables.ts';

type TrialKey = Pick<StoredTrial, 'variantId' | 'repetition'>;

const NO_METRICS: ReadonlyMap<string, number> = new Map();

/** The trials of a run in the order in which they start, with what their accepted results have measured of the objective's metrics; or only one of them. */
export async function readTrials(
  db: Kysely<Tables>,
  runUid: string,
  only?: TrialKey,
): Promise<readonly StoredTrial[]> {
  let query = db
    .selectFrom('trials')
    .select([
      'variant_id',
      'repetition',
      'phase',
      'recorded_attempts',
      'counted_attempts',
      'fails_variant',
      'reused_from',
      'last_outcome',
    ])
    .where('run_uid', '=', runUid)
    .orderBy('position');
  if (only !== undefined)
    query = query.where('variant_id', '=', only.variantId).where('repetition', '=', only.repetition);
  const rows = await query.execute();
  const metrics = await readAcceptedMetrics(db, runUid, 'Objective', only);
  return rows.map((row) => ({
    variantId: row.variant_id,
    repetition: row.repetition,
    phase: row.phase,
    recordedAttempts: row.recorded_attempts,
    countedAttempts: row.counted_attempts,
    failsVariant: row.fails_variant,
    reusedFrom: row.reused_from ?? undefined,
    lastOutcome: row.last_outcome ?? undefined,
    metrics: metrics.get(trialKey(row.variant_id, row.repetition)) ?? NO_METRICS,
  }));
}

/**
 * The metrics of the accepted results of a run, or of one of its trials, by {@link trialKey}.
 * @param which those of the objective decide about the run. All of them may be more than a process can hold of several runs: 256 a result.
 */
export async function readAcceptedMetrics(
  db: Kysely<Tables>,
  runUid: string,
  which: 'All' | 'Objective',
  only?: TrialKey,
): Promise<ReadonlyMap<string, ReadonlyMap<string, number>>> {
  let query = db
    .selectFrom('trials')
    .innerJoin('metrics', (join) =>
      join
        .onRef('metrics.run_uid', '=', 'trials.run_uid')
        .onRef('metrics.variant_id', '=', 'trials.variant_id')
        .onRef('metrics.repetition', '=', 'trials.repetition')
        .onRef('metrics.attempt', '=', 'trials.accepted_attempt'),
    )
    .select(['metrics.variant_id', 'metrics.repetition', 'metrics.name', 'metrics.value'])
    .where('trials.run_uid', '=', runUid);
  if (which === 'Objective')
    query = query.where('metrics.name', 'in', (names) =>
      names.selectFrom('objective_metrics').select('name').where('run_uid', '=', runUid),
    );
  if (only !== undefined)
    query = query
      .where('trials.variant_id', '=', only.variantId)
      .where('trials.repetition', '=', only.repetition);
  const byTrial = new Map<string, Map<string, number>>();
  for (const { variant_id, repetition, name, value } of await query.execute()) {
    const key = trialKey(variant_id, repetition);
    const metrics = byTrial.get(key);
    if (metrics === undefined) byTrial.set(key, new Map([[name, value]]));
    else metrics.set(name, value);
  }
  return byTrial;
}

/** Identifies a trial within its run. */
export const trialKey = (variantId: string, repetition: number): string => `${variantId}/${repetition}`;
