/** Results that pods push: real tokens of the API server, a real operator, a real Postgres; KWOK plays the pods, and the test their programs. */
import { randomUUID, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { request as httpsRequest } from 'node:https';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, inject, it, onTestFinished, vi } from 'vitest';
import type { BatchTestManifest, BatchTestSpec } from '../../src/api/v1alpha1/schema.ts';
import { attemptName } from '../../src/core/attempt.ts';
import { kubeconfigAccess } from '../../src/engine/kubernetes/cluster-access.ts';
import { jobManifest } from '../../src/engine/kubernetes/job-manifest.ts';
import { KubeClient } from '../../src/engine/kubernetes/kube-client.ts';
import type { PodObject } from '../../src/engine/kubernetes/kubernetes-objects.ts';
import { podManifest } from '../../src/engine/kubernetes/pod-manifest.ts';
import { withRestrictedDefaults } from '../../src/engine/kubernetes/pod-security-defaults.ts';
import type { PushAuthentication } from '../../src/ingest/push-authentication.ts';
import { PodAuthentication } from '../../src/operator/pod-authentication.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
import { aTemplate } from '../builders/batch-test.ts';
import { aRun } from '../builders/run.ts';
import { seriesOf, seriesValue } from '../tools/exposition.ts';
import { FORWARD } from './faulty-proxy.ts';
import { kubeconfigWithRights } from './operator-rights.ts';
import { aProxyToTheCluster, outcomes, untilProgress, untilRunning } from './operator-steps.ts';
import {
  aBatchTest,
  type OperatorSite,
  type OperatorWorld,
  openOperatorSite,
  RUNS_ON,
} from './operator-world.ts';
import { aGateToTheStore } from './outage-gates.ts';
import { query } from './postgres-server.ts';
import type { OperatorLaunch, RunningOperator } from './running-operator.ts';
import { expired, grantTokenReviews, tokenOf } from './service-account-tokens.ts';
import { carrierCreations } from './watch-recorder.ts';

vi.setConfig({ testTimeout: 120_000 });

let site: OperatorSite;
beforeAll(async () => {
  site = await openOperatorSite(inject('controlPlane'));
});
afterAll(() => site?.close());

const INGEST = ['--result-ingest-url', 'http://ingest.test:8082', '--result-ingest-host', '127.0.0.1'];

const pushing = (
  spec: Partial<BatchTestManifest['spec']> = {},
  variants: readonly string[] = ['v0'],
): BatchTestManifest =>
  aBatchTest({
    variants,
    parallelism: variants.length,
    pod: RUNS_ON,
    spec: { results: { push: true }, ...spec },
  });

/** What a program pushes that measured x and has more to say than a termination message holds. */
const large = (x: number): string =>
  JSON.stringify({ metrics: { x }, outputs: { trace: 'y'.repeat(500_000) } });

interface Taker {
  readonly operator: RunningOperator;
  readonly url: string;
  push(token: string | undefined, body: string): Promise<PushAnswer>;
}

interface PushAnswer {
  readonly status: number;
  readonly reason: string;
  readonly message: string;
  readonly retryAfter: string | null;
}

/** An operator that takes pushed results, on a port of this machine. */
async function aTaker(world: OperatorWorld, launch: Partial<OperatorLaunch> = {}): Promise<Taker> {
  const operator = await world.startOperator({
    ...launch,
    options: [...INGEST, '--result-ingest-port', '0', ...(launch.options ?? [])],
  });
  const { ingestPort } = await operator.untilLogged(
    'it takes results',
    ({ msg }) => msg === 'taking pushed results',
  );
  const url = `http://127.0.0.1:${ingestPort}/v1/result`;
  return { operator, url, push: (token, body) => push(url, token, body) };
}

async function push(url: string, token: string | undefined, body: string): Promise<PushAnswer> {
  const response = await fetch(url, {
    method: 'POST',
    headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
    body,
    signal: AbortSignal.timeout(30_000),
  });
  const { reason, message } = (await response.json()) as { reason: string; message: string };
  return { status: response.status, reason, message, retryAfter: response.headers.get('retry-after') };
}

async function aWorldThatReviewsTokens(name: string): Promise<OperatorWorld> {
  const world = await site.aWorld(name);
  onTestFinished(await grantTokenReviews(world));
  return world;
}

