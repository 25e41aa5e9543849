import type { Kysely } from 'kysely';
import type pg from 'pg';
import type {
  ListedMessage,
  Message,
  MessageKind,
  MessageScope,
  MessageState,
  Outbox,
  SettledMessage,
  Settlement,
} from '../outbox.ts';
import { storableJson, storableText } from './storable-text.ts';
import type { Tables } from './tables.ts';
import { whileContended } from './while-contended.ts';

/** Rows that one statement deletes at most, so that it never takes long. */
const DELETED_AT_ONCE = 10_000;

/** The table `outbox` as a queue; see migrations/0006-delivery.ts. */
export class PostgresOutbox implements Outbox {
  readonly #pool: pg.Pool;
  readonly #db: Kysely<Tables>;

  constructor(pool: pg.Pool, db: Kysely<Tables>) {
    this.#pool = pool;
    this.#db = db;
  }

  claim(scope: MessageScope, limit: number, leaseMs: number): Promise<readonly Message[]> {
    return whileContended('claim messages of the outbox', async () => {
      const { rows } = await this.#pool.query<ClaimedRow>({
        name: 'claim_messages',
        text: `select id, run_uid, kind, payload, claims, tries, created_at, done
               from batchtest.claim_messages($1, $2, $3, $4, $5 * interval '1 millisecond', $6) order by id`,
        values: [
          scope.engine,
          scope.runUids ?? null,
          scope.kinds,
          limit,
          leaseMs,
          scope.namespaces === 'All' ? null : scope.namespaces,
        ],
      });
      return rows.map((row) => ({
        id: row.id,
        runUid: row.run_uid,
        kind: row.kind,
        payload: row.payload,
        claim: row.claims,
        tries: row.tries,
        createdAt: row.created_at,
        done: row.done,
      }));
    });
  }

  extend(messages: readonly Pick<Message, 'id' | 'claim'>[], leaseMs: number): Promise<ReadonlySet<number>> {
    return whileContended('extend the lease of messages', async () => {
      const { rows } = await this.#pool.query<{ id: number }>(
        `select extend_messages as id from batchtest.extend_messages($1, $2, $3 * interval '1 millisecond')`,
        [messages.map(({ id }) => id), messages.map(({ claim }) => claim), leaseMs],
      );
      return new Set(rows.map(({ id }) => id));
    });
  }

  async settle(settled: readonly SettledMessage[]): Promise<void> {
    if (settled.length === 0) return;
    await whileContended('settle messages of the outbox', () =>
      this.#pool.query({
        name: 'settle_messages',
        text: 'select count(*) from batchtest.settle_messages($1)',
        values: [storableJson(settled.map(rowOf))],
      }),
    );
  }

  list({
    deadOnly,
    limit,
  }: {
    readonly deadOnly: boolean;
    readonly limit: number;
  }): Promise<readonly ListedMessage[]> {
    return whileContended('list the outbox', async () => {
      const rows = await this.#db
        .selectFrom('outbox')
        .leftJoin('runs', 'runs.uid', 'outbox.run_uid')
        .select([
          'outbox.id',
          'outbox.kind',
          'outbox.state',
          'outbox.run_uid',
          'outbox.tries',
          'outbox.created_at',
          'outbox.due_at',
          'outbox.last_error',
          'runs.name',
        ])
        .where('outbox.state', 'in', deadOnly ? ['Dead'] : ['Dead', 'Pending'])
        .where('runs.deleting', 'is not', true)
        .orderBy('outbox.id')
        .limit(limit)
        .execute();
      return rows.map((row) => ({
        id: row.id,
        kind: row.kind,
        state: row.state,
        runUid: row.run_uid,
        runName: row.name ?? undefined,
        tries: row.tries,
        createdAt: row.created_at,
        dueAt: row.state === 'Pending' ? row.due_at : undefined,
        lastError: row.last_error ?? undefined,
      }));
    });
  }

  retry(ids: readonly number[] | undefined): Promise<readonly number[]> {
    return whileContended('retry messages of the outbox', async () => {
      const { rows } = await this.#pool.query<{ id: number }>(
        'select retry_messages as id from batchtest.retry_messages($1) order by 1',
        [ids ?? null],
      );
      return rows.map(({ id }) => id);
    });
  }

  deleteDelivered(ageMs: number): Promise<number> {
    return whileContended('delete delivered messages', async () => {
      const { rows } = await this.#pool.query<{ deleted: number }>(
        `select batchtest.delete_delivered($1 * interval '1 millisecond', $2) as deleted`,
        [ageMs, DELETED_AT_ONCE],
      );
      return rows[0]?.deleted ?? 0;
    });
  }

  counts({ engine, namespaces }: Parameters<Outbox['counts']>[0]): ReturnType<Outbox['counts']> {
    return whileContended('count messages of the outbox', async () => {
      const { rows } = await this.#pool.query<{ pending: number; dead: number }>(
        `select count(*) filter (where o.state = 'Pending') as pending, count(*) filter (where o.state = 'Dead') as dead
         from batchtest.outbox o join batchtest.runs r on r.uid = o.run_uid
         where o.state in ('Pending', 'Dead') and not r.deleting and r.engine = $1 and ($2::text[] is null or r.namespace = any ($2))`,
        [engine, namespaces === 'All' ? null : namespaces],
      );
      return rows[0] ?? { pending: 0, dead: 0 };
    });
  }

  hasPending(runUid: string): Promise<boolean> {
    return whileContended('find pending messages of a run', async () => {
      const row = await this.#db
        .selectFrom('outbox')
        .select('id')
        .where('run_uid', '=', runUid)
        .where('state', '=', 'Pending')
        .limit(1)
        .executeTakeFirst();
      return row !== undefined;
    });
  }

  localRunsLeft(): Promise<readonly string[]> {
    return whileContended('find runs that were left with pending messages', async () => {
      const { rows } = await this.#pool.query<{ uid: string }>(
        `with pending as materialized (select distinct o.run_uid as uid from batchtest.outbox o where o.state = 'Pending')
         select p.uid from pending p join batchtest.runs r on r.uid = p.uid
         where r.engine = 'local' and not batchtest.is_held(p.uid)`,
      );
      return rows.map(({ uid }) => uid);
    });
  }
}

interface ClaimedRow {
  readonly id: number;
  readonly run_uid: string;
  readonly kind: MessageKind;
  readonly payload: unknown;
  readonly claims: number;
  readonly tries: number;
  readonly created_at: Date;
  readonly done: readonly string[];
}

function rowOf({ message: { id, claim }, settlement }: SettledMessage) {
  return { id, claims: claim, ...outcomeOf(settlement) };
}

function outcomeOf(settlement: Settlement): {
  readonly state: MessageState;
  readonly error?: string;
  readonly retry_ms?: number;
  readonly done?: readonly string[] | undefined;
} {
  switch (settlement.kind) {
    case 'Delivered':
      return { state: 'Delivered' };
    case 'Retry':
      return {
        state: 'Pending',
        error: storableText(settlement.error),
        retry_ms: settlement.retryAfterMs,
        done: settlement.done,
      };
    case 'Dead':
      return { state: 'Dead', error: storableText(settlement.error), done: settlement.done };
  }
}
