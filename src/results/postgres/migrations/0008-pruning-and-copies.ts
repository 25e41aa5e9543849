import { type Kysely, type Migration, sql } from 'kysely';
import { patched } from './patched-function.ts';

/** Runs that are due are deleted apart from being looked for, so that however many there are, no statement takes long. Replaces prune_runs of 0004. */
const PRUNING = `
create function batchtest.delete_runs(p_uids text[]) returns setof text
language plpgsql as $$
begin
  -- The cascade reaches the trials before the attempts that they accept.
  update batchtest.trials t set phase = 'Cancelled', accepted_attempt = null where t.run_uid = any (p_uids) and t.accepted_attempt is not null;
  delete from batchtest.outbox o where o.run_uid = any (p_uids);
  return query delete from batchtest.runs r where r.uid = any (p_uids) returning r.uid;
end $$;
comment on function batchtest.delete_runs is 'Deletes runs with everything of them, and gives those that were there.';

create or replace function batchtest.prune_runs(p_before timestamptz, p_workflow_id text, p_keep integer, p_dry_run boolean)
returns table (uid text, name text, engine text, finished_at timestamptz)
language plpgsql as $$
declare
  chosen text[];
begin
  select coalesce(array_agg(r.uid), '{}') into chosen
  from (
    select r.uid, r.finished_at,
      row_number() over (partition by r.workflow_id order by r.finished_at desc, r.uid) as place
    from batchtest.runs r
    where r.finished_at is not null and (p_workflow_id is null or r.workflow_id = p_workflow_id)
  ) r
  where r.finished_at < p_before and r.place > p_keep;
  return query select r.uid, r.name, r.engine, r.finished_at from batchtest.runs r where r.uid = any (chosen) order by r.finished_at;
  if not p_dry_run then perform batchtest.delete_runs(chosen); end if;
end $$;

comment on schema batchtest is 'Runs of BatchTests and their results. Written only by the functions open_run, choose_previous_run, record_attempt, record_pushed_attempt, push_result, skip_trials, end_run, request_cancel, prune_runs and delete_runs, and, of what follows from a result, claim_messages, extend_messages, settle_messages, retry_messages, delete_delivered, note_artifacts and note_results.';
`;

/**
 * What is copied of an earlier run is copied whole: an artifact that is taken over lost its media type, and values lost their
 * repetitions, by which they are compared with those of a variant that was stopped early. Changes open_run of 0004 and choose_previous_run of 0005.
 */
const COPIES = `
-- Columns are added to what they copy, whatever else they have become.
${patched('0008', 'open_run', 'copy artifacts', [
  ['position, name, uri, sha256, size_bytes)', 'position, name, uri, sha256, size_bytes, media_type)'],
  [
    'f.position, f.name, f.uri, f.sha256, f.size_bytes',
    'f.position, f.name, f.uri, f.sha256, f.size_bytes, f.media_type',
  ],
])}
alter table batchtest.previous_samples add column repetitions integer[];
comment on column batchtest.previous_samples.repetitions is 'Which repetitions the samples are of, in their order; null for those that were copied before that was kept.';
${patched('0008', 'choose_previous_run', 'copy samples', [
  ['(run_uid, variant_id, metric, samples)', '(run_uid, variant_id, metric, samples, repetitions)'],
  [
    'array_agg(m.value order by t.repetition)',
    'array_agg(m.value order by t.repetition), array_agg(t.repetition order by t.repetition)',
  ],
])}
`;

export const pruningAndCopies: Migration = {
  up: async (db: Kysely<unknown>) => {
    await sql.raw(PRUNING).execute(db);
    await sql.raw(COPIES).execute(db);
  },
};