const podsByVariant = async (
  world: OperatorWorld,
  uid: string,
  count: number,
): Promise<ReadonlyMap<string, PodObject>> =>
  new Map(
    (await untilRunning(world, uid, count)).map((pod) => [
      pod.metadata.annotations?.['batchtest.dev/variant-name'] ?? '',
      pod,
    ]),
  );

function of<T>(map: ReadonlyMap<string, T>, name: string): T {
  const value = map.get(name);
  if (value === undefined) throw new Error(`there is no ${name}`);
  return value;
}

it('stores what pods push before it answers, judges each attempt by it, and says what is wrong with the rest', async () => {
  const world = await aWorldThatReviewsTokens('push');
  const { push } = await aTaker(world);
  const names = ['good', 'both', 'none', 'fails', 'incomplete'];
  const uid = await world.create(pushing({ podCleanupPolicy: 'Never' }, names));
  const pods = await podsByVariant(world, uid, names.length);

  const good = of(pods, 'good');
  const token = await tokenOf(world, good);
  expect(await push(token, large(4))).toMatchObject({ status: 200, reason: 'Stored' });
  const [stored] = await query(
    world.connection,
    'select start_id, metrics from batchtest.pushed_results where run_uid = $1',
    [uid],
  );
  expect(stored).toEqual({ start_id: good.metadata.uid, metrics: { x: 4 } });
  expect(await push(token, large(4))).toMatchObject({ status: 200 });
  expect(await push(token, large(5))).toMatchObject({ status: 409, reason: 'OtherResultStored' });
  expect(await push(await tokenOf(world, of(pods, 'both')), large(1))).toMatchObject({ status: 200 });
  expect(await push(await tokenOf(world, of(pods, 'fails')), large(1))).toMatchObject({ status: 200 });
  const incomplete = JSON.stringify({ metrics: { y: 1 } });
  expect(await push(await tokenOf(world, of(pods, 'incomplete')), incomplete)).toMatchObject({ status: 200 });
  expect(await push(await tokenOf(world, of(pods, 'none')), '{"metrics":{"x":"1"}}')).toEqual({
    status: 422,
    reason: 'ResultUnusable',
    message: 'metric "x" must be a number, not a string',
    retryAfter: null,
  });

  await world.endPod(good, { exitCode: 0 });
  await world.endPod(of(pods, 'both'), { exitCode: 0, message: '{"metrics":{"x":1}}' });
  await world.endPod(of(pods, 'none'), { exitCode: 0 });
  await world.endPod(of(pods, 'fails'), { exitCode: 3, message: 'no' });
  await world.endPod(of(pods, 'incomplete'), { exitCode: 0 });
  await world.untilCondition(uid, 'Failed');
  expect(await outcomes(world, uid)).toEqual([
    'both/0#1 ResultInvalid TwoResults',
    'fails/0#1 TestFailed NonZeroExitCode',
    'good/0#1 Succeeded Completed',
    'incomplete/0#1 ResultInvalid MetricMissing',
    'none/0#1 ResultInvalid NoResult',
  ]);
  const [result] = await query(
    world.connection,
    `select m.value, length(a.outputs->>'trace') as length from batchtest.attempts a
     join batchtest.metrics m using (run_uid, variant_id, repetition, attempt)
     where run_uid = $1 and m.name = 'x'`,
    [uid],
  );
  expect(result).toEqual({ value: 4, length: 500_000 });
  expect(await query(world.connection, 'select from batchtest.pushed_results')).toEqual([]);

  // The pod is still there, and with it the token; the attempt is over.
  expect(await push(token, large(4))).toMatchObject({ status: 409, reason: 'AttemptEnded' });
});

