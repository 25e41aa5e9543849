import type pg from 'pg';
import type { Judgement } from '../../core/outcome.ts';
import type { PushedPart } from '../../core/pushed-result.ts';
import { exactNumber, resultDigest } from '../result-digest.ts';
import type { AttemptRecord } from '../result-store.ts';
import { storableJson, storableText } from './storable-text.ts';

/** As the SQL functions record_attempt and record_pushed_attempt return it. */
export interface Verdict {
  readonly verdict: 'Recorded' | 'AlreadyRecorded' | 'Fenced' | 'Refused' | 'PushedMeanwhile';
  readonly refusal: string | null;
}

const RECORD_ATTEMPT = {
  // A name makes it a prepared statement of the session.
  name: 'record_attempt',
  text: `select verdict, refusal from batchtest.record_attempt(
    $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21)`,
};

const RECORD_PUSHED_ATTEMPT = {
  name: 'record_pushed_attempt',
  text: `select verdict, refusal from batchtest.record_pushed_attempt(
    $22, $23, $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21)`,
};

/** Stores the end of an attempt and what becomes of its trial, unless a rule forbids it. One transaction, one round trip. */
export async function recordAttempt(pool: pg.Pool, record: AttemptRecord): Promise<Verdict> {
  const { trialAfter, pushed } = record;
  const stored = storedForm(record.judgement);
  const { rows } = await pool.query<Verdict>({
    ...(pushed === undefined ? RECORD_ATTEMPT : RECORD_PUSHED_ATTEMPT),
    values: [
      record.runUid,
      record.fence,
      record.variantId,
      record.repetition,
      record.attempt,
      trialAfter.phase,
      trialAfter.phase !== 'Pending' || trialAfter.counts,
      trialAfter.phase === 'Failed' && trialAfter.failsVariant,
      storableText(record.name),
      stored.outcome,
      stored.reason,
      stored.message,
      stored.exitCode ?? null,
      record.startedAt?.toISOString() ?? null,
      record.finishedAt.toISOString(),
      record.logs === undefined ? null : storableText(record.logs),
      stored.outputs === undefined ? null : JSON.stringify(stored.outputs),
      stored.metrics.map(([name]) => name),
      stored.metrics.map(([, value]) => value),
      stored.artifacts.length === 0 ? null : JSON.stringify(stored.artifacts),
      resultDigest(stored, pushed?.kind === 'Takes' ? 'Pushed' : 'Stored'),
      ...(pushed === undefined ? [] : startAndDigestOf(pushed)),
    ],
  });
  const [verdict] = rows;
  if (verdict === undefined) throw new Error('record_attempt returned no row');
  return verdict;
}

function startAndDigestOf(pushed: PushedPart): readonly [startId: string | null, sha256: string | null] {
  switch (pushed.kind) {
    case 'Takes':
      return [pushed.startId, pushed.sha256];
    case 'RestsOnNothing':
      return [pushed.startId, null];
    case 'Discards':
      return [null, null];
  }
}

/** A judgement as Postgres can store it; see {@link storableText}. What is digested is what is stored. */
function storedForm({ outcome, reason, message, exitCode, result }: Judgement) {
  return {
    outcome,
    reason: storableText(reason),
    message: storableText(message),
    exitCode,
    metrics: [...(result?.metrics ?? [])].map(
      ([name, value]) => [storableText(name), exactNumber(value)] as const,
    ),
    artifacts: storable(result?.artifacts ?? []),
    outputs: storable(result?.outputs),
  };
}

/** The value as it reads back from a jsonb column. */
const storable = <Value>(value: Value): Value =>
  value === undefined ? value : JSON.parse(storableJson(value));
