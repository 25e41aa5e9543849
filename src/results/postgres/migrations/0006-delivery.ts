import { type Kysely, type Migration, sql } from 'kysely';

/**
 * What follows from what is stored: the outbox becomes a queue, and artifacts and results get a state of verification. Replaces record_attempt of 0004,
 * which now takes the digest of the result and the media types of its artifacts.
 *
 * A message is claimed by moving the time at which it is due, so a claim needs no state of its own: a processor that dies with it leaves a message that is due
 * again when its lease has passed. The number of the claim tells a processor whose lease has passed from the one that has the message now.
 */
const DELIVERY = `
alter table batchtest.artifacts
  add column media_type text,
  add column state text not null default 'Pending' check (state in ('Pending', 'Verified', 'Mismatch', 'Missing')),
  add column reason text,
  add column checked_at timestamptz;
comment on column batchtest.artifacts.state is 'What reading the file back came to: the bytes that the result told of, others, none, or not read yet.';
comment on column batchtest.artifacts.reason is 'Why it is in that state, for a person; also why it could not be read yet.';

alter table batchtest.attempts
  add column digest text check (digest ~ '^[0-9a-f]{64}$'),
  add column verification text check (verification in ('Pending', 'Verified', 'Mismatch'));
-- Room on each page for the update that verification is.
alter table batchtest.attempts set (fillfactor = 85);
comment on column batchtest.attempts.digest is 'SHA-256 of the result as its writer had it, before it was stored.';
comment on column batchtest.attempts.verification is 'What reading the row back came to: what its digest stands for, or something else. Null for what was taken over from another run, and for what was stored before there were digests.';

alter table batchtest.outbox drop constraint outbox_kind_check;
-- Nothing was ever told of these, and they have no digest to be verified by.
delete from batchtest.outbox;
alter table batchtest.outbox
  add check (kind in ('ResultStored', 'FileTracked', 'RunFinished')),
  add column state text not null default 'Pending' check (state in ('Pending', 'Delivered', 'Dead')),
  add column due_at timestamptz not null default clock_timestamp(),
  add column claims integer not null default 0,
  add column tries integer not null default 0,
  add column done jsonb not null default '[]',
  add column last_error text,
  add column settled_at timestamptz,
  add check ((state = 'Pending') = (settled_at is null));
create index outbox_due on batchtest.outbox (due_at) where state = 'Pending';
create index outbox_delivered on batchtest.outbox (settled_at) where state = 'Delivered';
create index outbox_dead on batchtest.outbox (run_uid) where state = 'Dead';
comment on table batchtest.outbox is 'What happened, written in the transaction in which it happened, and what became of telling it to its handler.';
comment on column batchtest.outbox.due_at is 'When it may be claimed: while a processor has it, the end of its lease; after a failure, the end of the back-off.';
comment on column batchtest.outbox.claims is 'How often it was claimed. Only the latest claim may settle it.';
comment on column batchtest.outbox.tries is 'How often it was claimed since somebody last asked for it to be tried again.';
comment on column batchtest.outbox.done is 'The parts of it that were delivered before the others failed.';

-- Whatever writes an artifact tracks it, also the taking over from an earlier run.
create function batchtest.track_artifacts() returns trigger
language plpgsql as $$
begin
  insert into batchtest.outbox (run_uid, kind, payload)
  select a.run_uid, 'FileTracked', jsonb_build_object(
    'variantId', a.variant_id, 'repetition', a.repetition, 'attempt', a.attempt, 'position', a.position
  )
  from written a;
  return null;
end $$;
comment on function batchtest.track_artifacts is 'Announces every artifact in the transaction that writes it.';
create trigger track_artifacts after insert on batchtest.artifacts
  referencing new table as written for each statement execute function batchtest.track_artifacts();
insert into batchtest.outbox (run_uid, kind, payload)
select a.run_uid, 'FileTracked', jsonb_build_object(
  'variantId', a.variant_id, 'repetition', a.repetition, 'attempt', a.attempt, 'position', a.position
)
from batchtest.artifacts a;

create function batchtest.claim_messages(p_engine text, p_run_uids text[], p_kinds text[], p_limit integer, p_lease interval)
returns setof batchtest.outbox
language sql
begin atomic
  update batchtest.outbox o
  set claims = o.claims + 1, tries = o.tries + 1, due_at = now() + p_lease
  from (
    select d.id
    from batchtest.outbox d
    join batchtest.runs r on r.uid = d.run_uid
    where d.state = 'Pending' and d.due_at <= now()
      and d.kind = any (p_kinds) and r.engine = p_engine and (p_run_uids is null or d.run_uid = any (p_run_uids))
    order by d.due_at
    limit p_limit
    for update of d skip locked
  ) due
  where o.id = due.id
  returning o.*;
end;
comment on function batchtest.claim_messages is 'Messages that are due, for the time of a lease; none that another processor has.';

create function batchtest.extend_messages(p_ids bigint[], p_claims integer[], p_lease interval) returns setof bigint
language sql
begin atomic
  update batchtest.outbox o
  set due_at = now() + p_lease
  from unnest(p_ids, p_claims) as c (id, claims)
  where o.id = c.id and o.claims = c.claims and o.state = 'Pending'
  returning o.id;
end;
comment on function batchtest.extend_messages is 'Prolongs the lease of messages; those that the processor still has.';

create function batchtest.settle_messages(p_settlements jsonb) returns setof bigint
language sql
begin atomic
  update batchtest.outbox o
  set state = s.state,
    settled_at = case when s.state <> 'Pending' then now() end,
    due_at = case when s.state = 'Pending' then now() + s.retry_ms * interval '1 millisecond' else o.due_at end,
    last_error = s.error,
    done = coalesce(s.done, o.done)
  from jsonb_to_recordset(p_settlements) as s (id bigint, claims integer, state text, retry_ms double precision, error text, done jsonb)
  where o.id = s.id and o.claims = s.claims and o.state = 'Pending'
  returning o.id;
end;
comment on function batchtest.settle_messages is 'Notes what handling messages came to, but of those that another processor has claimed meanwhile nothing.';

create function batchtest.retry_messages(p_ids bigint[]) returns setof bigint
language sql
begin atomic
  update batchtest.outbox o
  set state = 'Pending', settled_at = null, due_at = now(), tries = 0
  where o.state = 'Dead' and (p_ids is null or o.id = any (p_ids))
  returning o.id;
end;
comment on function batchtest.retry_messages is 'Has dead messages handled again: those of the ids, or all of them.';

create function batchtest.delete_delivered(p_age interval, p_limit integer) returns bigint
language sql
begin atomic
  with old as (
    select o.id from batchtest.outbox o where o.state = 'Delivered' and o.settled_at < now() - p_age
    order by o.settled_at limit p_limit for update skip locked
  ), deleted as (
    delete from batchtest.outbox o using old where o.id = old.id returning o.id
  )
  select count(*) from deleted;
end;
comment on function batchtest.delete_delivered is 'Deletes messages that were delivered longer ago than an age.';

create function batchtest.note_artifacts(p_verdicts jsonb) returns void
language sql
begin atomic
  update batchtest.artifacts a
  set state = v.state, reason = v.reason, checked_at = now()
  from jsonb_to_recordset(p_verdicts) as v (
    "runUid" text, "variantId" text, repetition integer, attempt integer, "position" integer, state text, reason text
  )
  where a.run_uid = v."runUid" and a.variant_id = v."variantId" and a.repetition = v.repetition
    and a.attempt = v.attempt and a.position = v."position";
end;
comment on function batchtest.note_artifacts is 'Notes what reading artifacts back came to.';

create function batchtest.note_results(p_verdicts jsonb) returns void
language sql
begin atomic
  update batchtest.attempts a
  set verification = v.state
  from jsonb_to_recordset(p_verdicts) as v ("runUid" text, "variantId" text, repetition integer, attempt integer, state text)
  where a.run_uid = v."runUid" and a.variant_id = v."variantId" and a.repetition = v.repetition and a.attempt = v.attempt;
end;
comment on function batchtest.note_results is 'Notes what reading results back came to.';

drop function batchtest.record_attempt(
  text, bigint, text, integer, integer, text, boolean, boolean, text, text, text, text, integer, timestamptz, timestamptz, text, jsonb, text[], double precision[], jsonb
);
create function batchtest.record_attempt(
  p_run_uid text, p_fence bigint, p_variant_id text, p_repetition integer, p_attempt integer, p_trial_phase text,
  p_counts boolean, p_fails_variant boolean, p_name text, p_outcome text, p_reason text, p_message text, p_exit_code integer,
  p_started_at timestamptz, p_finished_at timestamptz, p_logs text, p_outputs jsonb,
  p_metric_names text[], p_metric_values double precision[], p_artifacts jsonb, p_digest text default null,
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
    run_uid, variant_id, repetition, attempt, name, outcome, reason, message, exit_code, started_at, finished_at, logs, outputs,
    digest, verification
  ) values (
    p_run_uid, p_variant_id, p_repetition, p_attempt, p_name, p_outcome, p_reason, p_message, p_exit_code,
    p_started_at, p_finished_at, p_logs, p_outputs,
    p_digest, case when p_digest is not null then 'Pending' end
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
    insert into batchtest.artifacts (run_uid, variant_id, repetition, attempt, position, name, uri, sha256, size_bytes, media_type)
    select p_run_uid, p_variant_id, p_repetition, p_attempt, a.number - 1,
      a.artifact->>'name', a.artifact->>'uri', a.artifact->>'sha256', (a.artifact->>'size')::bigint,
      a.artifact->>'mediaType'
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
`;

export const delivery: Migration = {
  up: async (db: Kysely<unknown>) => {
    await sql.raw(DELIVERY).execute(db);
  },
};
