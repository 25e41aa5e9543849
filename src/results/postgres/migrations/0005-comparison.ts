import { type Kysely, type Migration, sql } from 'kysely';

/**
 * The rest of the comparison: trials that need not be run, variants that were stopped early, the earlier run that a run is compared with, and
 * the order of equally good variants. Replaces the views variant_scores, best_variant and run_summary of 0003 and 0004.
 */
const COMPARISON = `
comment on schema batchtest is 'Runs of BatchTests and their results. Written only by the functions open_run, choose_previous_run, record_attempt, skip_trials, end_run, request_cancel and prune_runs.';

alter table batchtest.trials
  drop constraint trials_phase_check,
  add constraint trials_phase_check check (phase in ('Pending', 'Succeeded', 'Failed', 'Cancelled', 'Skipped'));
comment on column batchtest.trials.phase is 'Skipped: it need not be run, because its variant was stopped early or another one met the targets.';

alter table batchtest.variants add column stopped_at_look integer check (stopped_at_look >= 1);
comment on column batchtest.variants.stopped_at_look is 'The look at which it was found to be behind, so that no more of it is run; null unless it was stopped early.';

alter table batchtest.runs
  add column gate text check (gate in ('Passed', 'Failed')),
  add column previous_run_chosen boolean not null default false,
  add column previous_run_uid text,
  add column previous_run_started_at timestamptz;
comment on column batchtest.runs.gate is 'Whether the run keeps the limits of its gates; null without gates, and while it is not over.';
comment on column batchtest.runs.previous_run_chosen is 'True once the earlier run to compare with was looked for.';
comment on column batchtest.runs.previous_run_uid is 'The earlier run that its gates compare with, which may have been deleted since; null when there was none.';

create table batchtest.previous_samples (
  run_uid text not null,
  variant_id text not null,
  metric text not null,
  samples double precision[] not null,
  primary key (run_uid, variant_id, metric),
  foreign key (run_uid, variant_id) references batchtest.variants on delete cascade
);
comment on table batchtest.previous_samples is 'What the earlier run that a run is compared with measured of the variant with the same parameters. A copy: it stays when that run is deleted.';

create function batchtest.choose_previous_run(p_run_uid text, p_metrics text[]) returns void
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
    and e.state = 'Complete' and e.gate is distinct from 'Failed'
    and e.uid <> run.uid and e.started_at < run.started_at
  order by e.started_at desc, e.uid
  limit 1
  for share;
  update batchtest.runs r
  set previous_run_chosen = true, previous_run_uid = previous.uid, previous_run_started_at = previous.started_at
  where r.uid = p_run_uid;
  insert into batchtest.previous_samples (run_uid, variant_id, metric, samples)
  select p_run_uid, own.variant_id, m.name, array_agg(m.value order by t.repetition)
  from batchtest.variants own
  join batchtest.variants v on v.run_uid = previous.uid and v.parameters = own.parameters
  join batchtest.trials t on t.run_uid = v.run_uid and t.variant_id = v.variant_id
  join batchtest.metrics m
    on m.run_uid = t.run_uid and m.variant_id = t.variant_id and m.repetition = t.repetition and m.attempt = t.accepted_attempt
  where own.run_uid = p_run_uid and m.name = any (p_metrics)
  group by own.variant_id, m.name;
end $$;
comment on function batchtest.choose_previous_run is 'Chooses the earlier run that a run is compared with, once: the newest one of the workflow, engine and namespace that is complete and did not fail its gates.';

create function batchtest.skip_trials(
  p_run_uid text, p_fence bigint, p_trial_variants text[], p_trial_repetitions integer[], p_stopped text[], p_look integer,
  out verdict text, out refusal text
)
language plpgsql as $$
declare
  run record;
  other record;
begin
  perform pg_advisory_xact_lock_shared(batchtest.run_lock(p_run_uid));
  select r.fence, r.state into run from batchtest.runs r where r.uid = p_run_uid;
  if run.fence is distinct from p_fence then
    verdict := 'Fenced';
    return;
  end if;
  verdict := 'Refused';
  if run.state <> 'Running' then
    refusal := 'the run is over: ' || run.state;
    return;
  end if;
  select t.variant_id, t.repetition, t.phase into other
  from batchtest.trials t
  join unnest(p_trial_variants, p_trial_repetitions) as s (variant_id, repetition)
    on t.variant_id = s.variant_id and t.repetition = s.repetition
  where t.run_uid = p_run_uid and t.phase not in ('Pending', 'Skipped')
  limit 1;
  if found then
    refusal := 'trial ' || other.variant_id || '/' || other.repetition || ' is over: ' || other.phase;
    return;
  end if;
  update batchtest.trials t set phase = 'Skipped'
  from unnest(p_trial_variants, p_trial_repetitions) as s (variant_id, repetition)
  where t.run_uid = p_run_uid and t.variant_id = s.variant_id and t.repetition = s.repetition and t.phase = 'Pending';
  update batchtest.variants v set stopped_at_look = p_look
  where v.run_uid = p_run_uid and v.variant_id = any (p_stopped) and v.stopped_at_look is null;
  verdict := 'Skipped';
end $$;
comment on function batchtest.skip_trials is 'Marks trials that need not be run, and variants that are stopped early; what is marked already stays as it is.';

create function batchtest.end_run(
  p_run_uid text, p_fence bigint, p_state text, p_reason text, p_message text, p_gate text, out verdict text
)
language plpgsql as $$
begin
  perform pg_advisory_xact_lock(batchtest.run_lock(p_run_uid));
  update batchtest.runs r set gate = p_gate where r.uid = p_run_uid and r.fence = p_fence and r.state = 'Running';
  select f.verdict into verdict from batchtest.finish_run(p_run_uid, p_fence, p_state, p_reason, p_message) f;
end $$;
comment on function batchtest.end_run is 'Ends a run, once, with what came of its gates.';

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
  scores.score,
  case when scores.score is not null and v.stopped_at_look is null
    then rank() over (
      partition by v.run_uid, scores.score is not null and v.stopped_at_look is null order by scores.score desc
    ) end as rank,
  v.stopped_at_look is not null as stopped_early
from batchtest.variants v
join (
  select run_uid, variant_id, count(*) as trials,
    count(*) filter (where phase = 'Succeeded') as succeeded,
    count(*) filter (where phase = 'Failed') as failed
  from batchtest.trials
  group by run_uid, variant_id
) counts on counts.run_uid = v.run_uid and counts.variant_id = v.variant_id
left join (
  select shares.run_uid, shares.variant_id,
    floor(sum(shares.weight * shares.share order by shares.position) / total.weight * 1e9 + 0.5) / 1e9 as score
  from (
    select o.run_uid, s.variant_id, o.position, o.weight,
      case o.goal
        when 'maximize' then batchtest.share_of_best(s.mean, min(s.mean) over candidates, max(s.mean) over candidates)
        else batchtest.share_of_best(s.mean, max(s.mean) over candidates, min(s.mean) over candidates)
      end as share
    from batchtest.objective_metrics o
    join batchtest.metric_statistics s on s.run_uid = o.run_uid and s.metric = o.name
    join (
      select run_uid, variant_id
      from batchtest.trials
      group by run_uid, variant_id
      having bool_or(phase = 'Succeeded') and not bool_or(phase = 'Failed')
    ) candidate on candidate.run_uid = s.run_uid and candidate.variant_id = s.variant_id
    window candidates as (partition by o.run_uid, o.position)
  ) shares
  join (
    select run_uid, sum(weight order by position) as weight from batchtest.objective_metrics group by run_uid
  ) total on total.run_uid = shares.run_uid
  group by shares.run_uid, shares.variant_id, total.weight
) scores on scores.run_uid = v.run_uid and scores.variant_id = v.variant_id;
comment on view batchtest.variant_scores is 'The variants of a run with their score from 0 to 1 among each other. A variant with a failed trial, or without a result, has none. Equal scores share a rank. A variant that was stopped early has no rank.';

create function batchtest.preferred_of(best double precision[], candidate double precision[]) returns double precision[]
language plpgsql immutable strict parallel safe as $$
declare
  one double precision;
  other double precision;
begin
  for place in 2 .. cardinality(best) loop
    one := best[place];
    other := candidate[place];
    -- Means that differ by the rounding of their sums are equal.
    continue when abs(one - other) <= 1e-12 * greatest(abs(one), abs(other));
    return case when other > one then candidate else best end;
  end loop;
  return best;
end $$;
comment on function batchtest.preferred_of is 'The array whose first different element after the first one is larger; the first array when none differs.';
create aggregate batchtest.preferred(double precision[]) (
  sfunc = batchtest.preferred_of, stype = double precision[], parallel = safe
);
comment on aggregate batchtest.preferred(double precision[]) is 'The array that preferred_of prefers to all others, in their order.';

create or replace view batchtest.best_variant as
select
  v.run_uid, r.name as run, r.workflow_id, v.variant_id, v.name as variant, v.parameters, chosen.score
from (
  select equals.run_uid, max(equals.score) as score,
    (batchtest.preferred(equals.place order by equals.position))[1]::integer as position
  from (
    select s.run_uid, s.position, s.score,
      array[s.position::double precision] || coalesce(tie_break.means, '{}') as place
    from batchtest.variant_scores s
    left join (
      select m.run_uid, m.variant_id,
        array_agg(case o.goal when 'maximize' then m.mean else -m.mean end order by metric.number) as means
      from batchtest.runs r
      cross join jsonb_array_elements_text(r.manifest #> '{spec,comparison,tieBreak}') with ordinality as metric (name, number)
      join batchtest.objective_metrics o on o.run_uid = r.uid and o.name = metric.name
      join batchtest.metric_statistics m on m.run_uid = r.uid and m.metric = metric.name
      group by m.run_uid, m.variant_id
    ) tie_break on tie_break.run_uid = s.run_uid and tie_break.variant_id = s.variant_id
    where s.rank = 1
  ) equals
  group by equals.run_uid
) chosen
join batchtest.variants v on v.run_uid = chosen.run_uid and v.position = chosen.position
join batchtest.runs r on r.uid = v.run_uid;
comment on view batchtest.best_variant is 'The best variant of each run that has one; of equal ones the one that comparison.tieBreak prefers, then the first in the BatchTest.';

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
) t on true;
comment on view batchtest.run_summary is 'Each run with the number of its trials in each phase. A local run is interrupted when the process that ran it has gone without ending it.';
`;

export const comparison: Migration = {
  up: async (db: Kysely<unknown>) => {
    await sql.raw(COMPARISON).execute(db);
  },
};
