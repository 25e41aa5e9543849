import type { OperatorWorld } from '../integration/operator-world.ts';
import { query } from '../integration/postgres-server.ts';
import { judge, type StoredRunHistory, type Violation } from './invariant-judge.ts';

/** What Postgres holds of a run, for the judge. */
async function storedHistoryOf({ connection }: OperatorWorld, uid: string): Promise<StoredRunHistory> {
  const [runs, trials, attempts, events] = await Promise.all([
    query<{ state: StoredRunHistory['state'] }>(
      connection,
      'select state from batchtest.runs where uid = $1',
      [uid],
    ),
    query<StoredRunHistory['trials'][number]>(
      connection,
      `select variant_id as "variantId", repetition, phase, accepted_attempt as "acceptedAttempt"
       from batchtest.trials where run_uid = $1`,
      [uid],
    ),
    query<StoredRunHistory['attempts'][number]>(
      connection,
      `select variant_id as "variantId", repetition, attempt, name, outcome, exit_code as "exitCode"
       from batchtest.attempts where run_uid = $1`,
      [uid],
    ),
    query<StoredRunHistory['events'][number]>(
      connection,
      `select kind, payload->>'trialPhase' as "trialPhase", (extract(epoch from created_at) * 1000)::float8 as at
       from batchtest.outbox where run_uid = $1 order by id`,
      [uid],
    ),
  ]);
  const [run] = runs;
  if (run === undefined) throw new Error(`the store has no run ${uid}`);
  return { uid, state: run.state, trials, attempts, events };
}

/** What the judge finds in a run that has settled. */
export const violationsOf = async (
  world: OperatorWorld,
  uid: string,
  settledAt?: number,
): Promise<readonly Violation[]> =>
  judge({
    changes: world.recorder.changes(),
    run: await storedHistoryOf(world, uid),
    timeOrigin: performance.timeOrigin,
    ...(settledAt === undefined ? {} : { settledAt }),
  });
