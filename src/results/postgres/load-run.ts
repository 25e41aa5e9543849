import { type Kysely, sql } from 'kysely';
import type { OpenedRun, RunToConclude, StoredAttempt, StoredRun } from '../result-store.ts';
import { readArtifactProblems, readVerificationCounts } from './postgres-verification.ts';
import { readPreviousRun } from './previous-run.ts';
import { summaryOf } from './run-summaries.ts';
import { readAcceptedMetrics, trialKey } from './stored-trials.ts';
import type { Tables } from './tables.ts';

/** Everything stored of a run, as it was at one instant; undefined when there is no such run. */
export const loadRun = (db: Kysely<Tables>, uid: string): Promise<StoredRun | undefined> =>
  atOneInstant(db, (snapshot) => readRun(snapshot, uid));

/** What the conclusion of a run needs, as it was at one instant; undefined when there is no such run. */
export const loadRunToConclude = (db: Kysely<Tables>, uid: string): Promise<RunToConclude | undefined> =>
  atOneInstant(db, (snapshot) => readRunToConclude(snapshot, uid, 'Objective'));

const atOneInstant = <T>(db: Kysely<Tables>, read: (snapshot: Kysely<Tables>) => Promise<T>): Promise<T> =>
  db.transaction().setIsolationLevel('repeatable read').setAccessMode('read only').execute(read);

async function readRun(db: Kysely<Tables>, uid: string): Promise<StoredRun | undefined> {
  const run = await readRunToConclude(db, uid, 'All');
  if (run === undefined) return undefined;
  const attempts = await readAttempts(db, uid);
  return {
    ...run,
    trialDetails: run.trialDetails.map(({ accepted, ...trial }) => {
      const ofTrial = attempts.get(trialKey(trial.variantId, trial.repetition)) ?? [];
      return {
        ...trial,
        outputs: ofTrial.find(({ stored }) => stored.attempt === accepted)?.outputs,
        attempts: ofTrial.map(({ stored }) => stored),
      };
    }),
    verification: {
      counts: await readVerificationCounts(db, uid),
      problems: await readArtifactProblems(db, uid),
    },
  };
}

/** What a run was begun as; undefined when there is none. */
export async function readBegunRun(db: Kysely<Tables>, uid: string): Promise<OpenedRun['begun']> {
  const run = await db.selectFrom('runs').select('manifest').where('uid', '=', uid).executeTakeFirst();
  return run && { ...run, variants: await readVariants(db, uid) };
}

const readVariants = (db: Kysely<Tables>, uid: string) =>
  db
    .selectFrom('variants')
    .select(['variant_id as id', 'name', 'parameters', 'stopped_at_look'])
    .where('run_uid', '=', uid)
    .orderBy('position')
    .execute();

async function readRunToConclude(db: Kysely<Tables>, uid: string, metrics: 'All' | 'Objective') {
  const summary = await db.selectFrom('run_summary').selectAll().where('uid', '=', uid).executeTakeFirst();
  if (summary === undefined) return undefined;
  const { manifest, directory, seed } = await db
    .selectFrom('runs')
    .select(['manifest', 'directory', 'seed'])
    .where('uid', '=', uid)
    .executeTakeFirstOrThrow();
  const variants = await readVariants(db, uid);
  return {
    ...summaryOf(summary),
    manifest,
    directory: directory ?? undefined,
    seed,
    variants: variants.map(({ stopped_at_look: stoppedAtLook, ...variant }) => ({
      ...variant,
      stoppedAtLook: stoppedAtLook ?? undefined,
    })),
    previousRun: await readPreviousRun(db, uid),
    trialDetails: await readTrialDetails(db, uid, metrics),
  };
}

async function readTrialDetails(db: Kysely<Tables>, runUid: string, which: 'All' | 'Objective') {
  const trials = await db
    .selectFrom('trials')
    .select(['variant_id', 'repetition', 'phase', 'accepted_attempt', 'reused_from'])
    .where('run_uid', '=', runUid)
    .orderBy('position')
    .execute();
  const metrics = await readAcceptedMetrics(db, runUid, which);
  return trials.map(
    ({ variant_id: variantId, repetition, phase, accepted_attempt: accepted, reused_from }) => ({
      variantId,
      repetition,
      phase,
      metrics: metrics.get(trialKey(variantId, repetition)) ?? new Map<string, number>(),
      reusedFrom: reused_from ?? undefined,
      accepted,
    }),
  );
}

interface AttemptWithOutputs {
  readonly stored: StoredAttempt;
  readonly outputs: Readonly<Record<string, unknown>> | undefined;
}

/** Outputs of a pushed result may be large, and those of ten thousand trials more than a process can hold. The first size is that of what is stored, compressed; by it open_run leaves out what it need not copy. */
const outputsUnlessLarge = sql<Readonly<Record<string, unknown>> | null>`
  case when pg_column_size(outputs) <= 8192 and octet_length(outputs::text) <= 8192 then outputs end`;

/** The attempts of each trial in their order, by trialKey. */
async function readAttempts(
  db: Kysely<Tables>,
  runUid: string,
): Promise<ReadonlyMap<string, readonly AttemptWithOutputs[]>> {
  const rows = await db
    .selectFrom('attempts')
    .select([
      'variant_id',
      'repetition',
      'attempt',
      'name',
      'outcome',
      'reason',
      'message',
      'exit_code',
      'started_at',
      'finished_at',
      'logs',
      outputsUnlessLarge.as('outputs'),
    ])
    .where('run_uid', '=', runUid)
    .orderBy('attempt')
    .execute();
  const byTrial = new Map<string, AttemptWithOutputs[]>();
  for (const row of rows) {
    const key = trialKey(row.variant_id, row.repetition);
    const attempts = byTrial.get(key) ?? [];
    byTrial.set(key, attempts);
    attempts.push({
      outputs: row.outputs ?? undefined,
      stored: {
        attempt: row.attempt,
        name: row.name,
        outcome: row.outcome,
        reason: row.reason,
        message: row.message,
        exitCode: row.exit_code ?? undefined,
        startedAt: row.started_at ?? undefined,
        finishedAt: row.finished_at,
        logs: row.logs ?? undefined,
      },
    });
  }
  return byTrial;
}
