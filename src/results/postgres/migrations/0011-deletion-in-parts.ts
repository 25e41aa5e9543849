import { type Kysely, type Migration, sql } from 'kysely';

/**
 * A large run is deleted in parts, each a transaction of its own, so that none takes longer than a statement may. It is gone for whoever reads before the
 * first of its trials is: half of a run must not be taken for a whole one. Replaces the view run_summary of 0005, the view
 * variant_scores of 0009, and the function choose_previous_run of 0005, which 0008 has changed.
 */
const DELETION_IN_PARTS = `
-- Who reads a view locks it, then the tables under it. What is replaced is locked in the same order: with the table first, a reader that waits for it
-- would have the view, and be in a circle with this. It changes nothing, and locks the view alone; lock table would lock what is under it as well, before
-- the next view.
alter view batchtest.run_summary reset (security_barrier);
alter view batchtest.variant_scores reset (security_barrier);

alter table batchtest.runs add column deleting boolean not null default false;
comment on column batchtest.runs.deleting is 'True once its deletion has begun: no view shows it any more, and pruning goes on with it.';

create or replace view batchtest.run_summary as
select
  r.uid, r.name, r.namespace, r.workflow_id, r.engine, r.state, r.reason, r.message, r.started_at, r.finished_at,
  t.total, t.pending, t.succeeded, t.failed, t.cancelled, t.reused,
  r.engine = 'local' and r.state = 'Running' and not batchtest.is_held(r.uid) as is_interrupted,
  t.skipped
from batchtest.runs r
left join lateral (
  select count(*) as total,
    count(*) filter (where phase = 'Pending') as pending,
    count(*) filter (where phase = 'Succeeded') as succeeded,
    count(*) filter (where phase = 'Failed') as failed,
    count(*) filter (where phase = 'Cancelled') as cancelled,
    count(*) filter (where reused_from is not null) as reused,
    count(*) filter (where phase = 'Skipped') as skipped
  from batchtest.trials
  where run_uid = r.uid
) t on true
where not r.deleting;

create or replace view batchtest.variant_scores as
select
  v.run_uid,
  v.variant_id,
  v.position,
  v.name as variant,
  v.parameters,
  counts.trials,
  counts.succeeded,
  counts.failed,
  floor((1 - scores.shortfall) * 1e9 + 0.5) / 1e9 as score,
  case when scores.shortfall is not null and v.stopped_at_look is null
    then rank() over (
      partition by v.run_uid, scores.shortfall is not null and v.stopped_at_look is null order by scores.shortfall
    ) end as rank,
  v.stopped_at_look is not null as stopped_early
from batchtest.variants v
join batchtest.runs r on r.uid = v.run_uid and not r.deleting
join (
  select run_uid, variant_id, count(*) as trials,
    count(*) filter (where phase = 'Succeeded') as succeeded,
    count(*) filter (where phase = 'Failed') as failed
  from batchtest.trials
  group by run_uid, variant_id
) counts on counts.run_uid = v.run_uid and counts.variant_id = v.variant_id
left join (
  select shares.run_uid, shares.variant_id,
    -- Rounded to nine digits, as the code does.
    to_char(sum(shares.weight * shares.share order by shares.position) / total.weight, '9.99999999EEEE')::double precision as shortfall
  from (
    select o.run_uid, s.variant_id, o.position, o.weight,
      case o.goal
        when 'maximize' then batchtest.share_of_worst(s.mean, min(s.mean) over candidates, max(s.mean) over candidates)
        else batchtest.share_of_worst(s.mean, max(s.mean) over candidates, min(s.mean) over candidates)
      end as share
    from batchtest.objective_metrics o
    join batchtest.metric_statistics s on s.run_uid = o.run_uid and s.metric = o.name
    join (
      select t.run_uid, t.variant_id
      from batchtest.trials t
      -- What was measured on data that has changed is no result.
      join batchtest.runs r on r.uid = t.run_uid and r.reason is distinct from 'SharedDataChanged'
      group by t.run_uid, t.variant_id
      having bool_or(t.phase = 'Succeeded') and not bool_or(t.phase = 'Failed')
    ) candidate on candidate.run_uid = s.run_uid and candidate.variant_id = s.variant_id
    window candidates as (partition by o.run_uid, o.position)
  ) shares
  join (
    select run_uid, sum(weight order by position) as weight from batchtest.objective_metrics group by run_uid
  ) total on total.run_uid = shares.run_uid
  group by shares.run_uid, shares.variant_id, total.weight
) scores on scores.run_uid = v.run_uid and scores.variant_id = v.variant_id;

create function batchtest.is_measure(state text, gate text, deleting boolean) returns boolean
language sql immutable parallel safe
return state = 'Complete' and gate is distinct from 'Failed' and not deleting;
comment on function batchtest.is_measure is 'True for a run that later ones of its workflow, engine and namespace may be compared with.';

create or replace function batchtest.choose_previous_run(p_run_uid text, p_metrics text[]) returns void
language plpgsql as $$
declare
  run record;
  previous record;
begin
  perform pg_advisory_xact_lock(batchtest.run_lock(p_run_uid));
  select r.* into run from batchtest.runs r where r.uid = p_run_uid and not r.previous_run_chosen;
  if not found then return; end if;
  -- The lock keeps it from being deleted before its results are copied.
  select e.uid, e.started_at into previous
  from batchtest.runs e
  where e.workflow_id = run.workflow_id and e.engine = run.engine and e.namespace is not distinct from run.namespace
    and batchtest.is_measure(e.state, e.gate, e.deleting)
    and e.uid <> run.uid and e.started_at < run.started_at
  order by e.started_at desc, e.uid
  limit 1
  for share;
  update batchtest.runs r
  set previous_run_chosen = true, previous_run_uid = previous.uid, previous_run_started_at = previous.started_at
  where r.uid = p_run_uid;
  insert into batchtest.previous_samples (run_uid, variant_id, metric, samples, repetitions)
  select p_run_uid, own.variant_id, m.name, array_agg(m.value order by t.repetition), array_agg(t.repetition order by t.repetition)
  from batchtest.variants own
  join batchtest.variants v on v.run_uid = previous.uid and v.parameters = own.parameters
  join batchtest.trials t on t.run_uid = v.run_uid and t.variant_id = v.variant_id
  join batchtest.metrics m
    on m.run_uid = t.run_uid and m.variant_id = t.variant_id and m.repetition = t.repetition and m.attempt = t.accepted_attempt
  where own.run_uid = p_run_uid and m.name = any (p_metrics)
  group by own.variant_id, m.name;
end $$;

create function batchtest.delete_run_part(p_uid text, p_trials integer, out verdict text)
language plpgsql as $$
declare
  run record;
  bound record;
begin
  -- One part after the other; and choose_previous_run, which shares the row, has copied what it chose.
  select r.deleting into run from batchtest.runs r where r.uid = p_uid for update;
  if not found then
    verdict := 'NoSuchRun';
    return;
  end if;
  select t.variant_id, t.repetition into bound
  from batchtest.trials t
  where t.run_uid = p_uid
  order by t.variant_id, t.repetition
  offset p_trials limit 1;
  if not found then
    perform batchtest.delete_runs(array[p_uid]);
    verdict := 'Deleted';
    return;
  end if;
  verdict := 'Partly';
  if not run.deleting then
    update batchtest.runs r set deleting = true where r.uid = p_uid;
    -- Every view of results goes by what is accepted.
    update batchtest.trials t set phase = 'Cancelled', accepted_attempt = null where t.run_uid = p_uid and t.accepted_attempt is not null;
    return;
  end if;
  delete from batchtest.trials t
  where t.run_uid = p_uid and (t.variant_id, t.repetition) < (bound.variant_id, bound.repetition);
  delete from batchtest.variants v where v.run_uid = p_uid and v.variant_id < bound.variant_id;
end $$;
comment on function batchtest.delete_run_part is 'Deletes a run with everything of it when it has no more than p_trials trials; else hides it, and from the next call on deletes as many of them each time.';

comment on schema batchtest is 'Runs of BatchTests and their results. Written only by the functions open_run, choose_previous_run, record_attempt, record_pushed_attempt, push_result, skip_trials, end_run, request_cancel, prune_runs, delete_runs and delete_run_part, and, of what follows from a result, claim_messages, extend_messages, settle_messages, retry_messages, delete_delivered, note_artifacts and note_results.';
`;

export const deletionInParts: Migration = {
  up: async (db: Kysely<unknown>) => {
    await sql.raw(DELETION_IN_PARTS).execute(db);
  },
};
