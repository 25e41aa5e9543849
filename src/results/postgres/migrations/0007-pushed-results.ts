import { type Kysely, type Migration, sql } from 'kysely';

/**
 * Results that programs push. Until the end of its attempt is recorded, what was pushed is kept apart, under the start of the program that pushed it; the record takes
 * its outputs over, without that they leave the database, and deletes it in the same transaction.
 *
 * push_result and record_pushed_attempt lock in the order of record_attempt: the run's advisory lock, then the row of the trial. So of a push and the record of its
 * attempt, one sees what the other has done.
 */
const PUSHED_RESULTS = `
create table batchtest.pushed_results (
  run_uid text not null,
  variant_id text not null,
  repetition integer not null,
  attempt integer not null check (attempt >= 1),
  start_id text not null,
  sha256 text not null check (sha256 ~ '^[0-9a-f]{64}$'),
  metrics jsonb not null,
  artifacts jsonb not null,
  outputs jsonb,
  pushed_at timestamptz not null default clock_timestamp(),
  primary key (run_uid, variant_id, repetition, attempt, start_id),
  foreign key (run_uid, variant_id, repetition) references batchtest.trials on delete cascade
);
comment on table batchtest.pushed_results is 'A result that a program pushed and whose attempt is not recorded yet.';
comment on column batchtest.pushed_results.start_id is 'Tells one start of the program from another of the same attempt: the UID of a pod.';
comment on column batchtest.pushed_results.sha256 is 'Of the bytes that were pushed.';

create function batchtest.push_result(
  p_run_uid text, p_namespace text, p_variant_id text, p_repetition integer, p_attempt integer, p_start_id text,
  p_sha256 text, p_metrics jsonb, p_artifacts jsonb, p_outputs jsonb,
  out verdict text, out message text
)
language plpgsql as $$
declare
  run record;
  trial record;
  stored text;
begin
  perform pg_advisory_xact_lock_shared(batchtest.run_lock(p_run_uid));
  select r.state, r.namespace, r.manifest #>> '{spec,results,push}' as push into run
  from batchtest.runs r where r.uid = p_run_uid;
  if not found or run.namespace is distinct from p_namespace then
    verdict := 'NoSuchRun';
    message := 'there is no such run';
    return;
  end if;
  if run.push is distinct from 'true' then
    verdict := 'PushNotEnabled';
    message := 'spec.results.push of the BatchTest is not true';
    return;
  end if;
  select t.phase, t.recorded_attempts into trial
  from batchtest.trials t
  where t.run_uid = p_run_uid and t.variant_id = p_variant_id and t.repetition = p_repetition
  for no key update;
  if not found then
    verdict := 'NoSuchRun';
    message := 'the run has no such trial';
    return;
  end if;
  if p_attempt <= trial.recorded_attempts then
    verdict := 'AttemptEnded';
    message := 'the end of attempt ' || p_attempt || ' of the trial is recorded' ||
      case when p_attempt < trial.recorded_attempts then ', and that of a later one' else '' end;
    return;
  end if;
  if run.state <> 'Running' or trial.phase <> 'Pending' then
    verdict := 'RunOver';
    message := case
      when run.state <> 'Running' then 'the run is over: ' || run.state
      else 'the trial is over: ' || trial.phase
    end;
    return;
  end if;
  insert into batchtest.pushed_results (
    run_uid, variant_id, repetition, attempt, start_id, sha256, metrics, artifacts, outputs
  ) values (
    p_run_uid, p_variant_id, p_repetition, p_attempt, p_start_id, p_sha256, p_metrics, p_artifacts, p_outputs
  ) on conflict do nothing;
  select p.sha256 into stored from batchtest.pushed_results p
  where p.run_uid = p_run_uid and p.variant_id = p_variant_id and p.repetition = p_repetition
    and p.attempt = p_attempt and p.start_id = p_start_id;
  verdict := case when stored = p_sha256 then 'Stored' else 'OtherResultStored' end;
  message := case when stored <> p_sha256 then 'another result of this attempt is stored, which stands' end;
end $$;
comment on function batchtest.push_result is 'Stores a result that a program pushed, once, unless the end of its attempt is recorded.';

-- With p_sha256 the result is what this start of the program pushed, whose outputs it takes over; without it the verdict rests on that p_start_id has pushed
-- nothing. Without a p_start_id whatever was pushed does not count.
create function batchtest.record_pushed_attempt(
  p_start_id text, p_sha256 text,
  p_run_uid text, p_fence bigint, p_variant_id text, p_repetition integer, p_attempt integer, p_trial_phase text,
  p_counts boolean, p_fails_variant boolean, p_name text, p_outcome text, p_reason text, p_message text, p_exit_code integer,
  p_started_at timestamptz, p_finished_at timestamptz, p_logs text, p_outputs jsonb,
  p_metric_names text[], p_metric_values double precision[], p_artifacts jsonb, p_digest text,
  out verdict text, out refusal text
)
language plpgsql as $$
declare
  recorded integer;
  pushed_sha256 text;
  pushed_outputs jsonb;
begin
  perform pg_advisory_xact_lock_shared(batchtest.run_lock(p_run_uid));
  select t.recorded_attempts into recorded
  from batchtest.trials t
  where t.run_uid = p_run_uid and t.variant_id = p_variant_id and t.repetition = p_repetition
  for no key update;
  -- What is recorded already has taken over what it rests on.
  if p_start_id is not null and p_attempt > recorded then
    select p.sha256, p.outputs into pushed_sha256, pushed_outputs from batchtest.pushed_results p
    where p.run_uid = p_run_uid and p.variant_id = p_variant_id and p.repetition = p_repetition
      and p.attempt = p_attempt and p.start_id = p_start_id;
    if pushed_sha256 is distinct from p_sha256 then
      verdict := 'PushedMeanwhile';
      return;
    end if;
  end if;
  select r.verdict, r.refusal into verdict, refusal
  from batchtest.record_attempt(
    p_run_uid => p_run_uid, p_fence => p_fence, p_variant_id => p_variant_id, p_repetition => p_repetition,
    p_attempt => p_attempt, p_trial_phase => p_trial_phase, p_counts => p_counts, p_fails_variant => p_fails_variant,
    p_name => p_name, p_outcome => p_outcome, p_reason => p_reason, p_message => p_message, p_exit_code => p_exit_code,
    p_started_at => p_started_at, p_finished_at => p_finished_at, p_logs => p_logs,
    p_outputs => case when p_sha256 is null then p_outputs else pushed_outputs end,
    p_metric_names => p_metric_names, p_metric_values => p_metric_values, p_artifacts => p_artifacts, p_digest => p_digest
  ) r;
  if verdict = 'Recorded' then
    delete from batchtest.pushed_results p
    where p.run_uid = p_run_uid and p.variant_id = p_variant_id and p.repetition = p_repetition and p.attempt <= p_attempt;
  end if;
end $$;
comment on function batchtest.record_pushed_attempt is 'As record_attempt, for a run whose programs may push results.';

comment on schema batchtest is 'Runs of BatchTests and their results. Written only by the functions open_run, choose_previous_run, record_attempt, record_pushed_attempt, push_result, skip_trials, end_run, request_cancel and prune_runs, and, of what follows from a result, claim_messages, extend_messages, settle_messages, retry_messages, delete_delivered, note_artifacts and note_results.';

-- What was measured on data that changed meanwhile is not taken over into another run. One condition is added to open_run, whatever else it has become.
do $$
declare
  condition constant text := 'r.workflow_id = p_workflow_id and r.uid <> p_uid';
  definition constant text := pg_get_functiondef('batchtest.open_run'::regproc);
begin
  if position(condition in definition) = 0 then
    raise exception 'open_run does not choose what is taken over as migration 0007 expects';
  end if;
  execute replace(definition, condition, condition || ' and r.reason is distinct from ''SharedDataChanged''');
end $$;
`;

export const pushedResults: Migration = {
  up: async (db: Kysely<unknown>) => {
    await sql.raw(PUSHED_RESULTS).execute(db);
  },
};
