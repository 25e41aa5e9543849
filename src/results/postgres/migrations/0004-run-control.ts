import { type Kysely, type Migration, sql } from 'kysely';

/**
 * Control of a run: which attempts count toward the limit of retries, variants that are given up, results that are taken over from earlier runs, local
 * runs that are resumed or cancelled from another process, and pruning. Replaces functions of 0002 and views of 0003.
 */
const RUN_CONTROL = `
comment on schema batchtest is 'Runs of BatchTests and their results. Written only by the functions open_run, record_attempt, finish_run, request_cancel and prune_runs.';

alter table batchtest.runs
  add column directory text,
  add column cancel_requested boolean not null default false;
create index on batchtest.runs (finished_at) where finished_at is not null;
comment on column batchtest.runs.directory is 'Where the manifest of a local run was; null in a cluster.';
comment on column batchtest.runs.cancel_requested is 'True once somebody asked for the end of a local run from another process.';

alter table batchtest.trials
  add column counted_attempts integer not null default 0,
  add column fails_variant boolean not null default false,
  add column reused_from text;
-- Until now every recorded attempt counted.
update batchtest.trials set counted_attempts = recorded_attempts where recorded_attempts > 0;
alter table batchtest.trials
  add check (counted_attempts <= recorded_attempts),
  add check (phase = 'Failed' or not fails_variant);
comment on column batchtest.trials.counted_attempts is 'Those attempts that count toward the limit of retries.';
comment on column batchtest.trials.fails_variant is 'True when its failure is that of the whole variant, of which nothing more is run.';
comment on column batchtest.trials.reused_from is 'The run that the result was taken over from; null when the trial was run.';

create function batchtest.hold_lock(run_uid text) returns bigint
language sql immutable strict parallel safe
return pg_catalog.hashtextextended('batchtest/hold/' || run_uid, 0);
comment on function batchtest.hold_lock is 'Key of the advisory lock that the process which runs a local run holds for as long as it lives.';

create function batchtest.is_held(run_uid text) returns boolean
language sql stable strict
return exists (
  select from pg_catalog.pg_locks l
  where l.locktype = 'advisory' and l.granted and l.objsubid = 1
    and l.database = (select d.oid from pg_catalog.pg_database d where d.datname = current_database())
    and (l.classid::bigint << 32) | l.objid::bigint = batchtest.hold_lock(run_uid)
);
comment on function batchtest.is_held is 'True while a process runs this local run.';

drop function batchtest.open_run(text, text, text, text, text, bigint, jsonb, jsonb, text[], integer[]);
create function batchtest.open_run(
  p_uid text, p_name text, p_namespace text, p_workflow_id text, p_engine text, p_seed bigint, p_manifest jsonb,
  p_directory text, p_variants jsonb, p_trial_variants text[], p_trial_repetitions integer[], p_reuse boolean,
  out created boolean, out run batchtest.runs
)
language plpgsql as $$
begin
  perform pg_advisory_xact_lock(batchtest.run_lock(p_uid));
  update batchtest.runs r set fence = r.fence + 1 where r.uid = p_uid returning r.* into run;
  created := not found;
  if not created then return; end if;

  insert into batchtest.runs as r (uid, name, namespace, workflow_id, engine, seed, manifest, directory)
  values (p_uid, p_name, p_namespace, p_workflow_id, p_engine, p_seed, p_manifest, p_directory)
  returning r.* into run;

  insert into batchtest.objective_metrics (run_uid, position, name, goal, weight)
  select p_uid, m.number - 1, m.metric->>'name', m.metric->>'goal', (m.metric->>'weight')::double precision
  from jsonb_array_elements(p_manifest #> '{spec,objective,metrics}') with ordinality as m (metric, number);

  insert into batchtest.variants (run_uid, variant_id, position, name, parameters)
  select p_uid, v.variant->>'id', v.number - 1, v.variant->>'name', v.variant->'parameters'
  from jsonb_array_elements(p_variants) with ordinality as v (variant, number);

  insert into batchtest.trials (run_uid, variant_id, repetition, position)
  select p_uid, t.variant_id, t.repetition, t.number - 1
  from unnest(p_trial_variants, p_trial_repetitions) with ordinality as t (variant_id, repetition, number);

  if not p_reuse then return; end if;
  with reusable as (
    select distinct on (e.variant_id, e.repetition) a.*
    from batchtest.runs r
    join batchtest.trials e on e.run_uid = r.uid and e.phase = 'Succeeded' and e.reused_from is null
    join batchtest.trials due on due.run_uid = p_uid and due.variant_id = e.variant_id and due.repetition = e.repetition
    join batchtest.attempts a
      on a.run_uid = e.run_uid and a.variant_id = e.variant_id and a.repetition = e.repetition and a.attempt = e.accepted_attempt
    where r.workflow_id = p_workflow_id and r.uid <> p_uid
      and r.engine = p_engine and r.namespace is not distinct from p_namespace
      -- A variant's id stands for the template and its parameters; locally this may be run in the template's place.
      and (p_engine <> 'local' or (
        r.directory is not distinct from p_directory
        and r.manifest #> '{spec,local}' is not distinct from p_manifest #> '{spec,local}'
      ))
      and not exists (
        select from batchtest.objective_metrics o
        where o.run_uid = p_uid and not exists (
          select from batchtest.metrics m
          where m.run_uid = a.run_uid and m.variant_id = a.variant_id and m.repetition = a.repetition
            and m.attempt = a.attempt and m.name = o.name
        )
      )
    order by e.variant_id, e.repetition, a.finished_at desc, r.uid
  ), attempts as (
    insert into batchtest.attempts (
      run_uid, variant_id, repetition, attempt, name, outcome, reason, message, exit_code, started_at, finished_at, logs, outputs
    )
    select p_uid, u.variant_id, u.repetition, 1, u.name, u.outcome, 'Reused', 'taken over from run ' || u.run_uid,
      u.exit_code, u.started_at, u.finished_at, u.logs, u.outputs
    from reusable u
  ), metrics as (
    insert into batchtest.metrics (run_uid, variant_id, repetition, attempt, name, value)
    select p_uid, m.variant_id, m.repetition, 1, m.name, m.value
    from reusable u
    join batchtest.metrics m
      on m.run_uid = u.run_uid and m.variant_id = u.variant_id and m.repetition = u.repetition and m.attempt = u.attempt
  ), artifacts as (
    insert into batchtest.artifacts (run_uid, variant_id, repetition, attempt, position, name, uri, sha256, size_bytes)
    select p_uid, f.variant_id, f.repetition, 1, f.position, f.name, f.uri, f.sha256, f.size_bytes
    from reusable u
    join batchtest.artifacts f
      on f.run_uid = u.run_uid and f.variant_id = u.variant_id and f.repetition = u.repetition and f.attempt = u.attempt
  )
  update batchtest.trials t
  set phase = 'Succeeded', recorded_attempts = 1, last_outcome = 'Succeeded', accepted_attempt = 1, reused_from = u.run_uid
  from reusable u
  where t.run_uid = p_uid and t.variant_id = u.variant_id and t.repetition = u.repetition;
end $$;
comment on function batchtest.open_run is 'Registers a run, or takes over one that is registered, with a higher fence.';

drop function batchtest.record_attempt(
  text, bigint, text, integer, integer, text, text, text, text, text, integer, timestamptz, timestamptz, text, jsonb, text[], double precision[], jsonb
);
create function batchtest.record_attempt(
  p_run_uid text, p_fence bigint, p_variant_id text, p_repetition integer, p_attempt integer, p_trial_phase text,
  p_counts boolean, p_fails_variant boolean, p_name text, p_outcome text, p_reason text, p_message text, p_exit_code integer,
  p_started_at timestamptz, p_finished_at timestamptz, p_logs text, p_outputs jsonb,
  p_metric_names text[], p_metric_values double precision[], p_artifacts jsonb,
  out verdict text, out refusal text
)
language plpgsql as $$
declare
  run record;
  trial record;
begin
  perform pg_advisory_xact_lock_shared(batchtest.run_lock(p_run_uid));
  select r.fence, r.state into run from batchtest.runs r where r.uid = p_run_uid;
  if not found then
    verdict := 'Refused';
    refusal := 'there is no such run';
    return;
  end if;
  if run.fence <> p_fence then
    verdict := 'Fenced';
    return;
  end if;

  select t.phase, t.recorded_attempts into trial
  from batchtest.trials t
  where t.run_uid = p_run_uid and t.variant_id = p_variant_id and t.repetition = p_repetition
  for no key update;
  if not found then
    verdict := 'Refused';
    refusal := 'the run has no such trial';
    return;
  end if;
  if p_attempt <= trial.recorded_attempts and exists (
    select from batchtest.attempts a
    where a.run_uid = p_run_uid and a.variant_id = p_variant_id and a.repetition = p_repetition and a.attempt = p_attempt
  ) then
    verdict := 'AlreadyRecorded';
    return;
  end if;
  refusal := case
    when run.state <> 'Running' then 'the run is over: ' || run.state
    when trial.phase <> 'Pending' then 'the trial is over: ' || trial.phase
    when p_attempt <= trial.recorded_attempts then 'attempt ' || trial.recorded_attempts || ' of the trial is stored, which is later'
    when p_trial_phase not in ('Pending', 'Succeeded', 'Failed') then 'an attempt cannot make a trial ' || p_trial_phase
    when p_trial_phase = 'Succeeded' and p_outcome <> 'Succeeded' then 'a trial cannot succeed by an attempt that did not: ' || p_outcome
  end;
  if refusal is not null then
    verdict := 'Refused';
    return;
  end if;

  insert into batchtest.attempts (
    run_uid, variant_id, repetition, attempt, name, outcome, reason, message, exit_code, started_at, finished_at, logs, outputs
  ) values (
    p_run_uid, p_variant_id, p_repetition, p_attempt, p_name, p_outcome, p_reason, p_message, p_exit_code,
    p_started_at, p_finished_at, p_logs, p_outputs
  );
  update batchtest.trials t
  set phase = p_trial_phase,
    recorded_attempts = p_attempt,
    counted_attempts = t.counted_attempts + p_counts::integer,
    fails_variant = p_fails_variant,
    last_outcome = p_outcome,
    accepted_attempt = case when p_trial_phase = 'Succeeded' then p_attempt end
  where t.run_uid = p_run_uid and t.variant_id = p_variant_id and t.repetition = p_repetition;
  insert into batchtest.metrics (run_uid, variant_id, repetition, attempt, name, value)
  select p_run_uid, p_variant_id, p_repetition, p_attempt, m.name, m.value
  from unnest(p_metric_names, p_metric_values) as m (name, value);
  if p_artifacts is not null then
    insert into batchtest.artifacts (run_uid, variant_id, repetition, attempt, position, name, uri, sha256, size_bytes)
    select p_run_uid, p_variant_id, p_repetition, p_attempt, a.number - 1,
      a.artifact->>'name', a.artifact->>'uri', a.artifact->>'sha256', (a.artifact->>'size')::bigint
    from jsonb_array_elements(p_artifacts) with ordinality as a (artifact, number);
  end if;
  insert into batchtest.outbox (run_uid, kind, payload)
  values (p_run_uid, 'ResultStored', jsonb_build_object(
    'variantId', p_variant_id, 'repetition', p_repetition, 'attempt', p_attempt,
    'outcome', p_outcome, 'trialPhase', p_trial_phase
  ));
  verdict := 'Recorded';
end $$;
comment on function batchtest.record_attempt is 'Stores the end of an attempt and what becomes of its trial, once.';

create function batchtest.request_cancel(p_run_uid text, out verdict text)
language plpgsql as $$
begin
  update batchtest.runs r set cancel_requested = true where r.uid = p_run_uid and r.state = 'Running';
  verdict := case
    when found then 'Requested'
    when exists (select from batchtest.runs r where r.uid = p_run_uid) then 'AlreadyFinished'
    else 'NoSuchRun'
  end;
end $$;
comment on function batchtest.request_cancel is 'Asks the process that runs a local run to end it.';

create function batchtest.prune_runs(p_before timestamptz, p_workflow_id text, p_keep integer, p_dry_run boolean)
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
  if p_dry_run then return; end if;
  -- The cascade reaches the trials before the attempts that they accept.
  update batchtest.trials t set phase = 'Cancelled', accepted_attempt = null where t.run_uid = any (chosen) and t.accepted_attempt is not null;
  delete from batchtest.outbox o where o.run_uid = any (chosen);
  delete from batchtest.runs r where r.uid = any (chosen);
end $$;
comment on function batchtest.prune_runs is 'Deletes runs that ended before a time, but of each workflow the newest p_keep; with p_dry_run it only tells which.';
create or replace function batchtest.share_of_best(mean double precision, worst double precision, best double precision) returns double precision
language sql immutable parallel safe
return case
  -- Means that differ by the rounding of their sums are equal.
  when abs(best - worst) <= 1e-12 * greatest(abs(best), abs(worst)) then 1
  -- Too small to be seen in a score, and dividing it could underflow.
  when abs(mean - worst) < abs(best - worst) * 1e-15 then 0
  else abs(mean - worst) / abs(best - worst)
end;
comment on function batchtest.share_of_best is 'Where a mean is between the worst (0) and the best (1).';

create or replace view batchtest.run_summary as
select
  r.uid, r.name, r.namespace, r.workflow_id, r.engine, r.state, r.reason, r.message, r.started_at, r.finished_at,
  t.total, t.pending, t.succeeded, t.failed, t.cancelled, t.reused,
  r.engine = 'local' and r.state = 'Running' and not batchtest.is_held(r.uid) as is_interrupted
from batchtest.runs r
left join lateral (
  select count(*) as total,
    count(*) filter (where phase = 'Pending') as pending,
    count(*) filter (where phase = 'Succeeded') as succeeded,
    count(*) filter (where phase = 'Failed') as failed,
    count(*) filter (where phase = 'Cancelled') as cancelled,
    count(*) filter (where reused_from is not null) as reused
  from batchtest.trials
  where run_uid = r.uid
) t on true;
comment on view batchtest.run_summary is 'Each run with the number of its trials in each phase. A local run is interrupted when the process that ran it has gone without ending it.';
`;

export const runControl: Migration = {
  up: async (db: Kysely<unknown>) => {
    await sql.raw(RUN_CONTROL).execute(db);
  },
};
