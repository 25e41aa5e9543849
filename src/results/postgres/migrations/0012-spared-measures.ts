import { type Kysely, type Migration, sql } from 'kysely';

/**
 * Pruning spares what the next run would be compared with, whatever its age: a gate that has nothing to compare with passes. Only in workflows whose runs have
 * such gates: where each run is a workflow of its own, nothing would ever be deleted. What is kept of a workflow is kept of each engine and namespace, and only
 * one engine and some namespaces may be looked at, as by operators that share a database. Replaces prune_runs of 0008; what is added has a default, so that
 * an operator of the version before, which does not give it, goes on.
 */
const SPARED_MEASURES = `
drop function batchtest.prune_runs(timestamptz, text, integer, boolean);
create function batchtest.prune_runs(
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
  return query select r.uid, r.name, r.engine, r.finished_at from batchtest.runs r where r.uid = any (chosen) order by r.finished_at;
  if not p_dry_run then perform batchtest.delete_runs(chosen); end if;
end $$;
comment on function batchtest.prune_runs is 'Deletes runs that ended before a time, but of each workflow, engine and namespace the newest p_keep and what the next run would be compared with; with p_dry_run it only tells which.';
`;

export const sparedMeasures: Migration = {
  up: async (db: Kysely<unknown>) => {
    await sql.raw(SPARED_MEASURES).execute(db);
  },
};
