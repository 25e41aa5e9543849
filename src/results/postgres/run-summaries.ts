import { expressionBuilder, type Kysely } from 'kysely';
import type { RunScope, RunSummary } from '../result-store.ts';
import { storableText } from './storable-text.ts';
import type { RunSummaryRow, Tables } from './tables.ts';

/** A shorter beginning of a UID could be any run's. */
const SHORTEST_UID_PREFIX = 6;

/** The newest run that `reference` names; see {@link ResultStore.findRun}. */
export async function findRun(
  db: Kysely<Tables>,
  reference: string,
  { namespace, engine }: RunScope = {},
): Promise<RunSummary | undefined> {
  const wanted = storableText(reference);
  const { eb, val, fn } = expressionBuilder<Tables, 'runs'>();
  const isUid = eb('uid', '=', wanted);
  const beginsUid =
    wanted.length >= SHORTEST_UID_PREFIX
      ? eb(fn<string>('left', ['uid', val(wanted.length)]), '=', wanted)
      : isUid;
  const row = await db
    .selectFrom('run_summary')
    .selectAll()
    // The counts are then made of one run, not of every run with that name.
    .where('uid', '=', (from) => {
      let meant = from
        .selectFrom('runs')
        .select('uid')
        .where('deleting', '=', false)
        .where(eb.or([isUid, beginsUid, eb('name', '=', wanted)]));
      if (namespace !== undefined) meant = meant.where('namespace', '=', storableText(namespace));
      if (engine !== undefined) meant = meant.where('engine', '=', engine);
      return (
        meant
          // A UID is given by nobody, a name by whoever creates a BatchTest.
          .orderBy(isUid, 'desc')
          .orderBy(beginsUid, 'desc')
          .orderBy('started_at', 'desc')
          .orderBy('uid')
          .limit(1)
      );
    })
    .executeTakeFirst();
  return row === undefined ? undefined : summaryOf(row);
}

/** The newest runs first; see {@link ResultStore.listRuns}. */
export async function listRuns(
  db: Kysely<Tables>,
  { limit, workflowId }: { readonly limit: number; readonly workflowId?: string },
): Promise<readonly RunSummary[]> {
  let newest = db
    .selectFrom('runs')
    .select('uid')
    .where('deleting', '=', false)
    .orderBy('started_at', 'desc')
    .orderBy('uid')
    .limit(limit);
  if (workflowId !== undefined) newest = newest.where('workflow_id', '=', storableText(workflowId));
  const rows = await db
    .selectFrom('run_summary')
    .selectAll()
    .where('uid', 'in', newest)
    .orderBy('started_at', 'desc')
    .orderBy('uid')
    .execute();
  return rows.map(summaryOf);
}

/** The newest first; see {@link ResultStore.interruptedRuns}. */
export async function interruptedRuns(db: Kysely<Tables>): Promise<readonly RunSummary[]> {
  const rows = await db
    .selectFrom('run_summary')
    .selectAll()
    // Without these the trials of every run would be counted.
    .where('engine', '=', 'local')
    .where('state', '=', 'Running')
    .where('is_interrupted', '=', true)
    .orderBy('started_at', 'desc')
    .orderBy('uid')
    .execute();
  return rows.map(summaryOf);
}

export const summaryOf = (row: RunSummaryRow): RunSummary => ({
  uid: row.uid,
  name: row.name,
  namespace: row.namespace ?? undefined,
  workflowId: row.workflow_id,
  engine: row.engine,
  state: row.state,
  isInterrupted: row.is_interrupted,
  reason: row.reason ?? undefined,
  message: row.message ?? undefined,
  startedAt: row.started_at,
  finishedAt: row.finished_at ?? undefined,
  trials: {
    total: row.total,
    pending: row.pending,
    succeeded: row.succeeded,
    failed: row.failed,
    cancelled: row.cancelled,
    skipped: row.skipped,
    reused: row.reused,
  },
});
