/** The outbox over a real Postgres: who gets a message, when, and what faults do to it. */
import { randomUUID } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { TRIES_LIMIT } from '../../../src/outbox/back-off.ts';
import type { Handled, MessageHandler } from '../../../src/outbox/message-handler.ts';
import {
  type OutboxProcessor,
  type OutboxProcessorOptions,
  startOutboxProcessor,
} from '../../../src/outbox/outbox-processor.ts';
import type { Message, MessageScope } from '../../../src/results/outbox.ts';
import { openPostgresResultStore } from '../../../src/results/postgres/open-postgres-result-store.ts';
import { aRecord } from '../../../src/results/result-store.testsuite.ts';
import type { ResultStore } from '../../../src/results/result-store.ts';
import { createLogger } from '../../../src/telemetry/logger.ts';
import { aRun, type RunOptions } from '../../builders/run.ts';
import {
  type Connection,
  type PostgresServer,
  query,
  startPostgresServer,
} from '../../integration/postgres-server.ts';
import { startSupervised } from '../../tools/supervised-process.ts';
import { createTcpGate } from '../../tools/tcp-gate.ts';

const DEADLINE_MS = 30_000;
const RESULTS: MessageScope = {
  engine: 'kubernetes',
  namespaces: 'All',
  runUids: undefined,
  kinds: ['ResultStored'],
};
const LEASE_MS = 30_000;

let server: PostgresServer;
let connection: Connection;
let store: ResultStore;
const processors: OutboxProcessor[] = [];

beforeAll(async () => {
  server = await startPostgresServer();
});
afterAll(() => server?.stop());
beforeEach(async () => {
  connection = await server.createDatabase();
  store = await openPostgresResultStore({ connection });
});
afterEach(async () => {
  await Promise.all(processors.splice(0).map((processor) => processor.stop(0)));
  await store.close();
});

/** A run of which this many results are stored; its UID. */
async function aStoredRun(results: number, options: RunOptions = {}): Promise<string> {
  const run = aRun({ uid: randomUUID(), variants: results, ...options });
  const { fence } = await store.openRun(run);
  for (let trial = 0; trial < results; trial += 1) await store.recordAttempt(aRecord(run, fence, { trial }));
  return run.uid;
}

/** Handles results by a function of one. */
function process(
  handle: (message: Message, signal: AbortSignal) => Promise<Handled>,
  {
    leaseMs = LEASE_MS,
    batch = 4,
    atOnce = 1,
    over = store,
    outbox = over.outbox,
  }: {
    leaseMs?: number;
    batch?: number;
    atOnce?: number;
    over?: ResultStore;
    outbox?: OutboxProcessorOptions['outbox'];
  } = {},
): OutboxProcessor {
  const handler: MessageHandler = {
    kind: 'ResultStored',
    batch,
    atOnce,
    claims: 'Together',
    deadlineMs: 600_000,
    handle: (messages, signal) => Promise.all(messages.map((message) => handle(message, signal))),
  };
  const processor = startOutboxProcessor({
    outbox,
    handlers: [handler],
    engine: 'kubernetes',
    namespaces: 'All',
    runUidsOf: () => undefined,
    logger: createLogger('silent'),
    onHandled: () => undefined,
    random: Math.random,
    leaseMs,
  });
  processors.push(processor);
  return processor;
}

const DELIVERED: Handled = { kind: 'Delivered' };

const states = async (): Promise<Readonly<Record<string, number>>> => {
  const rows = await query<{ state: string; count: number }>(
    connection,
    `select state, count(*)::int as count from batchtest.outbox where kind = 'ResultStored' group by state`,
  );
  return Object.fromEntries(rows.map(({ state, count }) => [state, count]));
};

async function until(what: string, look: () => Promise<boolean> | boolean): Promise<void> {
  for (const deadline = Date.now() + DEADLINE_MS; !(await look()); await sleep(20))
    if (Date.now() > deadline) throw new Error(`${what}: not within ${DEADLINE_MS} ms`);
}

