import type pg from 'pg';
import type { ProgramStart, PushedResult } from '../../core/pushed-result.ts';
import type { ReportedArtifact } from '../../core/result-protocol.ts';
import type { PushOutcome, ResultPush } from '../result-store.ts';
import { storableJson, storableText } from './storable-text.ts';

type PushRefusal = Extract<PushOutcome, { kind: 'Refused' }>['reason'];

interface PushVerdict {
  readonly verdict: 'Stored' | PushRefusal;
  readonly message: string | null;
}

/** Stores what a program pushed, unless a rule forbids it. One transaction, one round trip. */
export async function pushResult(
  pool: pg.Pool,
  { runUid, namespace, start, sha256, result }: ResultPush,
): Promise<PushOutcome> {
  const { rows } = await pool.query<PushVerdict>({
    name: 'push_result',
    text: 'select verdict, message from batchtest.push_result($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)',
    values: [
      runUid,
      namespace === undefined ? null : storableText(namespace),
      start.variantId,
      start.repetition,
      start.attempt,
      storableText(start.startId),
      sha256,
      storableJson(Object.fromEntries(result.metrics)),
      storableJson(result.artifacts),
      result.outputs === undefined ? null : storableJson(result.outputs),
    ],
  });
  const [row] = rows;
  if (row === undefined) throw new Error('push_result returned no row');
  return row.verdict === 'Stored'
    ? { kind: 'Stored' }
    : { kind: 'Refused', reason: row.verdict, message: row.message ?? '' };
}

interface PushedRow {
  readonly place: number;
  readonly sha256: string;
  readonly metrics: Readonly<Record<string, number>>;
  readonly artifacts: readonly ReportedArtifact[];
}

/** What each of these starts has pushed, but for its outputs. */
export async function readPushed(
  pool: pg.Pool,
  runUid: string,
  starts: readonly ProgramStart[],
): Promise<readonly (PushedResult | undefined)[]> {
  const { rows } = await pool.query<PushedRow>(
    `select s.place::int, p.sha256, p.metrics, p.artifacts
     from unnest($2::text[], $3::integer[], $4::integer[], $5::text[]) with ordinality
       as s (variant_id, repetition, attempt, start_id, place)
     join batchtest.pushed_results p using (variant_id, repetition, attempt, start_id)
     where p.run_uid = $1`,
    [
      runUid,
      starts.map(({ variantId }) => variantId),
      starts.map(({ repetition }) => repetition),
      starts.map(({ attempt }) => attempt),
      starts.map(({ startId }) => storableText(startId)),
    ],
  );
  const byPlace = new Map(rows.map(({ place, ...row }) => [place, row]));
  return starts.map((_, index) => {
    const row = byPlace.get(index + 1);
    return row && { ...row, metrics: new Map(Object.entries(row.metrics)) };
  });
}
