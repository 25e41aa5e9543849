import { type Kysely, type Migration, sql } from 'kysely';
import { patched } from './patched-function.ts';

/**
 * Pruning spares local runs whose files a run that stays has taken over: they are in the folder of the run that made them, which goes with that. Rows are copied
 * when they are taken over, so nothing else needs the run of before; once it is gone, its results are taken over from the runs that have taken them over. Replaces
 * prune_runs of 0012 and changes open_run of 0004.
 */
const SPARED_ARTIFACTS = `
create or replace function batchtest.prune_runs(
  p_before timestamptz, p_workflow_id text, p_keep integer, p_dry_run boolean,
  p_engine text default null, p_namespaces text[] default null
)
returns table (uid text, name text, engine text, finished_at timestamptz)
language plpgsql as $$
declare
  chosen text[];
begin
  select coalesce(array_agg(r.uid), '{}') into chosen
  from (
    select r.uid, r.finished_at, r.deleting,
      row_number() over (workflow order by r.deleting, r.finished_at desc nulls last, r.uid) as place,
      -- By the newest run that compares it is known that the next may, also when the last one was run without the gate.
      bool_or(r.compares) over workflow and bool_or(r.is_measure) over workflow and (
        row_number() over (workflow order by r.is_measure desc, r.started_at desc, r.uid) = 1
        or row_number() over (workflow order by r.compares desc, r.is_measure desc, r.started_at desc, r.uid) = 1
      ) as is_spared
    from (
      select e.uid, e.workflow_id, e.engine, e.namespace, e.started_at, e.finished_at, e.deleting,
        e.previous_run_chosen and not e.deleting as compares,
        batchtest.is_measure(e.state, e.gate, e.deleting) as is_measure
      from batchtest.runs e
      where (p_workflow_id is null or e.workflow_id = p_workflow_id)
        and (p_engine is null or e.engine = p_engine)
        and (p_namespaces is null or e.namespace = any (p_namespaces))
    ) r
    window workflow as (partition by r.workflow_id, r.engine, r.namespace)
  ) r
  where r.deleting or (r.finished_at < p_before and r.place > p_keep and not r.is_spared);
  -- What a run that stays has taken over stays, and so does what that had taken over itself.
  with recursive kept as (
    select r.uid from batchtest.runs r
    where r.engine = 'local' and (p_engine is null or r.engine = p_engine)
      and (p_workflow_id is null or r.workflow_id = p_workflow_id)
      and not exists (select from unnest(chosen) as c (uid) where c.uid = r.uid)
    union
    select t.reused_from
    from kept k
    join batchtest.trials t on t.run_uid = k.uid and t.reused_from is not null
    where exists (
      select from batchtest.artifacts f
      where f.run_uid = t.run_uid and f.variant_id = t.variant_id and f.repetition = t.repetition and f.uri like 'file:%'
    )
  )
  select coalesce(array_agg(r.uid), '{}') into chosen
  from batchtest.runs r
  where r.uid = any (chosen) and (r.deleting or not exists (select from kept k where k.uid = r.uid));
  return query select r.uid, r.name, r.engine, r.finished_at from batchtest.runs r where r.uid = any (chosen) order by r.finished_at;
  if not p_dry_run then perform batchtest.delete_runs(chosen); end if;
end $$;
comment on function batchtest.prune_runs is 'Deletes runs that ended before a time, but of each workflow, engine and namespace the newest p_keep, what the next run would be compared with, and local runs whose files one that stays has taken over; with p_dry_run it only tells which.';

${patched('0013', 'open_run', 'choose what is taken over', [
  [
    'e.reused_from is null',
    '(e.reused_from is null or not exists (select from batchtest.runs o where o.uid = e.reused_from and not o.deleting))',
  ],
])}
`;

export const sparedArtifacts: Migration = {
  up: async (db: Kysely<unknown>) => {
    await sql.raw(SPARED_ARTIFACTS).execute(db);
  },
};