describe('a message', () => {
  it('is not there before the transaction that wrote it is committed, and never when that is rolled back', async () => {
    const run = aRun({ uid: randomUUID() });
    const { fence } = await store.openRun(run);
    const scope: MessageScope = { ...RESULTS, kinds: ['RunFinished'] };
    const finish = `select verdict from batchtest.finish_run($1, $2, 'Cancelled', 'CancelRequested', '')`;
    const client = new pg.Client(connection);
    await client.connect();
    try {
      await client.query('begin');
      expect((await client.query(finish, [run.uid, fence])).rows).toEqual([{ verdict: 'Finished' }]);
      expect(await store.outbox.claim(scope, 10, LEASE_MS)).toEqual([]);
      await client.query('rollback');
      expect(await store.outbox.claim(scope, 10, LEASE_MS)).toEqual([]);
      await client.query(finish, [run.uid, fence]);
      expect(await store.outbox.claim(scope, 10, LEASE_MS)).toMatchObject([
        {
          runUid: run.uid,
          kind: 'RunFinished',
          payload: { state: 'Cancelled' },
          claim: 1,
          tries: 1,
          done: [],
        },
      ]);
    } finally {
      await client.end();
    }
  });

  it('is claimed by one at a time, and by another only when the lease has passed', async () => {
    await aStoredRun(1);
    const [first] = await store.outbox.claim(RESULTS, 10, LEASE_MS);
    expect(await store.outbox.claim(RESULTS, 10, LEASE_MS)).toEqual([]);
    if (first === undefined) throw new Error('nothing was claimed');
    expect(await store.outbox.extend([first], 0)).toEqual(new Set([first.id]));
    const [second] = await store.outbox.claim(RESULTS, 10, LEASE_MS);
    expect(second).toMatchObject({ id: first.id, claim: 2, tries: 2 });
  });

  it('is settled by its latest claim alone', async () => {
    await aStoredRun(1);
    const [first] = await store.outbox.claim(RESULTS, 10, 0);
    const [second] = await store.outbox.claim(RESULTS, 10, LEASE_MS);
    if (first === undefined || second === undefined) throw new Error('nothing was claimed');
    await store.outbox.settle([{ message: first, settlement: { kind: 'Dead', error: 'too late' } }]);
    expect(await store.outbox.extend([first], LEASE_MS)).toEqual(new Set());
    expect(await states()).toEqual({ Pending: 1 });
    await store.outbox.settle([{ message: second, settlement: { kind: 'Delivered' } }]);
    expect(await states()).toEqual({ Delivered: 1 });
  });

  it('is for those who handle runs of its engine, or its run', async () => {
    const uid = await aStoredRun(1);
    expect(await store.outbox.claim({ ...RESULTS, engine: 'local' }, 10, LEASE_MS)).toEqual([]);
    expect(await store.outbox.claim({ ...RESULTS, runUids: [randomUUID()] }, 10, LEASE_MS)).toEqual([]);
    expect(await store.outbox.localRunsLeft()).toEqual([]);
    expect([await store.outbox.hasPending(uid), await store.outbox.hasPending(randomUUID())]).toEqual([
      true,
      false,
    ]);
    expect(await store.outbox.claim({ ...RESULTS, runUids: [uid] }, 10, LEASE_MS)).toHaveLength(1);
  });

  it('of a local run is left to others once no process runs that any more', async () => {
    const run = { ...aRun({ uid: randomUUID() }), engine: 'local', directory: '/here' } as const;
    const hold = await store.holdRun(run.uid);
    const { fence } = await store.openRun(run);
    await store.recordAttempt(aRecord(run, fence, {}));
    expect(await store.outbox.localRunsLeft()).toEqual([]);
    await hold?.release();
    await until('the run is left', async () => (await store.outbox.localRunsLeft()).includes(run.uid));
    const [message] = await store.outbox.claim({ ...RESULTS, engine: 'local' }, 10, LEASE_MS);
    if (message === undefined) throw new Error('nothing was claimed');
    expect(await store.outbox.hasPending(run.uid)).toBe(true);
    await store.outbox.settle([{ message, settlement: { kind: 'Delivered' } }]);
    expect(await store.outbox.localRunsLeft()).toEqual([]);
    expect(await store.outbox.hasPending(run.uid)).toBe(false);
  });

  it('is for those who handle runs of its namespace, and counted by them', async () => {
    const [here, there] = [
      await aStoredRun(1, { namespace: 'here' }),
      await aStoredRun(2, { namespace: 'there' }),
    ];
    const counted = (namespaces: MessageScope['namespaces']) =>
      store.outbox.counts({ engine: 'kubernetes', namespaces });
    expect(await counted(['here'])).toEqual({ pending: 1, dead: 0 });
    expect(await counted(['elsewhere', 'there'])).toEqual({ pending: 2, dead: 0 });
    expect(await counted('All')).toEqual({ pending: 3, dead: 0 });
    const claimed = async (namespaces: MessageScope['namespaces']) =>
      (await store.outbox.claim({ ...RESULTS, namespaces }, 10, LEASE_MS)).map(({ runUid }) => runUid);
    expect(await claimed([])).toEqual([]);
    expect(await claimed(['here', 'elsewhere'])).toEqual([here]);
    expect(await claimed('All')).toEqual([there, there]);
  });

  it('that was delivered is deleted after a while', async () => {
    await aStoredRun(3);
    await process(async () => DELIVERED).drain(DEADLINE_MS);
    expect(await states()).toEqual({ Delivered: 3 });
    expect(await store.outbox.deleteDelivered(60_000)).toBe(0);
    expect(await store.outbox.deleteDelivered(0)).toBe(3);
    expect(await states()).toEqual({});
  });
});

