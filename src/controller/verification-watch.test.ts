import pg from 'pg';
import { expect, it, onTestFinished } from 'vitest';
import { startPostgresServer } from '../../test/integration/postgres-server.ts';
import { openPostgresResultStore } from '../results/postgres/open-postgres-result-store.ts';
import { VerificationWatch } from './verification-watch.ts';

const RUN_UID = '9f1c2f0a-4f5e-4d3c-8f0e-2c8f7b6a5d4e';

it('goes on without the answer of a store that takes its time, asks it once, and tells the answer when it is there', async () => {
  const postgres = await startPostgresServer();
  const connection = await postgres.createDatabase();
  const store = await openPostgresResultStore({ connection });
  const somebody = new pg.Client(connection);
  await somebody.connect();
  onTestFinished(async () => {
    await somebody.end();
    await store.close();
    await postgres.stop();
  });
  let asked = 0;
  const verification = {
    counts: (runUid: string) => {
      asked += 1;
      return store.verification.counts(runUid);
    },
  };
  await somebody.query('begin; lock table batchtest.attempts in access exclusive mode');
  const watch = new VerificationWatch(true);
  for (const now of [1_000, 5_000, 9_000]) {
    await watch.look(RUN_UID, verification, false, now);
    expect(watch.counts).toBeUndefined();
    expect(watch.lookAgainAt).toBe(now + 2_000);
  }
  expect(asked).toBe(1);
  await somebody.query('commit');
  await expect.poll(() => watch.counts).toMatchObject({ results: { pending: 0 } });
  expect(watch.lookAgainAt).toBeUndefined();
});
