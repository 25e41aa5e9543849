import type { Kysely } from 'kysely';
import type pg from 'pg';
import type { Outcome } from '../../core/outcome.ts';
import type { VerificationCounts } from '../../core/verification-counts.ts';
import { type DigestedResult, exactNumber, resultDigest } from '../result-digest.ts';
import { ARTIFACT_PROBLEMS_LIMIT, type StoredArtifactProblem } from '../result-store.ts';
import type {
  ArtifactReference,
  ArtifactToVerify,
  ArtifactVerdict,
  AttemptReference,
  ResultToVerify,
  ResultVerdict,
  Verification,
} from '../verification.ts';
import { storableJson, storableText } from './storable-text.ts';
import type { Tables } from './tables.ts';
import { whileContended } from './while-contended.ts';

/** Reads results and artifacts back from their tables, and notes there what that came to. */
export class PostgresVerification implements Verification {
  readonly #pool: pg.Pool;
  readonly #db: Kysely<Tables>;

  constructor(pool: pg.Pool, db: Kysely<Tables>) {
    this.#pool = pool;
    this.#db = db;
  }

  results(references: readonly AttemptReference[]): Promise<readonly ResultToVerify[]> {
    return whileContended('read results back', async () => {
      const { rows } = await this.#pool.query<ResultRow>({
        name: 'results_to_verify',
        text: READ_RESULTS,
        values: [JSON.stringify(references)],
      });
      const found = rows.map((row) => {
        const stored = storedResult(row);
        return {
          reference: attemptOf(row),
          digest: row.digest,
          stored,
          ifPushed: resultDigest(stored, 'Pushed'),
        };
      });
      const open = found.filter(({ digest, ifPushed }) => digest !== null && digest !== ifPushed);
      const outputs = await this.#outputsOf(open.map(({ reference }) => reference));
      return found.map(({ reference, digest, stored, ifPushed }) => ({
        ...reference,
        digest: digest ?? undefined,
        storedDigests: [ifPushed, resultDigest({ ...stored, outputs: outputs.get(attemptKey(reference)) })],
      }));
    });
  }

  /** By {@link attemptKey}. Read only where the digest is of them, too: those of a pushed result may be large, and many are looked at together. */
  async #outputsOf(references: readonly AttemptReference[]): Promise<ReadonlyMap<string, unknown>> {
    if (references.length === 0) return new Map();
    const { rows } = await this.#pool.query<AttemptKeyRow & { readonly outputs: unknown }>({
      name: 'outputs_to_verify',
      text: READ_OUTPUTS,
      values: [JSON.stringify(references)],
    });
    return new Map(rows.map(({ outputs, ...row }) => [attemptKey(attemptOf(row)), outputs]));
  }

  async noteResults(verdicts: readonly ResultVerdict[]): Promise<void> {
    if (verdicts.length === 0) return;
    await whileContended('note the verification of results', () =>
      this.#pool.query({
        name: 'note_results',
        text: 'select batchtest.note_results($1)',
        values: [JSON.stringify(verdicts)],
      }),
    );
  }

  artifacts(references: readonly ArtifactReference[]): Promise<readonly ArtifactToVerify[]> {
    return whileContended('read artifacts back', async () => {
      const { rows } = await this.#pool.query<ArtifactToVerifyRow>(READ_ARTIFACTS, [
        JSON.stringify(references),
      ]);
      return rows.map((row) => ({
        ...attemptOf(row),
        position: row.position,
        name: row.name,
        uri: row.uri,
        sha256: row.sha256 ?? undefined,
        size: row.size_bytes ?? undefined,
      }));
    });
  }

  async noteArtifacts(verdicts: readonly ArtifactVerdict[]): Promise<void> {
    if (verdicts.length === 0) return;
    const rows = verdicts.map(({ reason, ...verdict }) => ({
      ...verdict,
      reason: reason === undefined ? undefined : storableText(reason),
    }));
    await whileContended('note the verification of artifacts', () =>
      this.#pool.query('select batchtest.note_artifacts($1)', [storableJson(rows)]),
    );
  }

  counts(runUid: string): Promise<VerificationCounts> {
    return whileContended(`count what is verified of run ${runUid}`, () =>
      readVerificationCounts(this.#db, runUid),
    );
  }
}

/** How far the verification of a run is; nothing of one whose deletion has begun: half of it would be taken for the whole. */
export async function readVerificationCounts(
  db: Kysely<Tables>,
  runUid: string,
): Promise<VerificationCounts> {
  const run = db.selectFrom('runs').select('uid').where('uid', '=', runUid).where('deleting', '=', false);
  const artifacts = await db
    .selectFrom('artifacts')
    .select(({ fn }) => ['state', fn.countAll<number>().as('count')])
    .where('run_uid', '=', run)
    .groupBy('state')
    .execute();
  const results = await db
    .selectFrom('attempts')
    .select(({ fn }) => ['verification as state', fn.countAll<number>().as('count')])
    .where('run_uid', '=', run)
    .where('verification', 'is not', null)
    .groupBy('verification')
    .execute();
  // A result that is not there has no row that could say so: its message stays, as one that cannot be delivered.
  const missing = await db
    .selectFrom('outbox')
    .select(({ fn }) => fn.countAll<number>().as('count'))
    .where('run_uid', '=', run)
    .where('kind', '=', 'ResultStored')
    .where('state', '=', 'Dead')
    .executeTakeFirstOrThrow();
  return { artifacts: tally(artifacts), results: { ...tally(results), missing: missing.count } };
}

