import { type Kysely, type Migration, sql } from 'kysely';

/**
 * Everything that writes. Each function is one transaction in one round trip, and the rules of the store are next to the rows
 * that they protect.
 *
 * Whoever opens or ends a run holds its advisory lock alone, whoever records a result shares it, until the transaction ends. So
 * when open_run returns, no write with an older fence is under way any more, and none passes the check after that. The lock is
 * taken by its own statement, because under READ COMMITTED only the next statement is sure to see what was committed while it
 * waited. It is not a row lock: waiters of an advisory lock queue, while readers that keep sharing a row can hold off its writer
 * for ever, and sharing a row writes to it.
 */
const WRITES = `
create function batchtest.run_lock(run_uid text) returns bigint
language sql immutable strict parallel safe
return pg_catalog.hashtextextended('batchtest/run/' || run_uid, 0);
comment on function batchtest.run_lock is 'Key of the advisory lock of a run.';

create function batchtest.open_run(
  p_uid text, p_name text, p_namespace text, p_workflow_id text, p_engine text, p_seed bigint, p_manifest jsonb,
  p_variants jsonb, p_trial_variants text[], p_trial_repetitions integer[],
  out created boolean, out run batchtest.runs
)
language plpgsql as $$
begin
  perform pg_advisory_xact_lock(batchtest.run_lock(p_uid));
  update batchtest.runs r set fence = r.fence + 1 where r.uid = p_uid returning r.* into run;
  created := not found;
  if not created then return; end if;

  insert into batchtest.runs as r (uid, name, namespace, workflow_id, engine, seed, manifest)
  values (p_uid, p_name, p_namespace, p_workflow_id, p_engine, p_seed, p_manifest)
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
end $$;
comment on function batchtest.open_run is 'Registers a run, or takes over one that is registered, with a higher fence.';

create function batchtest.record_attempt(
  p_run_uid text, p_fence bigint, p_variant_id text, p_repetition integer, p_attempt integer, p_trial_phase text,
  p_name text, p_outcome text, p_reason text, p_message text, p_exit_code integer,
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

create function batchtest.finish_run(
  p_run_uid text, p_fence bigint, p_state text, p_reason text, p_message text, out verdict text
)
language plpgsql as $$
declare
  run record;
begin
  perform pg_advisory_xact_lock(batchtest.run_lock(p_run_uid));
  select r.fence, r.state into run from batchtest.runs r where r.uid = p_run_uid;
  verdict := case
    when run.fence is null then 'NoSuchRun'
    when run.fence <> p_fence then 'Fenced'
    when run.state <> 'Running' then 'AlreadyFinished'
    else 'Finished'
  end;
  if verdict <> 'Finished' then return; end if;

  update batchtest.trials t set phase = 'Cancelled' where t.run_uid = p_run_uid and t.phase = 'Pending';
  update batchtest.runs r
  set state = p_state, reason = p_reason, message = p_message, finished_at = clock_timestamp()
  where r.uid = p_run_uid;
  insert into batchtest.outbox (run_uid, kind, payload)
  values (p_run_uid, 'RunFinished', jsonb_build_object('state', p_state, 'reason', p_reason));
end $$;
comment on function batchtest.finish_run is 'Ends a run, once; trials that are still pending are cancelled with it.';
`;

export const writes: Migration = {
  up: async (db: Kysely<unknown>) => {
    await sql.raw(WRITES).execute(db);
  },
};
