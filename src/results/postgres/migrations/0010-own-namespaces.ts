import { type Kysely, type Migration, sql } from 'kysely';

/**
 * Whose messages: operators that share a database see to those of their own namespaces. Replaces claim_messages of 0006. What is added has a default, so that
 * an operator of the version before, which does not give it, goes on.
 */
const OWN_NAMESPACES = `
drop function batchtest.claim_messages(text, text[], text[], integer, interval);
create function batchtest.claim_messages(
  p_engine text, p_run_uids text[], p_kinds text[], p_limit integer, p_lease interval, p_namespaces text[] default null
)
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
      and (p_namespaces is null or r.namespace = any (p_namespaces))
    order by d.due_at
    limit p_limit
    for update of d skip locked
  ) due
  where o.id = due.id
  returning o.*;
end;
comment on function batchtest.claim_messages is 'Messages that are due, for the time of a lease; none that another processor has.';
`;

export const ownNamespaces: Migration = {
  up: async (db: Kysely<unknown>) => {
    await sql.raw(OWN_NAMESPACES).execute(db);
  },
};
