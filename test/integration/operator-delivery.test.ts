/** What follows from results in a cluster: artifacts are read back from S3, the object tells of them, and somebody is notified. */
import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, inject, it } from 'vitest';
import { type S3Server, startS3Server } from '../tools/s3/s3-server.ts';
import { startWebhook, type Webhook } from '../tools/webhook.ts';
import { aBatchTest, type OperatorSite, openOperatorSite } from './operator-world.ts';
import { query } from './postgres-server.ts';
import { lastOf } from './watch-recorder.ts';

let site: OperatorSite;
let s3: S3Server;
let webhook: Webhook;
// The first time, the S3 server is installed.
beforeAll(async () => {
  [site, s3, webhook] = await Promise.all([
    openOperatorSite(inject('controlPlane')),
    startS3Server(),
    startWebhook(),
  ]);
  await s3.createBucket('artifacts');
}, 600_000);
afterAll(async () => {
  await webhook?.close();
  await s3?.stop();
  await site?.close();
});

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

it('artifacts are read back from the stores that the operator is given, and from no other; the object, the metrics and a webhook tell', async () => {
  const world = await site.aWorld('delivery');
  await s3.put('artifacts', 'team/right.txt', 'right');
  await s3.put('artifacts', 'team/wrong.txt', 'wrong');
  await s3.put('artifacts', 'others/secret.txt', 'secret');
  const result = {
    metrics: { x: 1 },
    artifacts: [
      { name: 'right', uri: 's3://artifacts/team/right.txt', sha256: sha256('right'), size: 5 },
      { name: 'wrong', uri: 's3://artifacts/team/wrong.txt', sha256: sha256('right') },
      { name: 'canary-of-a-name', uri: 's3://artifacts/team/canary-of-a-uri' },
      { name: 'others', uri: 's3://artifacts/others/secret.txt', sha256: sha256('secret') },
      { name: 'node', uri: 'file:///etc/passwd' },
      { name: 'metadata', uri: `${s3.endpoint}/artifacts/team/right.txt`, sha256: sha256('right') },
    ],
  };
  const operator = await world.startOperator({
    environment: { ...s3.environment, BATCHTEST_NOTIFY_URLS: `${webhook.origin}/of-the-environment` },
    options: ['--artifact-store', 's3://artifacts/team', '--notify-url', `${webhook.origin}/runs`],
  });
  const uid = await world.create(
    aBatchTest({ parallelism: 1, pod: { runMs: 200, message: JSON.stringify(result) } }),
  );
  const object = await world.recorder.until('all artifacts are told of', (changes) => {
    const changed = lastOf(changes, uid);
    const { verified = 0, mismatched = 0, missing = 0 } = changed?.status?.artifacts ?? {};
    return verified + mismatched + missing === 6 ? changed : undefined;
  });
  expect(object.status).toMatchObject({
    artifacts: { tracked: 6, verified: 1, mismatched: 1, missing: 4 },
    trials: { succeeded: 1 },
  });
  expect(
    await query(
      world.connection,
      'select name, state, reason from batchtest.artifacts where run_uid = $1 order by position',
      [uid],
    ),
  ).toMatchObject([
    { name: 'right', state: 'Verified' },
    { name: 'wrong', state: 'Mismatch', reason: 'its SHA-256 is not the one that the result tells' },
    { name: 'canary-of-a-name', state: 'Missing', reason: 'there is no such file' },
    ...['others', 'node', 'metadata'].map((name) => ({
      name,
      state: 'Missing',
      reason: 'not in a configured artifact store',
    })),
  ]);
  const body = { type: 'dev.batchtest.run.finished', data: { run: { uid, state: 'Complete' } } };
  await expect
    .poll(() => webhook.received.toSorted((a, b) => a.path.localeCompare(b.path)), { timeout: 30_000 })
    .toMatchObject([
      { path: '/of-the-environment', body },
      { path: '/runs', body },
    ]);
  const { text } = await operator.health('/metrics');
  expect(text).toContain('batchtest_verified_total{subject="artifact",state="Mismatch"} 1');
  expect(text).toContain('batchtest_verified_total{subject="result",state="Verified"} 1');
  expect(text).not.toContain('right');

  // Settled, the object is not written any more, also not by the next operator.
  await world.untilLetGo(uid);
  const writes = () =>
    world.recorder.changes().filter(({ object: changed }) => changed.metadata.uid === uid).length;
  const settled = writes();
  await operator.terminate();
  await (await world.startOperator({ environment: s3.environment })).untilReady();
  await sleep(3_000);
  expect(writes()).toBe(settled);
});

it('a run that was over before its artifacts could be read is told of by the next operator', async () => {
  const world = await site.aWorld('late-delivery');
  await s3.put('artifacts', 'late/canary-of-a-late-uri', 'right');
  const artifacts = [
    {
      name: 'canary-of-a-late-name',
      uri: 's3://artifacts/late/canary-of-a-late-uri',
      sha256: sha256('right'),
    },
  ];
  const message = JSON.stringify({ metrics: { x: 1 }, artifacts });
  const options = ['--artifact-store', 's3://artifacts/late'];
  // Nothing answers there.
  const away = { ...s3.environment, AWS_ENDPOINT_URL_S3: 'http://127.0.0.1:9' };
  const first = await world.startOperator({ environment: away, options });
  const uid = await world.create(aBatchTest({ parallelism: 1, pod: { runMs: 200, message } }));
  const over = await world.untilLetGo(uid);
  expect(over.status?.artifacts ?? { tracked: 1, verified: 0 }).toMatchObject({ tracked: 1, verified: 0 });
  await first.kill();
  await world.startOperator({ environment: s3.environment, options });
  await world.recorder.until('the artifact is told of', (changes) =>
    lastOf(changes, uid)?.status?.artifacts?.verified === 1 ? true : undefined,
  );
});
