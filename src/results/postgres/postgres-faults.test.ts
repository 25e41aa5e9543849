import { randomUUID } from 'node:crypto';
import { on, once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { aRun } from '../../../test/builders/run.ts';
import { FORWARD_STATEMENT, openStoreProxy, type Statement } from '../../../test/faults/store-proxy.ts';
import {
  type Connection,
  type PostgresServer,
  query,
  startPostgresServer,
} from '../../../test/integration/postgres-server.ts';
import type { RunDefinition } from '../../core/run.ts';
import { aRecord } from '../result-store.testsuite.ts';
import {
  type AttemptRecord,
  type PruneSelection,
  type ResultStore,
  ResultStoreUnavailableError,
  type RunHold,
} from '../result-store.ts';
import { createPool } from './connection-pool.ts';
import { migrateDatabase, withMigrationPool } from './migrate-database.ts';
import { migrate } from './migrations/migrate.ts';
import { migrations } from './migrations/migrations.ts';
import { openPostgresResultStore } from './open-postgres-result-store.ts';
import { storeError } from './store-error.ts';

const DEADLINE_MS = 20_000;

let server: PostgresServer;
let connection: Connection;
let store: ResultStore;
let record: AttemptRecord;

beforeAll(async () => {
  server = await startPostgresServer();
});
afterAll(() => server?.stop());

beforeEach(async () => {
  connection = await server.createDatabase();
  store = await openPostgresResultStore({ connection });
  const run = aRun({ uid: randomUUID() });
  const { fence } = await store.openRun(run);
  record = aRecord(run, fence, {});
});
afterEach(() => store?.close());

describe('a connection that breaks', () => {
  it('while a result is stored leaves nothing of it, and the same call again stores it once', async () => {
    await onInsertOfAttempt('perform pg_sleep(60);');
    const recording = reasonOf(store.recordAttempt(record));
    const [sleeper] = await until(async () => {
      const rows = await admin<{ pid: number }>(
        `select pid from pg_stat_activity where datname = $1 and wait_event = 'PgSleep'`,
        [connection.database],
      );
      return rows.length > 0 ? rows : undefined;
    });
    await admin('select pg_terminate_backend($1)', [sleeper?.pid]);
    expect(await recording).toBe('ServerStopped');
    expect(await storedRows()).toEqual({ attempts: 0, metrics: 0, outbox: 0 });

    await onInsertOfAttempt('');
    expect(await store.recordAttempt(record)).toEqual({ kind: 'Recorded' });
    expect((await store.recordAttempt(record)).kind).toBe('AlreadyRecorded');
    expect(await storedRows()).toEqual({ attempts: 1, metrics: 1, outbox: 1 });
  });

  it('without a word while something is read tells its reader, and does not end the process', async () => {
    const network = await Network.start(connection);
    const distant = await openPostgresResultStore({ connection: network.connection });
    const adversary = new pg.Client(connection);
    await adversary.connect();
    try {
      await adversary.query('begin');
      await adversary.query('lock table batchtest.artifacts in access exclusive mode');
      const reading = reasonOf(distant.verification.counts(record.runUid));
      await until(async () => {
        const waiting = await admin(
          `select pid from pg_stat_activity where datname = $1 and wait_event_type = 'Lock'`,
          [connection.database],
        );
        return waiting.length > 0 || undefined;
      });
      network.breakConnections();
      expect(await reading).toBe('ConnectionLost');
    } finally {
      await adversary.end();
      await distant.close();
      await network.stop();
    }
  });

  it('after the commit and before the answer is told from one before it by the same call again', async () => {
    const network = await Network.start(connection);
    const distant = await openPostgresResultStore({ connection: network.connection });
    try {
      await distant.ping();
      network.keepsAnswers = true;
      const recording = reasonOf(distant.recordAttempt(record));
      await until(async () => (await storedRows()).attempts === 1 || undefined);
      network.breakConnections();
      expect(await recording).toBe('ConnectionLost');

      network.keepsAnswers = false;
      expect((await distant.recordAttempt(record)).kind).toBe('AlreadyRecorded');
      expect(await storedRows()).toEqual({ attempts: 1, metrics: 1, outbox: 1 });
    } finally {
      await distant.close();
      await network.stop();
    }
  });

  it('while something is read, and tells neither end, is used no more once its reader has waited long enough', async () => {
    const network = await Network.start(connection);
    const distant = await openPostgresResultStore({
      connection: network.connection,
      poolSize: 1,
      statementTimeoutMs: 200,
    });
    try {
      await distant.ping();
      network.keepsAnswers = true;
      expect(await reasonOf(distant.verification.counts(record.runUid))).toBe('Timeout');
      network.keepsAnswers = false;
      // On the same connection it would wait behind the other.
      expect(await distant.isCancelRequested(record.runUid)).toBe(false);
    } finally {
      await distant.close();
      await network.stop();
    }
  });

  it('because the store is closed while its server answers nothing tells whoever waits for an answer', async () => {
    const proxy = await openStoreProxy({ path: socketOf(connection) });
    const at = { ...connection, host: '127.0.0.1', port: proxy.port };
    const distant = await openPostgresResultStore({ connection: at });
    const asked = new Promise<void>((resolve) => {
      proxy.onStatement(() => {
        resolve();
        return { kind: 'Hold', until: new Promise(() => undefined) };
      });
    });
    try {
      const reading = reasonOf(distant.findRun('somebody'));
      await asked;
      await distant.close();
      expect(await reading).toBe('ConnectionLost');
    } finally {
      await proxy.close();
    }
  });

  it('while it is idle is replaced without a word', async () => {
    await store.ping();
    await terminateSessions();
    await until(async () => {
      const reason = await reasonOf(store.ping());
      return reason === undefined ? true : undefined;
    });
    expect(await store.recordAttempt(record)).toEqual({ kind: 'Recorded' });
  });
});

describe('the hold of a run whose connection breaks', () => {
  it('is taken again; by nobody else before the server has found out, and not from somebody else after that', async () => {
    const network = await Network.start(connection);
    const distant = await openPostgresResultStore({ connection: network.connection });
    const isHeld = async () =>
      (await query<{ held: boolean }>(connection, 'select batchtest.is_held($1) as held', [record.runUid]))[0]
        ?.held;
    try {
      const hold = await distant.holdRun(record.runUid);
      const kept = async () => hold?.keep();
      expect(await kept()).toEqual({ kind: 'Held' });
      network.breakClients();
      // The server still has the former connection, and with it the lock.
      expect(await kept()).toEqual({ kind: 'Held' });
      expect(await store.holdRun(record.runUid)).toBeUndefined();
      await terminateSessions();
      await until(async () => ((await isHeld()) ? undefined : true));
      await until(() => kept().catch(() => undefined));
      expect(await isHeld()).toBe(true);

      await terminateSessions();
      const other = await until(async () => store.holdRun(record.runUid).catch(() => undefined));
      const taken = await until(() => kept().catch(() => undefined));
      expect(taken).toMatchObject({
        kind: 'TakenOver',
        by: expect.stringMatching(/^batchtest, process \d+, hold \w+ on /),
      });
      await hold?.release();
      expect(await store.holdRun(record.runUid)).toBeUndefined();
      await other.release();
    } finally {
      await distant.close();
      await network.stop();
    }
  });

  it('is known to be another’s that has the same session by a pooler', async () => {
    const pooler = await Pooler.start(connection);
    const [first, second] = await Promise.all([
      openPostgresResultStore({ connection: pooler.connection }),
      openPostgresResultStore({ connection: pooler.connection }),
    ]);
    const sessionOfHold = () =>
      query(
        connection,
        `select l.pid, a.backend_start from pg_locks l join pg_stat_activity a using (pid)
         where l.locktype = 'advisory' and l.classid::bigint << 32 | l.objid::bigint = batchtest.hold_lock($1)`,
        [record.runUid],
      );
    const hold = await first.holdRun(record.runUid);
    let other: RunHold | undefined;
    try {
      const session = await sessionOfHold();
      expect(session).toHaveLength(1);
      pooler.breakNewestClient();
      await until(async () => (await sessionOfHold()).length === 0 || undefined);
      other = await second.holdRun(record.runUid);
      expect(await sessionOfHold()).toEqual(session);
      expect(await hold?.keep()).toEqual({
        kind: 'TakenOver',
        by: expect.stringMatching(/^batchtest, process \d+, hold \w+ on /),
      });
      await other?.release();
      expect(await hold?.keep()).toEqual({ kind: 'Held' });
    } finally {
      await other?.release();
      await hold?.release();
      await Promise.all([first.close(), second.close()]);
      await pooler.stop();
    }
  });
});

describe('a server that crashes', () => {
  it('keeps what was stored, and the same store goes on with it', async () => {
    await store.recordAttempt(record);
    const victim = new pg.Client(connection);
    victim.on('error', () => undefined);
    await victim.connect();
    const { rows } = await victim.query<{ pid: number }>('select pg_backend_pid() as pid');
    // When a backend is killed, the server ends all connections at once and recovers from its log.
    process.kill(rows[0]?.pid ?? Number.NaN, 'SIGKILL');

    const reasons = new Set<string>();
    await until(async () => {
      const reason = await reasonOf(store.ping());
      if (reason !== undefined) reasons.add(reason);
      return reason === undefined && reasons.size > 0 ? true : undefined;
    });
    for (const reason of reasons)
      expect(['ServerStopped', 'ServerStarting', 'ConnectionLost']).toContain(reason);
    expect((await store.recordAttempt(record)).kind).toBe('AlreadyRecorded');
    expect((await store.loadRun(record.runUid))?.trials.succeeded).toBe(1);
  });
});

describe('a database that cannot be written to', () => {
  it('is ReadOnly to a ping and to a result, and is used again once it can be', async () => {
    await admin(`alter database ${connection.database} set default_transaction_read_only = on`);
    await terminateSessions();
    await until(async () => ((await reasonOf(store.ping())) === 'ReadOnly' ? true : undefined));
    expect(await reasonOf(store.recordAttempt(record))).toBe('ReadOnly');
    expect((await store.loadRun(record.runUid))?.state).toBe('Running');

    await admin(`alter database ${connection.database} reset default_transaction_read_only`);
    await terminateSessions();
    await until(async () => ((await reasonOf(store.ping())) === undefined ? true : undefined));
    expect(await store.recordAttempt(record)).toEqual({ kind: 'Recorded' });
  });

  it.each([
    ['53100', 'DiskFull'],
    ['53200', 'OutOfResources'],
    ['58030', 'StorageFailed'],
    ['25P04', 'Timeout'],
    ['57014', 'Timeout'],
    ['42501', 'PermissionDenied'],
    ['40P01', 'Contention'],
  ])(
    'whose error is %s is unavailable because of %s, and the result can be stored later',
    async (code, reason) => {
      await onInsertOfAttempt(`raise exception 'no room on db.internal' using errcode = '${code}';`);
      const error = await errorOf(store.recordAttempt(record));
      expect(error).toBeInstanceOf(ResultStoreUnavailableError);
      expect(error).toMatchObject({ reason });
      expect(error.message).toContain(code);
      expect(error.message).not.toContain('db.internal');
      expect(error.cause).toBeUndefined();

      await onInsertOfAttempt('');
      expect(await store.recordAttempt(record)).toEqual({ kind: 'Recorded' });
    },
  );

  it('for a defect is no excuse: the error says what failed, and carries the cause', async () => {
    await onInsertOfAttempt(`raise exception 'a defect';`);
    const error = await errorOf(store.recordAttempt(record));
    expect(error).not.toBeInstanceOf(ResultStoreUnavailableError);
    expect(error.message).toContain(record.runUid);
    expect(error.cause).toMatchObject({ message: 'a defect' });
  });

  it('for a serialization failure is asked again at once', async () => {
    // A sequence counts on when its transaction is rolled back.
    await query(connection, 'create sequence tries');
    await onInsertOfAttempt(
      `if nextval('tries') < 3 then raise exception 'again' using errcode = '40001'; end if;`,
    );
    const told: unknown[] = [];
    const observed = await openPostgresResultStore({
      connection,
      observer: {
        opened: (connections) => told.push(Object.keys(connections())),
        contended: (sqlstate) => told.push(sqlstate),
      },
    });
    try {
      expect(await observed.recordAttempt(record)).toEqual({ kind: 'Recorded' });
    } finally {
      await observed.close();
    }
    expect(await storedRows()).toEqual({ attempts: 1, metrics: 1, outbox: 1 });
    expect(told).toEqual([['busy', 'idle', 'waiting'], '40001', '40001']);
  });

  it('within the statement timeout is a Timeout', async () => {
    const hasty = await openPostgresResultStore({ connection, statementTimeoutMs: 200 });
    const holder = new pg.Client(connection);
    await holder.connect();
    try {
      await holder.query('begin');
      await holder.query('select from batchtest.trials for update');
      expect(await reasonOf(hasty.recordAttempt(record))).toBe('Timeout');
      await holder.query('rollback');
      expect(await hasty.recordAttempt(record)).toEqual({ kind: 'Recorded' });
    } finally {
      await holder.end();
      await hasty.close();
    }
  });
});

describe('the deletion of a run', () => {
  const COMPLETE = { state: 'Complete', reason: 'AllTrialsSucceeded', message: '' } as const;
  const everything = (): PruneSelection => ({
    endedBefore: new Date(Date.now() + 60_000),
    workflowId: undefined,
    keep: 0,
    dryRun: false,
  });
  const onDelete = (table: string, rows: string, statements: string): Promise<unknown> =>
    query(
      connection,
      `create function public.on_delete() returns trigger language plpgsql as $$ begin ${statements} return old; end $$;
       create trigger on_delete before delete on batchtest.${table} for each row ${rows} execute function public.on_delete()`,
    );
  const ended = async (run: RunDefinition): Promise<string> => {
    const { fence } = await store.openRun(run);
    await store.recordAttempt(aRecord(run, fence, {}));
    await store.finishRun(run.uid, fence, COMPLETE);
    return run.uid;
  };
  const rowsOf = async (uid: string): Promise<unknown> =>
    (
      await query(
        connection,
        `select (select count(*)::int from batchtest.trials where run_uid = $1) as trials,
           (select count(*)::int from batchtest.metrics where run_uid = $1) as metrics`,
        [uid],
      )
    )[0];

  it('that fails keeps no other, neither older nor newer, from being deleted, and leaves it as it is', async () => {
    const [first, second, third] = [
      await ended(aRun({ uid: randomUUID() })),
      await ended(aRun({ uid: randomUUID() })),
      await ended(aRun({ uid: randomUUID() })),
    ];
    await onDelete('runs', `when (old.uid = '${second}')`, `raise exception 'not this one';`);
    await expect(store.pruneRuns(everything())).rejects.toThrow(`delete run ${second}`);
    expect(await store.loadRun(first)).toBeUndefined();
    expect(await store.loadRun(second)).toMatchObject({ trials: { succeeded: 1 } });
    expect(await store.loadRun(third)).toBeUndefined();
    await query(connection, 'drop trigger on_delete on batchtest.runs');
    expect((await store.pruneRuns(everything())).map(({ uid }) => uid)).toEqual([second]);
  });

  it('is not tried of one run after the other when the store is away', async () => {
    await ended(aRun({ uid: randomUUID() }));
    await ended(aRun({ uid: randomUUID() }));
    const proxy = await openStoreProxy({ path: join(connection.host, `.s.PGSQL.${connection.port}`) });
    const at = { ...connection, host: '127.0.0.1', port: proxy.port };
    const distant = await openPostgresResultStore({ connection: at });
    let deletions = 0;
    // It takes connections, and answers nothing that is asked on them.
    proxy.onStatement(({ call, text }) => {
      if (call === 'delete_run_part') deletions += 1;
      return deletions > 0 && text.startsWith('select') ? { kind: 'CutBefore' } : FORWARD_STATEMENT;
    });
    try {
      expect(await reasonOf(distant.pruneRuns(everything()))).toBe('ConnectionLost');
      expect(deletions).toBe(1);
    } finally {
      await distant.close();
      await proxy.close();
    }
  });

  it('may take longer than a statement may', async () => {
    const uid = await ended(aRun({ uid: randomUUID(), variants: 3, repetitions: 1_000 }));
    await onDelete('trials', '', 'perform pg_sleep(0.001);');
    const hasty = await openPostgresResultStore({ connection, statementTimeoutMs: 1_500 });
    try {
      expect(await hasty.pruneRuns(everything())).toMatchObject([{ uid }]);
    } finally {
      await hasty.close();
    }
    expect(await query(connection, 'select uid from batchtest.runs where uid = $1', [uid])).toEqual([]);
    expect(await rowsOf(uid)).toEqual({ trials: 0, metrics: 0 });
  }, 60_000);

  it('that has begun leaves nothing to be counted as read back, whose status would tell of half of it', async () => {
    const run = aRun({ uid: randomUUID(), variants: 1, repetitions: 2 });
    const { fence } = await store.openRun(run);
    const artifacts = [{ name: 'trace', uri: 's3://traces/1' }];
    const result = { metrics: new Map([['p95_ms', 1]]), artifacts, outputs: undefined };
    for (const trial of [0, 1]) await store.recordAttempt(aRecord(run, fence, { trial, result }));
    await store.finishRun(run.uid, fence, COMPLETE);
    const tally = { pending: 2, verified: 0, mismatched: 0, missing: 0 };
    expect(await store.verification.counts(run.uid)).toEqual({ artifacts: tally, results: tally });
    for (const _ of ['is hidden', 'loses its first trial']) {
      expect(
        await query(connection, 'select batchtest.delete_run_part($1, 1) as verdict', [run.uid]),
      ).toEqual([{ verdict: 'Partly' }]);
      const nothing = { ...tally, pending: 0 };
      expect(await store.verification.counts(run.uid)).toEqual({ artifacts: nothing, results: nothing });
    }
  });

  it('that broke off after a part leaves nothing to be seen, and is gone on with by the next, whatever that looks for', async () => {
    const gates = [{ metric: 'p95_ms', against: 'PreviousRun' as const, maxRegressionPercent: 5 }];
    const named = { name: 'same', variants: 1, spec: { workflowId: 'large' } };
    const small = aRun({ uid: randomUUID(), ...named });
    const { fence } = await store.openRun(small);
    const large = await ended(aRun({ uid: randomUUID(), ...named, repetitions: 250 }));
    await sleep(20);
    const beforeTheSmallOne = { ...everything(), endedBefore: new Date() };
    await sleep(20);
    await store.recordAttempt(aRecord(small, fence, {}));
    await store.finishRun(small.uid, fence, COMPLETE);
    // Its one result is of the first repetition, and goes with the first part; this one would go with the last.
    await onDelete('trials', 'when (old.repetition = 249)', `raise exception 'not yet';`);
    await expect(store.pruneRuns(beforeTheSmallOne)).rejects.toThrow(`delete run ${large}`);
    expect(await rowsOf(large)).toEqual({ trials: 50, metrics: 0 });

    const viewed = async (view: string) =>
      query(connection, `select from batchtest.${view} where run_uid = $1`, [large]);
    for (const view of ['variant_scores', 'comparison_matrix', 'best_variant'])
      expect(await viewed(view), view).toEqual([]);
    const messages = await store.outbox.list({ deadOnly: false, limit: 1_000 });
    expect(messages.filter(({ runUid }) => runUid === large)).toEqual([]);
    expect(await store.findRun(large)).toBeUndefined();
    expect(await store.loadRun(large)).toBeUndefined();
    expect((await store.findRun('same'))?.uid).toBe(small.uid);
    expect((await store.listRuns({ limit: 1 })).map(({ uid }) => uid)).toEqual([small.uid]);
    const comparing = aRun({
      ...named,
      uid: randomUUID(),
      spec: { ...named.spec, comparison: { gates } },
    });
    expect((await store.openRun(comparing)).previousRun?.uid).toBe(small.uid);

    await query(connection, 'drop trigger on_delete on batchtest.trials');
    const ofLongAgo = { ...everything(), endedBefore: new Date(0) };
    expect((await store.pruneRuns({ ...ofLongAgo, dryRun: true })).map(({ uid }) => uid)).toEqual([large]);
    expect((await store.pruneRuns(ofLongAgo)).map(({ uid }) => uid)).toEqual([large]);
    expect(await query(connection, 'select uid from batchtest.runs where uid = $1', [large])).toEqual([]);
  });
});

it('a session has timeouts of ours, whatever the database has as its defaults', async () => {
  for (const name of [
    'statement_timeout',
    'lock_timeout',
    'idle_in_transaction_session_timeout',
    'transaction_timeout',
  ])
    await admin(`alter database ${connection.database} set ${name} = '1h'`);
  const pool = createPool(connection, {
    poolSize: 1,
    applicationName: 'test',
    connectTimeoutMs: 5_000,
    statementTimeoutMs: 20_000,
    lockTimeoutMs: 10_000,
  });
  const setting = async (name: string) => (await pool.query(`show ${name}`)).rows[0]?.[name];
  try {
    expect(await setting('statement_timeout')).toBe('20s');
    expect(await setting('lock_timeout')).toBe('10s');
    expect(await setting('idle_in_transaction_session_timeout')).toBe('30s');
    expect(await setting('transaction_timeout')).toBe('0');
  } finally {
    await pool.end();
  }
});

describe('opening a store', () => {
  const refusals: readonly (readonly [string, (connection: Connection) => Connection | string, string])[] = [
    ['where nothing listens', (at) => ({ ...at, host: join(at.host, 'secret-host') }), 'ConnectionRefused'],
    [
      'where nothing listens on TCP',
      () => 'postgres://secret-user:secret@127.0.0.1:1/secret',
      'ConnectionRefused',
    ],
    [
      'in a database that does not exist',
      (at) => ({ ...at, database: 'secret_database' }),
      'DatabaseMissing',
    ],
    ['as a user who does not exist', (at) => ({ ...at, user: 'secret_user' }), 'AccessDenied'],
    [
      'as a user who has too many connections',
      (at) => ({ ...at, user: 'secret_crowd' }),
      'TooManyConnections',
    ],
    ['as a user who may not create the schema', (at) => ({ ...at, user: 'secret_guest' }), 'SchemaMissing'],
    ['with TLS where there is none', (at) => `${urlOf(at)}&sslmode=require`, 'TlsFailed'],
  ];

  it.each(refusals)('%s says why it is unavailable, without names', async (_, connectionOf, reason) => {
    const empty = await server.createDatabase();
    for (const role of ['secret_crowd connection limit 0', 'secret_guest'])
      await admin(`create role ${role} login`).catch(() => undefined);
    const error = await errorOf(openPostgresResultStore({ connection: connectionOf(empty) }));
    expect(error).toBeInstanceOf(ResultStoreUnavailableError);
    expect(error).toMatchObject({ reason });
    expect(error.message).not.toContain('secret');
    expect(error.message).not.toContain('127.0.0.1');
    expect(error.cause).toBeUndefined();
  });

  it('without a password, where the server wants one, says that access is denied', async () => {
    const empty = await server.createDatabase();
    await admin("create role secret_scram login password 'secret'").catch(() => undefined);
    const [{ hba_file: hba } = { hba_file: '' }] = await query<{ hba_file: string }>(empty, 'show hba_file');
    await writeFile(hba, `local all secret_scram scram-sha-256\n${await readFile(hba, 'utf8')}`);
    await query(empty, 'select pg_reload_conf()');
    for (const password of [undefined, '', 'wrong']) {
      const error = await errorOf(
        openPostgresResultStore({
          connection: { ...empty, user: 'secret_scram', ...(password === undefined ? {} : { password }) },
        }),
      );
      expect(error).toMatchObject({ name: 'ResultStoreUnavailableError', reason: 'AccessDenied' });
      expect(error.message).not.toContain('secret');
    }
  });

  it.each([
    ['nothing at all', () => true],
    ['nothing of its schema', ({ text }: Statement) => text.includes('pg_namespace')],
  ])(
    'of a server that accepts connections and answers %s ends with the reason',
    async (_, isSilent) => {
      const proxy = await openStoreProxy({ path: join(connection.host, `.s.PGSQL.${connection.port}`) });
      proxy.onStatement((statement) =>
        isSilent(statement) ? { kind: 'Hold', until: new Promise(() => undefined) } : FORWARD_STATEMENT,
      );
      const at = { ...connection, host: '127.0.0.1', port: proxy.port };
      const error = await errorOf(openPostgresResultStore({ connection: at }));
      await proxy.close();
      expect(error).toMatchObject({
        name: 'ResultStoreUnavailableError',
        reason: 'Timeout',
        message: 'open the result store: the database did not answer in time',
      });
    },
    60_000,
  );

  it('in a database whose encoding lacks characters is refused, by who migrates and by who does not', async () => {
    const { database } = connection;
    await admin(
      `create database ${database}_windows template template0 encoding 'WIN1252' lc_collate 'C' lc_ctype 'C'`,
    );
    const windows = { ...connection, database: `${database}_windows` };
    const refusal = {
      name: 'ResultStoreUnavailableError',
      reason: 'EncodingNotUtf8',
      message: expect.stringContaining(
        `WIN1252, which lacks characters that results may have. Use one made by`,
      ),
    };
    await expect(openPostgresResultStore({ connection: windows })).rejects.toMatchObject(refusal);
    await expect(migrateDatabase(windows, { write: [], read: [] })).rejects.toMatchObject(refusal);
    // As an earlier version has left it.
    await withMigrationPool(windows, (pool) => migrate(pool));
    await expect(openPostgresResultStore({ connection: windows })).rejects.toMatchObject(refusal);
  });

  it('in a database that takes every text as it comes keeps all characters', async () => {
    const { database } = connection;
    await admin(
      `create database ${database}_ascii template template0 encoding 'SQL_ASCII' lc_collate 'C' lc_ctype 'C'`,
    );
    const opened = await openPostgresResultStore({
      connection: { ...connection, database: `${database}_ascii` },
    });
    try {
      const text = 'é 漢 😀';
      const run = aRun({ uid: randomUUID(), variants: [{ name: 'only', parameters: { CHOICE: text } }] });
      const { fence } = await opened.openRun(run);
      const result = { metrics: new Map([['p95_ms', 1]]), artifacts: [], outputs: { text } };
      await opened.recordAttempt(aRecord(run, fence, { result }));
      expect(await opened.loadRun(run.uid)).toMatchObject({
        variants: [{ parameters: { CHOICE: text } }],
        trialDetails: [{ outputs: { text } }],
      });
    } finally {
      await opened.close();
    }
  });

  it('works by a URL', async () => {
    const opened = await openPostgresResultStore({ connection: urlOf(connection) });
    expect((await opened.loadRun(record.runUid))?.uid).toBe(record.runUid);
    await opened.close();
  });

  it('many times at once in an empty database creates one schema', async () => {
    const empty = await server.createDatabase();
    const stores = await Promise.all(
      Array.from({ length: 6 }, () => openPostgresResultStore({ connection: empty, poolSize: 1 })),
    );
    for (const opened of stores) {
      await opened.ping();
      await opened.close();
    }
    const applied = await query<{ name: string }>(
      empty,
      'select name from batchtest.kysely_migration order by name',
    );
    expect(applied.map(({ name }) => name)).toEqual(Object.keys(migrations));
  });

  it('waits no longer than the lock timeout for another process that migrates', async () => {
    const empty = await server.createDatabase();
    const pool = createPool(empty, {
      poolSize: 1,
      applicationName: 'test',
      connectTimeoutMs: 5_000,
      statementTimeoutMs: 10_000,
      lockTimeoutMs: 100,
    });
    const holder = new pg.Client(empty);
    await holder.connect();
    try {
      await holder.query('begin');
      await holder.query(`select pg_advisory_xact_lock(hashtextextended('batchtest/migrations', 0))`);
      const error = await errorOf(migrate(pool));
      expect(storeError(error, 'open the result store')).toMatchObject({ reason: 'LockTimeout' });
      await holder.query('rollback');
      await migrate(pool);
    } finally {
      await holder.end();
      await pool.end();
    }
  });
});

const admin = <Row extends pg.QueryResultRow>(
  text: string,
  values?: readonly unknown[],
): Promise<readonly Row[]> => query<Row>({ ...connection, database: 'postgres' }, text, values);

const terminateSessions = (): Promise<unknown> =>
  admin('select pg_terminate_backend(pid) from pg_stat_activity where datname = $1', [connection.database]);

/** Makes the server do something whenever an attempt is inserted. */
const onInsertOfAttempt = (statements: string): Promise<unknown> =>
  query(
    connection,
    `create or replace function public.on_attempt() returns trigger language plpgsql as $$ begin ${statements} return new; end $$;
     create or replace trigger on_attempt before insert on batchtest.attempts for each row execute function public.on_attempt()`,
  );

async function storedRows(): Promise<Readonly<Record<string, number>>> {
  const [counts] = await query<Record<string, number>>(
    connection,
    `select (select count(*)::int from batchtest.attempts) as attempts,
       (select count(*)::int from batchtest.metrics) as metrics,
       (select count(*)::int from batchtest.outbox) as outbox`,
  );
  return counts ?? {};
}

async function errorOf(promise: Promise<unknown>): Promise<Error> {
  const error: unknown = await promise.then(
    () => undefined,
    (rejection: unknown) => rejection,
  );
  if (error instanceof Error) return error;
  throw new Error('expected a rejection');
}

/** Why the store is unavailable; undefined when it is not. Any other error is rethrown. */
async function reasonOf(promise: Promise<unknown>): Promise<string | undefined> {
  try {
    await promise;
    return undefined;
  } catch (error) {
    if (error instanceof ResultStoreUnavailableError) return error.reason;
    throw error;
  }
}

/** Asks until there is an answer. */
async function until<Answer>(look: () => Promise<Answer | undefined>): Promise<Answer> {
  const deadline = Date.now() + DEADLINE_MS;
  while (Date.now() < deadline) {
    const answer = await look();
    if (answer !== undefined) return answer;
    await sleep(10);
  }
  throw new Error(`did not come true within ${DEADLINE_MS} ms`);
}

const urlOf = ({ host, user, database }: Connection): string =>
  `postgres://${user}@/${database}?host=${encodeURIComponent(host)}`;

/** A network between a store and its server that can swallow answers and break. */
class Network {
  keepsAnswers = false;
  readonly connection: Connection;
  readonly #listener: Server;
  readonly #directory: string;
  readonly #sockets = new Set<Socket>();
  readonly #clients = new Set<Socket>();
  readonly #brokenClients = new Set<Socket>();

  private constructor(directory: string, target: Connection) {
    this.#directory = directory;
    this.connection = { ...target, host: directory };
    this.#listener = createServer((client) => {
      const upstream = connect(socketOf(target));
      this.#clients.add(client);
      for (const socket of [client, upstream]) {
        this.#sockets.add(socket);
        socket.on('error', () => undefined);
        socket.on('close', () => {
          this.#sockets.delete(socket);
          if (this.#brokenClients.has(client)) return;
          client.destroy();
          upstream.destroy();
        });
      }
      client.on('data', (data) => upstream.write(data));
      upstream.on('data', (data) => {
        if (!this.keepsAnswers) client.write(data);
      });
    });
  }

  static async start(target: Connection): Promise<Network> {
    const directory = await mkdtemp(join(tmpdir(), 'batchtest-network-'));
    const network = new Network(directory, target);
    network.#listener.listen(socketOf(network.connection));
    await once(network.#listener, 'listening');
    return network;
  }

  /** As a firewall may: the server hears nothing of it. */
  breakClients(): void {
    for (const client of this.#clients) {
      this.#brokenClients.add(client);
      client.destroy();
    }
  }

  breakConnections(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async stop(): Promise<void> {
    this.breakConnections();
    this.#listener.close();
    await rm(this.#directory, { recursive: true, force: true });
  }
}

const socketOf = ({ host, port }: Connection): string => join(host, `.s.PGSQL.${port}`);

/** One server session of a pooler, and what the server said when it began, which each client of it is told. */
interface PooledSession {
  readonly socket: Socket;
  readonly greeting: Buffer;
}

/**
 * A pooler that gives a client one session of the server for as long as it is connected, resets it and gives it to the next then, as PgBouncer does with
 * `pool_mode = session`.
 */
class Pooler {
  readonly connection: Connection;
  readonly #target: Connection;
  readonly #directory: string;
  readonly #listener: Server;
  readonly #clients: Socket[] = [];
  readonly #sessions: Socket[] = [];
  /** Those of no client, the one that was left last at the end. */
  readonly #free: PooledSession[] = [];

  private constructor(directory: string, target: Connection) {
    this.#directory = directory;
    this.#target = target;
    this.connection = { ...target, host: directory };
    this.#listener = createServer((client) => {
      this.#clients.push(client);
      client.on('error', () => undefined);
      client.once('data', (startup) => void this.#serve(client, startup));
    });
  }

  static async start(target: Connection): Promise<Pooler> {
    const directory = await mkdtemp(join(tmpdir(), 'batchtest-pooler-'));
    const pooler = new Pooler(directory, target);
    pooler.#listener.listen(socketOf(pooler.connection));
    await once(pooler.#listener, 'listening');
    return pooler;
  }

  async #serve(client: Socket, startup: Buffer): Promise<void> {
    const { socket, greeting } = this.#free.pop() ?? (await this.#newSession(startup));
    const toClient = (data: Buffer) => client.write(data);
    const toServer = (data: Buffer) => {
      if (!data.equals(TERMINATE)) socket.write(data);
    };
    client.write(greeting);
    client.on('data', toServer);
    socket.on('data', toClient);
    client.once('close', async () => {
      socket.off('data', toClient);
      socket.write(DISCARD_ALL);
      await untilReady(socket);
      this.#free.push({ socket, greeting });
    });
  }

  async #newSession(startup: Buffer): Promise<PooledSession> {
    const socket = connect(socketOf(this.#target));
    this.#sessions.push(socket);
    socket.on('error', () => undefined);
    socket.write(startup);
    return { socket, greeting: await untilReady(socket) };
  }

  breakNewestClient(): void {
    this.#clients.at(-1)?.destroy();
  }

  async stop(): Promise<void> {
    for (const socket of [...this.#clients, ...this.#sessions]) socket.destroy();
    this.#listener.close();
    await rm(this.#directory, { recursive: true, force: true });
  }
}

const TERMINATE = Buffer.from([0x58, 0, 0, 0, 4]);
const DISCARD_ALL = Buffer.from('Q\0\0\0\x10discard all\0');
/** A server that is ready for a query, in no transaction. */
const READY = Buffer.from('Z\0\0\0\x05I');

/** What the server says until it is ready. */
async function untilReady(socket: Socket): Promise<Buffer> {
  let said = Buffer.alloc(0);
  for await (const [data] of on(socket, 'data')) {
    said = Buffer.concat([said, data as Buffer]);
    if (said.subarray(-READY.length).equals(READY)) break;
  }
  return said;
}
