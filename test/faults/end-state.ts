import type { OperatorWorld } from '../integration/operator-world.ts';
import { query } from '../integration/postgres-server.ts';
import { type Change, carrierOfPod, lastOf, present } from '../integration/watch-recorder.ts';
import { HELD_REPETITION } from './reference-scenario.ts';
import { identityOf, podsNow } from './run-view.ts';

/** The end of a run, without anything that differs from one run to the next: times, UIDs, names, and the order that the UID decides. */
export interface EndState {
  readonly run: string;
  readonly trials: readonly string[];
  readonly attempts: readonly string[];
  readonly attemptsLeft: readonly string[];
  readonly conditions: readonly string[];
  readonly counts: unknown;
  readonly best: string | undefined;
}

/** The end of a run of the reference scenario. */
export async function endStateOf(world: OperatorWorld, uid: string): Promise<EndState> {
  const { connection } = world;
  const [run, trials, attempts] = await Promise.all([
    world.storedRun(uid),
    query<{ variant: string; repetition: number; phase: string; accepted_attempt: number | null }>(
      connection,
      `select v.name as variant, t.repetition, t.phase, t.accepted_attempt
       from batchtest.trials t join batchtest.variants v using (run_uid, variant_id) where run_uid = $1`,
      [uid],
    ),
    query<{
      variant: string;
      repetition: number;
      attempt: number;
      outcome: string;
      reason: string;
      exit_code: number | null;
      metrics: string | null;
    }>(
      connection,
      `select v.name as variant, a.repetition, a.attempt, a.outcome, a.reason, a.exit_code,
         (select string_agg(m.name || '=' || m.value, ' ' order by m.name) from batchtest.metrics m
          where m.run_uid = a.run_uid and m.variant_id = a.variant_id and m.repetition = a.repetition
            and m.attempt = a.attempt and m.name <> 'duration_seconds') as metrics
       from batchtest.attempts a join batchtest.variants v using (run_uid, variant_id) where a.run_uid = $1`,
      [uid],
    ),
  ]);
  const changes = world.recorder.changes();
  const object = lastOf(changes, uid);
  return {
    run: `${run?.state} ${run?.reason}`,
    trials: trials
      .map((trial) => `${labelOf(trial)}: ${trial.phase}, accepted ${trial.accepted_attempt}`)
      .sort(),
    attempts: attempts
      .map(
        (row) =>
          `${labelOf(row)} attempt ${row.attempt}: ${row.outcome} ${row.reason} ${row.exit_code} ${row.metrics ?? ''}`,
      )
      .sort(),
    attemptsLeft: attemptsLeft(changes, uid),
    conditions: (object?.status?.conditions ?? [])
      .map(({ type, status, reason }) => `${type} ${status} ${reason}`)
      .sort(),
    counts: object?.status?.trials,
    best: object?.status?.best?.name,
  };
}

/** Of the repetition that is cancelled, the run's UID decides which variants were started. */
const labelOf = ({
  variant,
  repetition,
}: {
  readonly variant: string;
  readonly repetition: number;
}): string => (repetition === HELD_REPETITION ? `a variant/${repetition}` : `${variant}/${repetition}`);

/** The attempts whose Jobs, or pods, were left to be looked at. */
function attemptsLeft(changes: readonly Change[], uid: string): readonly string[] {
  const left = new Set(present(changes, uid, 'Carrier'));
  const names = new Set<string>();
  for (const { metadata } of podsNow(changes, uid).values()) {
    const { variant, repetition, attempt } = identityOf({ metadata });
    if (left.has(carrierOfPod(metadata).name))
      names.add(`${labelOf({ variant, repetition })} attempt ${attempt}`);
  }
  return [...names].sort();
}
