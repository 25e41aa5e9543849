import { type Kysely, type Migration, sql } from 'kysely';

/**
 * record_pushed_attempt of 0007 takes the digest of the result, as record_attempt of 0006 does, and hands it on. Its body is otherwise what 0007 made it.
 */
const PUSHED_DIGESTS = `
do $$
declare
  parameter constant text := 'p_artifacts jsonb, OUT verdict';
  argument constant text := 'p_artifacts => p_artifacts';
  definition constant text := pg_get_functiondef('batchtest.record_pushed_attempt'::regproc);
begin
  if position(parameter in definition) = 0 or position(argument in definition) = 0 then
    raise exception 'record_pushed_attempt is not what migration 0008 expects';
  end if;
  drop function batchtest.record_pushed_attempt;
  execute replace(
    replace(definition, parameter, 'p_artifacts jsonb, p_digest text, OUT verdict'),
    argument, argument || ', p_digest => p_digest'
  );
end $$;
comment on function batchtest.record_pushed_attempt is 'As record_attempt, for a run whose programs may push results.';

comment on schema batchtest is 'Runs of BatchTests and their results. Written only by the functions open_run, choose_previous_run, record_attempt, record_pushed_attempt, push_result, skip_trials, end_run, request_cancel and prune_runs, and, of what follows from a result, claim_messages, extend_messages, settle_messages, retry_messages, delete_delivered, note_artifacts and note_results.';
`;

export const pushedDigests: Migration = {
  up: async (db: Kysely<unknown>) => {
    await sql.raw(PUSHED_DIGESTS).execute(db);
  },
};