it('takes a result from the pod of the trial alone', async () => {
  const world = await aWorldThatReviewsTokens('push-tokens');
  const { push, operator } = await aTaker(world);
  const uid = await world.create(pushing());
  const pod = of(await podsByVariant(world, uid, 1), 'v0');
  const body = large(1);
  const notValid = { status: 401, reason: 'TokenNotValid' };

  expect(await push(undefined, body)).toMatchObject({ status: 401, reason: 'TokenMissing' });
  expect(await push('nonsense', body)).toMatchObject(notValid);
  expect(await push(await tokenOf(world, pod, 'https://kubernetes.default.svc'), body)).toMatchObject(
    notValid,
  );
  expect(await push(await tokenOf(world, pod, 'someone-else'), body)).toMatchObject(notValid);
  expect(
    await push(await expired(await tokenOf(world, pod), inject('controlPlane').kubeconfigPath), body),
  ).toMatchObject(notValid);
  expect(await push(await tokenOf(world, undefined), body)).toMatchObject({
    status: 403,
    message: 'the token is not bound to a pod',
  });

  // A pod that says of itself that it is the trial's.
  const { namespace, cluster } = world;
  // With this one the Job controller would adopt it, and it would be the trial's.
  const { 'batch.kubernetes.io/controller-uid': _, ...labels } = pod.metadata.labels ?? {};
  const template = {
    metadata: { labels, annotations: pod.metadata.annotations },
    spec: withRestrictedDefaults({ restartPolicy: 'Never', containers: [{ name: 'test', image: 'test:1' }] }),
  };
  const bare = await cluster.request<PodObject>('POST', `/api/v1/namespaces/${namespace}/pods`, {
    metadata: { ...template.metadata, name: 'forged' },
    spec: template.spec,
  });
  const notATrial = { status: 403, message: 'the pod of the token is not that of a trial' };
  expect(await push(await tokenOf(world, bare), body)).toMatchObject(notATrial);
  // A pod that is gone, whose token has been taken for valid just before.
  const token = await tokenOf(world, bare);
  expect(await push(token, body)).toMatchObject(notATrial);
  await cluster.request('DELETE', `/api/v1/namespaces/${namespace}/pods/forged?gracePeriodSeconds=0`);
  await expect.poll(() => push(token, body), { timeout: 30_000 }).toMatchObject({ status: 401 });

  expect(await query(world.connection, 'select from batchtest.pushed_results')).toEqual([]);
  const valid = await tokenOf(world, pod);
  // All of these tokens come from one address, which may have to wait now.
  await expect
    .poll(() => push(valid, body), { timeout: 30_000, interval: 1_000 })
    .toMatchObject({ status: 200 });
  const series = seriesOf((await operator.health('/metrics')).text);
  const answered = (answer: string) => seriesValue(series, 'batchtest_pushes_total', { answer });
  expect(answered('TokenMissing')).toBe(1);
  expect(answered('TokenNotValid')).toBeGreaterThanOrEqual(4);
  expect(answered('Stored')).toBe(1);
  expect(answered('Busy')).toBe(0);
  expect(
    seriesValue(series, 'batchtest_store_transaction_seconds_count', {
      op: 'push_result',
      outcome: 'committed',
    }),
  ).toBe(1);
  const log = JSON.stringify(await operator.log());
  expect(log).toContain('result pushed');
  expect(log).toContain('a push was not taken');
  for (const secret of [token, valid]) expect(log).not.toContain(secret.split('.')[2]);
});

it('does not believe a Job that the run does not own, or that has not the name of an attempt', async () => {
  const forgery = await aForgery('push-forged', 'Job');
  const { cluster, namespace, request, ingest, client } = forgery;
  const job = jobManifest(request, ingest);
  await believesOnlyTheRunsOwn(forgery, async (metadata) => {
    const created = await cluster.request<{ metadata: { name: string } }>(
      'POST',
      `/apis/batch/v1/namespaces/${namespace}/jobs`,
      { ...job, metadata: { ...job.metadata, ...metadata } },
    );
    return podOfJob({ cluster, namespace }, created.metadata.name);
  });
  const logger = createLogger('silent');

  // The name of its owner leads to another collection.
  const owner = { apiVersion: 'batch/v1', kind: 'Job', controller: true, uid: randomUUID() };
  const astray = `../../../../../../api/v1/pods?x=${request.name.slice(-11)}`;
  const led = await cluster.request<PodObject>('POST', `/api/v1/namespaces/${namespace}/pods`, {
    metadata: {
      labels: job.metadata?.labels,
      name: 'led-astray',
      // An owner that is nowhere is as good as one that is gone: the garbage collector deletes what it owned.
      finalizers: ['test.batchtest.dev/kept'],
      ownerReferences: [{ ...owner, name: astray }],
    },
    spec: withRestrictedDefaults({ restartPolicy: 'Never', containers: [{ name: 'test', image: 'test:1' }] }),
  });
  const asked: string[] = [];
  const counting = new Proxy(client, {
    get: (target, property) =>
      property === 'request'
        ? (...request: Parameters<KubeClient['request']>) => {
            asked.push(`${request[0]} ${request[1]}`);
            return target.request(...request);
          }
        : Reflect.get(target, property),
  });
  const warned = new PodAuthentication({ client: counting, namespaces: [namespace], logger, now: Date.now });
  const ledAway = await warned.authenticate(await tokenOf({ cluster, namespace }, led));
  expect(asked.filter((request) => request.startsWith('GET'))).toEqual([
    `GET /api/v1/namespaces/${namespace}/pods/led-astray`,
  ]);
  expect(ledAway).toMatchObject({ kind: 'Forbidden' });

  const elsewhere = new PodAuthentication({ client, namespaces: ['another'], logger, now: Date.now });
  const pod = await podOfJob({ cluster, namespace }, request.name);
  expect(await elsewhere.authenticate(await tokenOf({ cluster, namespace }, pod))).toEqual({
    kind: 'Forbidden',
    message: `this operator does not work in the namespace ${namespace}`,
  });
});