describe('a processor', () => {
  it('deletes all that was delivered an hour ago, however much that is', async () => {
    await query(
      connection,
      `insert into batchtest.outbox (run_uid, kind, payload, state, settled_at)
       select 'gone', 'ResultStored', '{}', 'Delivered', now() - interval '61 minutes'
       from generate_series(1, 25000)`,
    );
    process(async () => DELIVERED);
    await until('nothing is left', async () => (await states()).Delivered === undefined);
  });

  it('tries again what failed, later, and remembers the parts that were delivered', async () => {
    await aStoredRun(1);
    const seen: (readonly string[])[] = [];
    process(async ({ done }) => {
      seen.push(done);
      return seen.length < 3
        ? { kind: 'Failed', error: 'not now', done: [...done, `part ${seen.length}`] }
        : DELIVERED;
    });
    await until('the message is delivered', async () => (await states()).Delivered === 1);
    expect(seen).toEqual([[], ['part 1'], ['part 1', 'part 2']]);
  });

  it('gives up after a number of tries, says why, and delivers when it is asked to try again', async () => {
    await aStoredRun(2);
    await query(connection, 'update batchtest.outbox set tries = $1', [TRIES_LIMIT - 1]);
    let works = false;
    const processor = process(async () =>
      works ? DELIVERED : { kind: 'Failed', error: 'the receiver is away' },
    );
    expect(await processor.drain(DEADLINE_MS)).toBe(true);
    expect(await states()).toEqual({ Dead: 2 });
    const dead = await store.outbox.list({ deadOnly: true, limit: 10 });
    expect(dead).toMatchObject([
      { state: 'Dead', tries: TRIES_LIMIT, lastError: 'the receiver is away', dueAt: undefined },
      { state: 'Dead' },
    ]);
    expect(await store.outbox.counts({ engine: 'kubernetes', namespaces: 'All' })).toEqual({
      pending: 0,
      dead: 2,
    });

    works = true;
    const [one] = dead.map(({ id }) => id);
    if (one === undefined) throw new Error('nothing is dead');
    expect(await store.outbox.retry([one, 999_999])).toEqual([one]);
    expect(await store.outbox.retry([one])).toEqual([]);
    expect(await store.outbox.retry(undefined)).toHaveLength(1);
    expect(await processor.drain(DEADLINE_MS)).toBe(true);
    expect(await states()).toEqual({ Delivered: 2 });
  });

  it('gives up what has taken its process down as often, before a handler gets it once more', async () => {
    await aStoredRun(2);
    const last = 'update batchtest.outbox set tries = $1 where id = (select min(id) from batchtest.outbox)';
    await query(connection, last, [TRIES_LIMIT]);
    const handled: number[] = [];
    const processor = process(async ({ tries }) => {
      handled.push(tries);
      return DELIVERED;
    });
    expect(await processor.drain(DEADLINE_MS)).toBe(true);
    expect(handled).toEqual([1]);
    expect(await states()).toEqual({ Dead: 1, Delivered: 1 });
    expect(await store.outbox.list({ deadOnly: true, limit: 10 })).toMatchObject([
      {
        lastError: expect.stringContaining(
          `handled ${TRIES_LIMIT} times, and what the last came to was never noted`,
        ),
      },
    ]);
  });

  it('does not try again what its handler refuses', async () => {
    await aStoredRun(1);
    const processor = process(async () => ({ kind: 'Refused', error: 'makes no sense' }));
    expect(await processor.drain(DEADLINE_MS)).toBe(true);
    expect(await states()).toEqual({ Dead: 1 });
  });

  it('that fails unexpectedly tells no more than the name of the error, and tries again', async () => {
    await aStoredRun(1);
    const processor = process(async () => {
      throw new TypeError('postgres://user:secret@host');
    });
    expect(await processor.drain(DEADLINE_MS)).toBe(true);
    expect(await store.outbox.list({ deadOnly: false, limit: 10 })).toMatchObject([
      { state: 'Pending', lastError: 'unexpected error (TypeError); the log tells more' },
    ]);
  });

  it('never has a message that another has, however many there are', async () => {
    await aStoredRun(60);
    const other = await openPostgresResultStore({ connection });
    const beingHandled = new Set<number>();
    const handled: number[] = [];
    let overlaps = 0;
    const handle = async ({ id }: Message): Promise<Handled> => {
      if (beingHandled.has(id)) overlaps += 1;
      beingHandled.add(id);
      await sleep(Math.random() * 10);
      beingHandled.delete(id);
      handled.push(id);
      return DELIVERED;
    };
    try {
      const both = [store, other, store].map((over) => process(handle, { over }));
      await Promise.all(both.map((processor) => processor.drain(DEADLINE_MS)));
      await until('everything is delivered', async () => (await states()).Delivered === 60);
      await Promise.all(processors.splice(0).map((processor) => processor.stop(DEADLINE_MS)));
    } finally {
      await other.close();
    }
    expect(overlaps).toBe(0);
    expect(new Set(handled).size).toBe(60);
    expect(handled).toHaveLength(60);
  });

  it('is drained of what was due when that was asked for, also while it looks and finds nothing', async () => {
    let letGo = () => {};
    const held = new Promise<void>((resolve) => {
      letGo = resolve;
    });
    let found: number | undefined;
    const outbox: OutboxProcessorOptions['outbox'] = {
      claim: async (...asked) => {
        const messages = await store.outbox.claim(...asked);
        found ??= messages.length;
        await held;
        return messages;
      },
      extend: store.outbox.extend.bind(store.outbox),
      settle: store.outbox.settle.bind(store.outbox),
      deleteDelivered: store.outbox.deleteDelivered.bind(store.outbox),
    };
    const processor = process(async () => DELIVERED, { outbox });
    await until('it has looked', () => found === 0);
    await aStoredRun(1);
    const drained = processor.drain(DEADLINE_MS);
    letGo();
    expect(await drained).toBe(true);
    expect(await states()).toEqual({ Delivered: 1 });
  });

  it('handles the rest while one message takes long, never more at once than it may, and is not drained before', async () => {
    await aStoredRun(9);
    let letGo = () => {};
    const held = new Promise<void>((resolve) => {
      letGo = resolve;
    });
    let first: number | undefined;
    let [underWay, most] = [0, 0];
    const processor = process(
      async ({ id }) => {
        first ??= id;
        underWay += 1;
        most = Math.max(most, underWay);
        await (id === first ? held : sleep(5));
        underWay -= 1;
        return DELIVERED;
      },
      { batch: 1, atOnce: 3 },
    );
    let isDrained = false;
    const drained = processor.drain(DEADLINE_MS).then((all) => {
      isDrained = true;
      return all;
    });
    await until('the others are delivered', async () => (await states()).Delivered === 8);
    expect(isDrained).toBe(false);
    letGo();
    expect(await drained).toBe(true);
    expect(await states()).toEqual({ Delivered: 9 });
    expect(most).toBe(3);
  });

  it('claims together what it has places for', async () => {
    await aStoredRun(8);
    const found: number[] = [];
    const outbox: OutboxProcessorOptions['outbox'] = {
      claim: async (...asked) => {
        const messages = await store.outbox.claim(...asked);
        found.push(messages.length);
        return messages;
      },
      extend: store.outbox.extend.bind(store.outbox),
      settle: store.outbox.settle.bind(store.outbox),
      deleteDelivered: store.outbox.deleteDelivered.bind(store.outbox),
    };
    const processor = process(async () => DELIVERED, { batch: 1, atOnce: 8, outbox });
    expect(await processor.drain(DEADLINE_MS)).toBe(true);
    expect(await states()).toEqual({ Delivered: 8 });
    expect(found.filter((messages) => messages > 0)).toEqual([8]);
  });

  it('keeps what it handles for longer than the lease', async () => {
    await aStoredRun(1);
    let handling = 0;
    const slow = async (_: Message, signal: AbortSignal): Promise<Handled> => {
      handling += 1;
      await sleep(7_000, undefined, { signal });
      return DELIVERED;
    };
    process(slow, { leaseMs: 3_000 });
    process(slow, { leaseMs: 3_000 });
    await until('the message is delivered', async () => (await states()).Delivered === 1);
    expect(handling).toBe(1);
  });

  it('killed with SIGKILL while it handles a message leaves it to the next one', async () => {
    await aStoredRun(1);
    const directory = mkdtempSync(join(tmpdir(), 'batchtest-outbox-'));
    const logFile = join(directory, 'handled');
    const lines = (): string => {
      try {
        return readFileSync(logFile, 'utf8');
      } catch {
        return '';
      }
    };
    try {
      const program = await startSupervised({
        name: 'processor',
        command: globalThis.process.execPath,
        args: [
          '--import',
          'tsx',
          fileURLToPath(new URL('./processor-program.ts', import.meta.url)),
          JSON.stringify({ connection, leaseMs: 2_000, logFile, handlingMs: 600_000 }),
        ],
        environment: globalThis.process.env,
        workingDirectory: fileURLToPath(new URL('../../..', import.meta.url)),
        logFile: join(directory, 'log'),
        graceSeconds: 1,
      });
      await until('the message is being handled', () => lines().startsWith('begin'));
      await program.kill();
      const handled: number[] = [];
      process(async ({ id, tries }) => {
        handled.push(id);
        expect(tries).toBe(2);
        return DELIVERED;
      });
      await until('the next one delivers it', async () => (await states()).Delivered === 1);
      expect(lines()).toBe(`begin ${handled[0]}\n`);
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  });

  it('from which the database is cut off while it handles a message delivers it once it is back', async () => {
    await aStoredRun(1);
    let handling = 0;
    let isCutOff = false;
    let lost = 0;
    const outbox: OutboxProcessorOptions['outbox'] = {
      claim: store.outbox.claim.bind(store.outbox),
      extend: store.outbox.extend.bind(store.outbox),
      settle: (settled) =>
        store.outbox.settle(settled).catch((error: unknown) => {
          lost += settled.length;
          throw error;
        }),
      deleteDelivered: store.outbox.deleteDelivered.bind(store.outbox),
    };
    process(
      async (_, signal) => {
        handling += 1;
        while (!isCutOff) await sleep(20, undefined, { signal });
        return DELIVERED;
      },
      { leaseMs: 3_000, outbox },
    );
    await until('the message is being handled', () => handling === 1);
    const elsewhere = { ...connection, database: 'postgres' };
    const allow = (allowed: boolean) =>
      query(elsewhere, `alter database ${connection.database} with allow_connections ${allowed}`);
    await allow(false);
    await query(elsewhere, 'select pg_terminate_backend(pid) from pg_stat_activity where datname = $1', [
      connection.database,
    ]);
    isCutOff = true;
    // What it came to cannot be noted, so somebody handles it again.
    await until('what it came to is lost', () => lost === 1);
    await allow(true);
    await until('it is delivered', async () => (await states()).Delivered === 1);
    expect(handling).toBe(2);
  });

  it('lets go of a message before anybody else may have it when it cannot prolong the lease', async () => {
    await aStoredRun(1);
    const gate = await createTcpGate({ path: join(connection.host, `.s.PGSQL.${connection.port}`) });
    await gate.open();
    const distant = await openPostgresResultStore({
      connection: { ...connection, host: '127.0.0.1', port: gate.port },
    });
    try {
      const happened: string[] = [];
      process(
        async (_, signal) => {
          await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
          happened.push('let go of');
          return { kind: 'Failed', error: 'interrupted' };
        },
        { leaseMs: 3_000, over: distant },
      );
      await until('the message is being handled', async () => (await tries()) === 1);
      process(async () => {
        happened.push('handled by another');
        return DELIVERED;
      });
      await gate.shut();
      await until('the other one delivers it', async () => (await states()).Delivered === 1);
      expect(happened).toEqual(['let go of', 'handled by another']);
    } finally {
      await distant.close();
      await gate.shut();
    }
  });

  it('that is stopped ends what is under way, and leaves it to the next one at once', async () => {
    await aStoredRun(1);
    let began = false;
    const processor = process(async (_, signal) => {
      began = true;
      await sleep(600_000, undefined, { signal });
      return DELIVERED;
    });
    await until('the message is being handled', () => began);
    await processor.stop(0);
    processors.splice(0);
    expect(await states()).toEqual({ Pending: 1 });
    process(async () => DELIVERED);
    await until('the next one delivers it', async () => (await states()).Delivered === 1);
  });

  it('that is stopped waits for no store that answers nothing, and begins nothing that it is told of later', async () => {
    await aStoredRun(1);
    const gate = await createTcpGate({ path: join(connection.host, `.s.PGSQL.${connection.port}`) });
    await gate.open();
    const at = { ...connection, host: '127.0.0.1', port: gate.port };
    const distant = await openPostgresResultStore({ connection: at });
    try {
      // A claim that has a connection waits for its answer for 35 s.
      await distant.ping();
      gate.freeze();
      let handled = 0;
      const processor = process(
        async () => {
          handled += 1;
          return DELIVERED;
        },
        { over: distant },
      );
      const begun = performance.now();
      await processor.stop(0);
      expect(performance.now() - begun).toBeLessThan(9_000);
      gate.thaw();
      await distant.close();
      expect(handled).toBe(0);
      expect(await states()).toEqual({ Pending: 1 });
      expect(await tries()).toBe(1);
    } finally {
      gate.thaw();
      await distant.close();
      await gate.shut();
    }
  });
});

const tries = async (): Promise<number | undefined> => {
  const [row] = await query<{ tries: number }>(
    connection,
    'select max(tries)::int as tries from batchtest.outbox',
  );
  return row?.tries;
};
