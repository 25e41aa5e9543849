import { type Connection, query } from './postgres-server.ts';

export interface StoredAttemptRow {
  readonly variant: string;
  readonly repetition: number;
  readonly attempt: number;
  readonly name: string;
  readonly outcome: string;
  readonly reason: string;
  readonly message: string;
  readonly exit_code: number | null;
  readonly is_accepted: boolean;
}

/** What is stored of a run's attempts. */
export const storedAttempts = (
  connection: Connection,
  runUid: string,
): Promise<readonly StoredAttemptRow[]> =>
  query<StoredAttemptRow>(
    connection,
    `select v.name as variant, a.repetition, a.attempt, a.name, a.outcome, a.reason, a.message, a.exit_code,
           t.accepted_attempt is not distinct from a.attempt as is_accepted
         from batchtest.attempts a
         join batchtest.trials t using (run_uid, variant_id, repetition)
         join batchtest.variants v using (run_uid, variant_id)
         where a.run_uid = $1 order by v.name, a.repetition, a.attempt`,
    [runUid],
  );