it('takes a pod that runs without a Job for that of a trial when the run owns it and it has the name of an attempt', async () => {
  const forgery = await aForgery('push-forged-pod', 'Pod');
  const { cluster, namespace, request, ingest } = forgery;
  const pod = podManifest(request, ingest);
  await believesOnlyTheRunsOwn(forgery, (metadata) =>
    cluster.request<PodObject>('POST', `/api/v1/namespaces/${namespace}/pods`, {
      ...pod,
      metadata: { ...pod.metadata, ...metadata },
    }),
  );
});

/** A BatchTest without an operator, which would take note of what is forged, and the request for its first attempt. */
async function aForgery(prefix: string, execution: BatchTestSpec['execution']) {
  const { cluster, namespace, create } = await site.aWorld(prefix);
  const uid = await create(pushing({ execution }));
  const access = await kubeconfigAccess([inject('controlPlane').kubeconfigPath]);
  const client = new KubeClient({ access, version: '0.0.0-test' });
  onTestFinished(() => client.close());
  const run = aRun({
    ...{ uid, name: 'cache', namespace, variants: 1, template: aTemplate() },
    spec: { execution, results: { push: true } },
  });
  const [trial] = run.trials;
  if (trial === undefined) throw new Error('the run has no trial');
  const request = { run, trial, attempt: 1, name: attemptName(run, trial, 1), deadlineSeconds: 600 };
  const ingest = { url: 'http://ingest.test/v1/result', certificateAuthority: undefined };
  return { cluster, namespace, client, request, ingest };
}

/** @param make makes a Job or pod of the attempt with this metadata over its own, and gives the pod */
async function believesOnlyTheRunsOwn(
  { cluster, namespace, client, request }: Awaited<ReturnType<typeof aForgery>>,
  make: (metadata: object) => Promise<PodObject>,
): Promise<void> {
  const { run, trial, name } = request;
  const logger = createLogger('silent');
  const authenticator = new PodAuthentication({ client, namespaces: [namespace], logger, now: Date.now });
  const authenticated = async (metadata: object): Promise<PushAuthentication> => {
    const token = await tokenOf({ cluster, namespace }, await make(metadata));
    expect(authenticator.isKnown(token)).toBe(false);
    const authentication = await authenticator.authenticate(token);
    expect(authenticator.isKnown(token)).toBe(true);
    return authentication;
  };
  await authenticator.authenticate('made-up');
  expect(authenticator.isKnown('made-up')).toBe(false);
  const notATrial = { kind: 'Forbidden', message: 'the pod of the token is not that of a trial' };
  expect(await authenticated({ name: 'other-name' })).toEqual(notATrial);
  expect(await authenticated({ name: `not-${name.slice(-20)}`, ownerReferences: [] })).toEqual(notATrial);
  expect(await authenticated({})).toMatchObject({
    kind: 'Identified',
    identity: {
      runUid: run.uid,
      namespace,
      start: { variantId: trial.variant.id, repetition: 0, attempt: 1 },
      hasEnded: false,
    },
  });
}

async function podOfJob(
  { cluster, namespace }: Pick<OperatorWorld, 'cluster' | 'namespace'>,
  job: string,
): Promise<PodObject> {
  const path = `/api/v1/namespaces/${namespace}/pods?labelSelector=batch.kubernetes.io/job-name%3D${job}`;
  const pods = async () => (await cluster.request<{ items: readonly PodObject[] }>('GET', path)).items;
  await expect.poll(async () => (await pods()).length, { timeout: 20_000 }).toBeGreaterThan(0);
  const [pod] = await pods();
  if (pod === undefined) throw new Error(`the pod of ${job} has gone`);
  return pod;
}

