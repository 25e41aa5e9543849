import { type Kysely, type Migration, sql } from 'kysely';
import { patched } from './patched-function.ts';

/**
 * What is taken over from an earlier run. Whether the shared data of a local run has changed is looked at when the run ends by itself: of one that is under
 * way, interrupted or cancelled it is not known. A copy is not verified, so what is known not to be what was reported would be shown as if it were. Changes
 * open_run of 0004.
 *
 * Everything is copied in one statement, so outputs that no report shows (`outputsUnlessLarge` in load-run.ts) stay where they are: those of some thousand pushed
 * results are gigabytes, which take longer than a statement may.
 */
const REUSABLE_RESULTS = patched('0014', 'open_run', 'choose what is taken over', [
  [
    `r.reason is distinct from ''SharedDataChanged''`,
    `r.reason is distinct from ''SharedDataChanged''
      and (r.engine <> ''local'' or r.manifest #> ''{spec,sharedData}'' is null or r.state in (''Complete'', ''Failed''))`,
  ],
  [
    'a.attempt = e.accepted_attempt',
    `a.attempt = e.accepted_attempt and a.verification is distinct from ''Mismatch''`,
  ],
  [
    'u.finished_at, u.logs, u.outputs',
    'u.finished_at, u.logs, case when pg_column_size(u.outputs) <= 8192 then u.outputs end',
  ],
]);

export const reusableResults: Migration = {
  up: async (db: Kysely<unknown>) => {
    await sql.raw(REUSABLE_RESULTS).execute(db);
  },
};
