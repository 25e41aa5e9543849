/** What an operator makes of a Postgres that breaks off, goes down, fills up or refuses: it waits, says why, and loses nothing. */
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { afterAll, beforeAll, expect, inject, it, onTestFinished } from 'vitest';
import { type OperatorSite, type OperatorWorld, openOperatorSite } from '../integration/operator-world.ts';
import { query } from '../integration/postgres-server.ts';
import type { RunningOperator } from '../integration/running-operator.ts';
import { conditionOf, lastOf } from '../integration/watch-recorder.ts';
import { aFaultyWay, type FaultyWay } from './faulty-way.ts';
import { differencesOf, type Played, playOnWay } from './played-run.ts';
import { FORWARD_STATEMENT, isWritingCall } from './store-proxy.ts';

let site: OperatorSite;
let reference: Played;
beforeAll(async () => {
  site = await openOperatorSite(inject('controlPlane'));
}, 120_000);
afterAll(() => site?.close());

async function aWorldWithAWay(
  name: string,
): Promise<{ readonly world: OperatorWorld; readonly way: FaultyWay }> {
  const world = await site.aWorld(name);
  return { world, way: await aFaultyWay(world, { onTestFinished }) };
}

it('the reference run is recorded without faults', async () => {
  const { world, way } = await aWorldWithAWay('reference');
  await way.startOperator();
  reference = await playOnWay(world, way);
  expect(reference.violations).toEqual([]);
});

it('F16: stores each result once though connections are reset around every commit', async () => {
  const { world, way } = await aWorldWithAWay('reset');
  let writes = 0;
  way.store.onStatement(({ call }) => {
    if (!isWritingCall(call)) return FORWARD_STATEMENT;
    writes += 1;
    // Each write meets a connection that breaks before it, then one that breaks after its commit, then one that holds.
    if (writes % 3 === 1) return { kind: 'CutBefore' };
    return writes % 3 === 2 ? { kind: 'CutAfter' } : FORWARD_STATEMENT;
  });
  await way.startOperator();
  expect(differencesOf(await playOnWay(world, way), reference)).toEqual([]);
  expect(writes).toBeGreaterThan(2 * 12);
});

it('F16: stores each result once though its session is ended in the middle of the transaction', async () => {
  const { world, way } = await aWorldWithAWay('terminated');
  await withTables(world, await way.startOperator());
  // A sequence counts on when its transaction is undone.
  await query(world.connection, 'create sequence tries');
  await onInsertOfAttempt(
    world,
    `if nextval('tries') % 2 = 1 then perform pg_terminate_backend(pg_backend_pid()); perform pg_sleep(60); end if;`,
  );
  expect(differencesOf(await playOnWay(world, way), reference)).toEqual([]);
  const [{ tries } = { tries: 0 }] = await query<{ tries: number }>(
    world.connection,
    'select last_value::int as tries from tries',
  );
  expect(tries).toBeGreaterThanOrEqual(2 * 10);
});

it('F17: goes on after the server crashed and recovered', async () => {
  const { world, way } = await aWorldWithAWay('server-crash');
  await way.startOperator();
  let crashes = 0;
  const played = await playOnWay(world, way, async (uid) => {
    for (const trials of [1, 3]) {
      await untilStored(world, uid, trials);
      // When a backend is killed, the server ends all sessions at once and recovers from its log.
      process.kill(await sessionOfOperator(world), 'SIGKILL');
      crashes += 1;
    }
  });
  expect(differencesOf(played, reference)).toEqual([]);
  expect(crashes).toBe(2);
});

it('F17: says that the database is read-only, and stores everything once it is not', async () => {
  const { world, way } = await aWorldWithAWay('read-only');
  await way.startOperator();
  const { database } = world.connection;
  const played = await playOnWay(world, way, async (uid) => {
    await untilStored(world, uid, 2);
    await query(world.connection, `alter database ${database} set default_transaction_read_only = on`);
    await endSessions(world);
    await untilUnavailable(world, uid, 'ReadOnly');
    await query(
      world.connection,
      `begin read write; alter database ${database} reset default_transaction_read_only; commit`,
    );
    await endSessions(world);
  });
  expect(differencesOf(played, reference)).toEqual([]);
});

it('says that results take long to be stored, and stores everything', async () => {
  const { world, way } = await aWorldWithAWay('slow');
  let held = false;
  way.store.onStatement(({ call }) => {
    if (held || call !== 'record_attempt') return FORWARD_STATEMENT;
    held = true;
    return { kind: 'Hold', until: sleep(8_000) };
  });
  await way.startOperator();
  const played = await playOnWay(world, way, (uid) => untilUnavailable(world, uid, 'Slow'));
  expect(differencesOf(played, reference)).toEqual([]);
});

it.each([
  ['53100', 'DiskFull'],
  ['53200', 'OutOfResources'],
  ['58030', 'StorageFailed'],
])(
  'F18: says why nothing can be stored (%s is %s), and stores everything once it can be',
  async (code, reason) => {
    const { world, way } = await aWorldWithAWay('no-room');
    await withTables(world, await way.startOperator());
    const played = await playOnWay(world, way, async (uid) => {
      await untilStored(world, uid, 2);
      await onInsertOfAttempt(world, `raise exception 'no room' using errcode = '${code}';`);
      await untilUnavailable(world, uid, reason);
      await onInsertOfAttempt(world, '');
    });
    expect(differencesOf(played, reference)).toEqual([]);
  },
);