it('F39: loses nothing that it acknowledged when it is killed, and takes again what it did not', async () => {
  const world = await aWorldThatReviewsTokens('push-kill');
  const first = await aTaker(world);
  const uid = await world.create(pushing({}, ['kept', 'lost']));
  const pods = await podsByVariant(world, uid, 2);
  expect(await first.push(await tokenOf(world, of(pods, 'kept')), large(7))).toMatchObject({ status: 200 });
  // Its statement waits for a lock when the operator is killed.
  const token = await tokenOf(world, of(pods, 'lost'));
  const unanswered = await whileLocked(world, uid, async () => {
    const answer = first.push(token, large(8)).catch(() => 'no answer');
    await untilWaitsForLock(world);
    await first.operator.kill();
    return answer;
  });
  expect(unanswered).toBe('no answer');

  const second = await aTaker(world);
  expect(await second.push(token, large(8))).toMatchObject({ status: 200 });
  for (const pod of pods.values()) await world.endPod(pod, { exitCode: 0 });
  await world.untilCondition(uid, 'Complete');
  const rows = await query<{ value: number }>(
    world.connection,
    `select value from batchtest.metrics where run_uid = $1 and name = 'x' order by value`,
    [uid],
  );
  expect(rows.map(({ value }) => value)).toEqual([7, 8]);
});

it('answers what is being pushed when it is told to stop, and takes no more', async () => {
  const world = await aWorldThatReviewsTokens('push-stop');
  const { push, operator } = await aTaker(world);
  const uid = await world.create(pushing());
  const token = await tokenOf(world, of(await podsByVariant(world, uid, 1), 'v0'));
  const { answered, exitCode } = await whileLocked(world, uid, async () => {
    const answered = push(token, large(8));
    await untilWaitsForLock(world);
    const exitCode = operator.terminate();
    await expect
      .poll(() => push(token, large(8)).catch(() => 'no answer'), { timeout: 20_000 })
      .toBe('no answer');
    return { answered, exitCode };
  });
  expect(await answered).toMatchObject({ status: 200, reason: 'Stored' });
  expect(await exitCode).toBe(0);
});

it('takes results while another operator leads', async () => {
  const world = await aWorldThatReviewsTokens('push-standby');
  const leader = await aTaker(world, { elects: true, identity: 'leader' });
  await leader.operator.untilLogged('it leads', ({ msg }) => msg === 'leading');
  const { cluster, namespace, directory } = world;
  const kubeconfigPath = await kubeconfigWithRights(cluster, namespace, 'standby', directory, ['watching']);
  onTestFinished(await grantTokenReviews(world, 'standby'));
  const standby = await aTaker(world, { elects: true, identity: 'standby', kubeconfigPath });
  const uid = await world.create(pushing());
  const pod = of(await podsByVariant(world, uid, 1), 'v0');
  expect(await standby.push(await tokenOf(world, pod), large(3))).toMatchObject({ status: 200 });
  await world.endPod(pod, { exitCode: 0 });
  await world.untilCondition(uid, 'Complete');
});

it('F39: asks to send it again while Postgres, or the API server, is away', async () => {
  const world = await aWorldThatReviewsTokens('push-outage');
  const { gate, url } = await aGateToTheStore(world);
  await gate.open();
  const { proxy, kubeconfigPath } = await aProxyToTheCluster(world);
  const { push } = await aTaker(world, { databaseUrl: url, kubeconfigPath });
  const uid = await world.create(pushing());
  const pod = of(await podsByVariant(world, uid, 1), 'v0');
  const token = await tokenOf(world, pod);

  await gate.shut();
  expect(await push(token, large(1))).toMatchObject({
    status: 503,
    reason: 'ResultStoreUnavailable',
    retryAfter: '5',
  });
  await gate.open();
  proxy.onRequest(({ url: asked }) =>
    asked.includes('/tokenreviews') ? { kind: 'Answer', status: 500 } : FORWARD,
  );
  const another = await tokenOf(world, pod);
  expect(await push(another, large(1))).toMatchObject({ status: 503, reason: 'NotNow', retryAfter: '5' });
  proxy.onRequest(() => FORWARD);
  await expect
    .poll(() => push(another, large(1)), { timeout: 30_000, interval: 1_000 })
    .toMatchObject({
      status: 200,
    });
  await world.endPod(pod, { exitCode: 0 });
  await world.untilCondition(uid, 'Complete');
});