/** The first artifacts of a run that are not verified, and why. */
export async function readArtifactProblems(
  db: Kysely<Tables>,
  runUid: string,
): Promise<readonly StoredArtifactProblem[]> {
  const rows = await db
    .selectFrom('artifacts')
    .select(['variant_id', 'repetition', 'attempt', 'name', 'uri', 'state', 'reason'])
    .where('run_uid', '=', runUid)
    .where('state', '!=', 'Verified')
    .where('reason', 'is not', null)
    .orderBy('repetition')
    .orderBy('variant_id')
    .orderBy('attempt')
    .orderBy('position')
    .limit(ARTIFACT_PROBLEMS_LIMIT)
    .execute();
  return rows.flatMap(({ variant_id: variantId, state, reason, ...artifact }) =>
    state === 'Verified' || reason === null ? [] : [{ variantId, ...artifact, state, reason }],
  );
}

const READ_RESULTS = `
  select a.run_uid, a.variant_id, a.repetition, a.attempt, a.digest, a.outcome, a.reason, a.message, a.exit_code,
    m.metric_names, m.metric_values, f.artifacts
  from jsonb_to_recordset($1) as w ("runUid" text, "variantId" text, repetition integer, attempt integer)
  join batchtest.attempts a
    on a.run_uid = w."runUid" and a.variant_id = w."variantId" and a.repetition = w.repetition and a.attempt = w.attempt
  left join lateral (
    select array_agg(m.name) as metric_names, array_agg(m.value) as metric_values
    from batchtest.metrics m
    where m.run_uid = a.run_uid and m.variant_id = a.variant_id and m.repetition = a.repetition and m.attempt = a.attempt
  ) m on true
  left join lateral (
    select jsonb_agg(jsonb_build_object(
      'name', f.name, 'uri', f.uri, 'sha256', f.sha256, 'size', f.size_bytes, 'mediaType', f.media_type
    ) order by f.position) as artifacts
    from batchtest.artifacts f
    where f.run_uid = a.run_uid and f.variant_id = a.variant_id and f.repetition = a.repetition and f.attempt = a.attempt
  ) f on true`;

/**
 * The 4096 bytes of a result file become at most 212 kB as Postgres writes them down: it writes the zeros of 1e308 out. What is longer was pushed, and its
 * digest is of something else.
 */
const READ_OUTPUTS = `
  select a.run_uid, a.variant_id, a.repetition, a.attempt, a.outputs
  from jsonb_to_recordset($1) as w ("runUid" text, "variantId" text, repetition integer, attempt integer)
  join batchtest.attempts a
    on a.run_uid = w."runUid" and a.variant_id = w."variantId" and a.repetition = w.repetition and a.attempt = w.attempt
  where octet_length(a.outputs::text) <= 262144`;

const READ_ARTIFACTS = `
  select f.run_uid, f.variant_id, f.repetition, f.attempt, f.position, f.name, f.uri, f.sha256, f.size_bytes
  from jsonb_to_recordset($1) as w ("runUid" text, "variantId" text, repetition integer, attempt integer, "position" integer)
  join batchtest.artifacts f
    on f.run_uid = w."runUid" and f.variant_id = w."variantId" and f.repetition = w.repetition
    and f.attempt = w.attempt and f.position = w.position`;

interface AttemptKeyRow {
  readonly run_uid: string;
  readonly variant_id: string;
  readonly repetition: number;
  readonly attempt: number;
}

interface ResultRow extends AttemptKeyRow {
  readonly digest: string | null;
  readonly outcome: Outcome;
  readonly reason: string;
  readonly message: string;
  readonly exit_code: number | null;
  readonly metric_names: readonly string[] | null;
  readonly metric_values: readonly number[] | null;
  readonly artifacts:
    | readonly {
        readonly name: string;
        readonly uri: string;
        readonly sha256: string | null;
        readonly size: number | null;
        readonly mediaType: string | null;
      }[]
    | null;
}

interface ArtifactToVerifyRow extends AttemptKeyRow {
  readonly position: number;
  readonly name: string;
  readonly uri: string;
  readonly sha256: string | null;
  readonly size_bytes: number | null;
}

const attemptOf = (row: AttemptKeyRow): AttemptReference => ({
  runUid: row.run_uid,
  variantId: row.variant_id,
  repetition: row.repetition,
  attempt: row.attempt,
});

const attemptKey = ({ runUid, variantId, repetition, attempt }: AttemptReference): string =>
  `${runUid}/${variantId}/${repetition}/${attempt}`;

/** But for its outputs. */
const storedResult = (row: ResultRow): DigestedResult => ({
  outcome: row.outcome,
  reason: row.reason,
  message: row.message,
  exitCode: row.exit_code ?? undefined,
  outputs: undefined,
  metrics: (row.metric_names ?? []).map((name, index) => [
    name,
    exactNumber(row.metric_values?.[index] ?? Number.NaN),
  ]),
  artifacts: (row.artifacts ?? []).map((artifact) => ({
    name: artifact.name,
    uri: artifact.uri,
    sha256: artifact.sha256 ?? undefined,
    size: artifact.size ?? undefined,
    mediaType: artifact.mediaType ?? undefined,
  })),
});

function tally(
  rows: readonly { readonly state: string | null; readonly count: number }[],
): VerificationCounts['artifacts'] {
  const of = (state: string): number => rows.find((row) => row.state === state)?.count ?? 0;
  return {
    pending: of('Pending'),
    verified: of('Verified'),
    mismatched: of('Mismatch'),
    missing: of('Missing'),
  };
}