it('F18: waits for a connection while others have taken all that its role may have', async () => {
  const { world, way } = await aWorldWithAWay('too-many');
  const { database } = world.connection;
  const role = `role_${database}`;
  await query(world.connection, `create role ${role} login connection limit 3`);
  await query(world.connection, `alter database ${database} owner to ${role}`);
  await way.startOperator({ databaseUrl: `postgres://${role}@127.0.0.1:${way.store.port}/${database}` });
  const played = await playOnWay(world, way, async (uid) => {
    await untilStored(world, uid, 2);
    await endSessions(world);
    const others = await Promise.all([1, 2, 3].map(() => sessionOf(world, role)));
    await untilUnavailable(world, uid, 'TooManyConnections');
    await Promise.all(others.map((client) => client.end()));
  });
  expect(differencesOf(played, reference)).toEqual([]);
});

it('F19: is the victim of a deadlock, and stores the result all the same', async () => {
  const { world, way } = await aWorldWithAWay('deadlock');
  const adversary = new pg.Client(world.connection);
  await adversary.connect();
  onTestFinished(() => adversary.end());
  // Who finds a deadlock is its victim: that is to be the operator, which looks once, and not before the adversary waits as well.
  await adversary.query(
    `alter database ${adversary.escapeIdentifier(world.connection.database)} set deadlock_timeout = '4s'`,
  );
  await adversary.query(`set deadlock_timeout = '1min'`);
  await way.startOperator();
  let unlock = (): void => undefined;
  const locked = new Promise<void>((resolve) => {
    unlock = resolve;
  });
  let held = 0;
  way.store.onStatement(({ call }) => {
    if (call !== 'record_attempt') return FORWARD_STATEMENT;
    held += 1;
    return { kind: 'Hold', until: locked };
  });
  const played = await playOnWay(world, way, async (uid) => {
    await expect
      .poll(() => held, { timeout: 30_000, message: 'a result is to be stored' })
      .toBeGreaterThan(0);
    await adversary.query('begin');
    await adversary.query('lock table batchtest.outbox in share row exclusive mode');
    unlock();
    // It has locked its trial by then, and waits for the outbox; the other way round, each waits for the other.
    await expect
      .poll(
        () =>
          query(
            world.connection,
            `select pid from pg_stat_activity where application_name like 'batchtest%' and wait_event_type = 'Lock' and datname = $1`,
            [world.connection.database],
          ),
        { timeout: 20_000, interval: 10 },
      )
      .not.toEqual([]);
    await adversary.query('select from batchtest.trials where run_uid = $1 for update', [uid]);
    await adversary.query('rollback');
  });
  expect(differencesOf(played, reference)).toEqual([]);
  await expect
    .poll(
      () =>
        query<{ deadlocks: string }>(
          world.connection,
          'select deadlocks from pg_stat_database where datname = current_database()',
        ),
      { timeout: 10_000 },
    )
    .not.toEqual([{ deadlocks: '0' }]);
});

/** Process id of the server's side of one of the operator's sessions, once there is one. */
async function sessionOfOperator({ connection }: OperatorWorld): Promise<number> {
  const deadline = performance.now() + 20_000;
  for (;;) {
    const [backend] = await query<{ pid: number }>(
      connection,
      `select pid from pg_stat_activity where datname = $1 and application_name like 'batchtest%'`,
      [connection.database],
    );
    if (backend !== undefined) return backend.pid;
    if (performance.now() > deadline) throw new Error('the operator has had no session for 20 s');
  }
}

async function sessionOf({ connection }: OperatorWorld, user: string): Promise<pg.Client> {
  const deadline = performance.now() + 10_000;
  for (;;) {
    const client = new pg.Client({ ...connection, user });
    client.on('error', () => undefined);
    try {
      await client.connect();
      return client;
    } catch (error) {
      // The operator was faster: its session is ended for this one.
      if (performance.now() > deadline) throw error;
      await endSessions({ connection });
    }
  }
}

/** Ends the operator's sessions, as an administrator does after a change of settings. */
const endSessions = ({ connection }: Pick<OperatorWorld, 'connection'>): Promise<unknown> =>
  query(
    connection,
    `select pg_terminate_backend(pid) from pg_stat_activity where datname = $1 and application_name like 'batchtest%'`,
    [connection.database],
  );

/** Has this done on each insert of an attempt; nothing when it is empty. */
async function onInsertOfAttempt({ connection }: OperatorWorld, body: string): Promise<void> {
  await query(
    connection,
    `create or replace function fault() returns trigger language plpgsql as $$ begin ${body} return new; end $$`,
  );
  await query(
    connection,
    'create or replace trigger fault before insert on batchtest.attempts for each row execute function fault()',
  );
}

/** Resolves when the operator has made its tables. */
async function withTables({ connection }: OperatorWorld, operator: RunningOperator): Promise<void> {
  await operator.untilReady();
  await expect
    .poll(() => query(connection, `select to_regclass('batchtest.outbox') is not null as exist`), {
      timeout: 20_000,
    })
    .toEqual([{ exist: true }]);
}

const untilUnavailable = (world: OperatorWorld, uid: string, reason: string) =>
  world.recorder.until(`the result store is not available: ${reason}`, (changes) => {
    const condition = conditionOf(lastOf(changes, uid), 'ResultStoreAvailable');
    return condition?.status === 'False' && condition.reason === reason ? true : undefined;
  });

async function untilStored(world: OperatorWorld, uid: string, trials: number): Promise<void> {
  await expect
    .poll(
      async () => {
        const run = await world.storedRun(uid).catch(() => undefined);
        return (run?.succeeded ?? 0) + (run?.failed ?? 0);
      },
      { timeout: 40_000, interval: 20, message: `${trials} trials are stored` },
    )
    .toBeGreaterThanOrEqual(trials);
}
