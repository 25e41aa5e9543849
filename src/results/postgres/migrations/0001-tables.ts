import { type Kysely, type Migration, sql } from 'kysely';

const OUTCOMES = `'Succeeded', 'TestFailed', 'ResultInvalid', 'TimedOut', 'Infrastructure', 'Cancelled'`;

/**
 * Names are qualified everywhere, so that no search_path is needed and a shared database stays tidy. Everything of a run goes
 * with its row in `runs`.
 */
const TABLES = `
comment on schema batchtest is 'Runs of BatchTests and their results. Written only by the functions open_run, record_attempt and finish_run.';

create table batchtest.runs (
  uid text primary key,
  name text not null,
  namespace text,
  workflow_id text not null,
  engine text not null check (engine in ('local', 'kubernetes')),
  state text not null default 'Running' check (state in ('Running', 'Complete', 'Failed', 'Cancelled')),
  reason text,
  message text,
  manifest jsonb not null,
  seed bigint not null,
  fence bigint not null default 1,
  started_at timestamptz not null default clock_timestamp(),
  finished_at timestamptz,
  check ((state = 'Running') = (finished_at is null)),
  check ((state = 'Running') = (reason is null))
);
create index on batchtest.runs (started_at desc);
create index on batchtest.runs (workflow_id, started_at desc);
create index on batchtest.runs (name, started_at desc);
comment on table batchtest.runs is 'One execution of a BatchTest.';
comment on column batchtest.runs.uid is 'UID of the BatchTest object in a cluster, a UUID for a local run.';
comment on column batchtest.runs.workflow_id is 'Groups runs over time.';
comment on column batchtest.runs.reason is 'Why the run is over, in one word; null while it is not.';
comment on column batchtest.runs.manifest is 'The BatchTest with all defaults filled in.';
comment on column batchtest.runs.seed is 'Seed of the order in which the trials start.';
comment on column batchtest.runs.fence is 'Raised whenever a process opens the run; writes that carry an older one are refused.';

create table batchtest.objective_metrics (
  run_uid text not null references batchtest.runs on delete cascade,
  position integer not null,
  name text not null,
  goal text not null check (goal in ('minimize', 'maximize')),
  weight double precision not null check (weight > 0),
  primary key (run_uid, position),
  unique (run_uid, name)
);
comment on table batchtest.objective_metrics is 'The metrics that decide which variant of a run is best.';

create table batchtest.variants (
  run_uid text not null references batchtest.runs on delete cascade,
  variant_id text not null,
  position integer not null,
  name text not null,
  parameters jsonb not null,
  primary key (run_uid, variant_id),
  unique (run_uid, position)
);
comment on table batchtest.variants is 'A named set of parameters, run once per repetition.';
comment on column batchtest.variants.variant_id is 'Hash of what the variant runs: the same in every run of the same program with the same parameters.';
comment on column batchtest.variants.position is 'Place in the BatchTest, from 0.';

create table batchtest.trials (
  run_uid text not null,
  variant_id text not null,
  repetition integer not null check (repetition >= 0),
  position integer not null,
  phase text not null default 'Pending' check (phase in ('Pending', 'Succeeded', 'Failed', 'Cancelled')),
  recorded_attempts integer not null default 0,
  accepted_attempt integer,
  last_outcome text check (last_outcome in (${OUTCOMES})),
  primary key (run_uid, variant_id, repetition),
  foreign key (run_uid, variant_id) references batchtest.variants on delete cascade,
  check ((phase = 'Succeeded') = (accepted_attempt is not null)),
  check ((recorded_attempts = 0) = (last_outcome is null))
) with (fillfactor = 80);
comment on table batchtest.trials is 'One repetition of one variant.';
comment on column batchtest.trials.position is 'Place in the order in which the trials start, from 0.';
comment on column batchtest.trials.recorded_attempts is 'The highest attempt that is stored; 0 before the first.';
comment on column batchtest.trials.accepted_attempt is 'The one attempt whose result counts; null unless the trial succeeded.';

create table batchtest.attempts (
  run_uid text not null,
  variant_id text not null,
  repetition integer not null,
  attempt integer not null check (attempt >= 1),
  name text not null,
  outcome text not null check (outcome in (${OUTCOMES})),
  reason text not null,
  message text not null,
  exit_code integer,
  started_at timestamptz,
  finished_at timestamptz not null,
  logs text,
  outputs jsonb,
  primary key (run_uid, variant_id, repetition, attempt),
  foreign key (run_uid, variant_id, repetition) references batchtest.trials on delete cascade
);
comment on table batchtest.attempts is 'One start of the test program, after its end.';
comment on column batchtest.attempts.name is 'Name of the Job or of the local process.';
comment on column batchtest.attempts.outcome is 'TestFailed is the verdict of the program; Infrastructure is not its doing.';
comment on column batchtest.attempts.logs is 'Where the output was kept: a folder, or the name of a pod.';
comment on column batchtest.attempts.outputs is 'Whatever else the program reported.';

alter table batchtest.trials add foreign key (run_uid, variant_id, repetition, accepted_attempt) references batchtest.attempts;

create table batchtest.metrics (
  run_uid text not null,
  variant_id text not null,
  repetition integer not null,
  attempt integer not null,
  name text not null,
  value double precision not null check (abs(value) < 'Infinity'),
  primary key (run_uid, variant_id, repetition, attempt, name),
  foreign key (run_uid, variant_id, repetition, attempt) references batchtest.attempts on delete cascade
);
comment on table batchtest.metrics is 'One number that one attempt reported; duration_seconds is measured by BatchTest.';

create table batchtest.artifacts (
  run_uid text not null,
  variant_id text not null,
  repetition integer not null,
  attempt integer not null,
  position integer not null,
  name text not null,
  uri text not null,
  sha256 text check (sha256 ~ '^[0-9a-f]{64}$'),
  size_bytes bigint check (size_bytes >= 0),
  primary key (run_uid, variant_id, repetition, attempt, position),
  foreign key (run_uid, variant_id, repetition, attempt) references batchtest.attempts on delete cascade
);
comment on table batchtest.artifacts is 'A file that an attempt made, as its result names it.';

-- No foreign key: its check would lock the one row of the run in every transaction that stores a result, and what happened
-- stays announced when the run is deleted.
create table batchtest.outbox (
  id bigint generated always as identity primary key,
  run_uid text not null,
  kind text not null check (kind in ('ResultStored', 'RunFinished')),
  payload jsonb not null,
  created_at timestamptz not null default clock_timestamp()
);
comment on table batchtest.outbox is 'What happened, written in the transaction in which it happened.';
`;

export const tables: Migration = {
  up: async (db: Kysely<unknown>) => {
    await sql.raw(TABLES).execute(db);
  },
};