it('starts no trial that could not report, says why, and goes on once results are taken', async () => {
  const world = await aWorldThatReviewsTokens('push-off');
  const off = await world.startOperator();
  const uid = await world.create(pushing());
  const object = await untilProgress(world, uid, 'ResultIngestNotServed');
  expect(object.status?.conditions?.find(({ type }) => type === 'Progressing')?.message).toContain(
    '--result-ingest-url is not set',
  );
  expect(carrierCreations(world.recorder.changes(), uid).size).toBe(0);
  await off.terminate();

  await aTaker(world);
  const pod = of(await podsByVariant(world, uid, 1), 'v0');
  const spec = await world.cluster.request<{ spec: Record<string, unknown> }>(
    'GET',
    `/api/v1/namespaces/${world.namespace}/pods/${pod.metadata.name}`,
  );
  expect(spec.spec).toMatchObject({
    automountServiceAccountToken: false,
    containers: [
      {
        env: expect.arrayContaining([
          { name: 'BATCHTEST_RESULT_URL', value: 'http://ingest.test:8082/v1/result' },
          {
            name: 'BATCHTEST_TOKEN_FILE',
            value: '/var/run/secrets/batchtest.dev/result/token',
          },
        ]),
      },
    ],
  });
});

it('serves TLS, and gives pods the certificates to check it by', async () => {
  const world = await aWorldThatReviewsTokens('push-tls');
  const certificates = join(dirname(inject('controlPlane').kubeconfigPath), 'certificates');
  const certificate = join(certificates, 'apiserver.crt');
  const operator = await world.startOperator({
    options: [
      ...['--result-ingest-url', 'https://ingest.test:8443', '--result-ingest-host', '127.0.0.1'],
      ...['--result-ingest-port', '0', '--result-ingest-tls-cert', certificate],
      ...['--result-ingest-tls-key', join(certificates, 'apiserver.key'), '--result-ingest-ca', certificate],
    ],
  });
  const { ingestPort } = await operator.untilLogged(
    'it takes results',
    ({ msg }) => msg === 'taking pushed results',
  );
  const uid = await world.create(pushing());
  const pod = of(await podsByVariant(world, uid, 1), 'v0');
  const ca = pod.metadata.annotations?.['batchtest.dev/result-ca'];
  expect(ca).toContain('BEGIN CERTIFICATE');
  const token = await tokenOf(world, pod);
  const status = await new Promise<number | undefined>((resolve, reject) => {
    const request = httpsRequest(
      `https://127.0.0.1:${ingestPort}/v1/result`,
      { method: 'POST', headers: { authorization: `Bearer ${token}` }, ...(ca === undefined ? {} : { ca }) },
      (response) => {
        response.resume();
        resolve(response.statusCode);
      },
    );
    request.on('error', reject);
    request.end(large(1));
  });
  expect(status).toBe(200);
  const expiry = seriesValue(
    seriesOf((await operator.health('/metrics')).text),
    'batchtest_metrics_certificate_expiry_timestamp_seconds',
    { endpoint: 'ingest' },
  );
  expect(expiry).toBe(Date.parse(new X509Certificate(readFileSync(certificate)).validTo) / 1_000);
});

/** Holds the lock that whoever writes to the run waits for, for as long as `use` takes. */
async function whileLocked<T>(world: OperatorWorld, uid: string, use: () => Promise<T>): Promise<T> {
  const { default: pg } = await import('pg');
  const client = new pg.Client(world.connection);
  await client.connect();
  try {
    await client.query('select pg_advisory_lock(batchtest.run_lock($1))', [uid]);
    return await use();
  } finally {
    await client.end();
  }
}

const untilWaitsForLock = (world: OperatorWorld): Promise<unknown> =>
  expect
    .poll(
      () =>
        query(
          world.connection,
          `select from pg_stat_activity where wait_event_type = 'Lock' and query like '%push_result%'`,
        ),
      { timeout: 20_000 },
    )
    .toHaveLength(1);
