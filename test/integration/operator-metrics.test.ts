/** What the operator tells Prometheus of itself, on a real cluster. */
import { networkInterfaces } from 'node:os';
import { afterAll, beforeAll, expect, inject, it, onTestFinished } from 'vitest';
import { type Series, seriesOf, seriesValue } from '../tools/exposition.ts';
import { promtool } from '../tools/promtool.ts';
import { aBatchTest, ENDS_SOON, type OperatorSite, openOperatorSite, RUNS_ON } from './operator-world.ts';
import { aGateToTheCluster, aGateToTheStore } from './outage-gates.ts';
import type { RunningOperator } from './running-operator.ts';

let site: OperatorSite;
beforeAll(async () => {
  site = await openOperatorSite(inject('controlPlane'));
});
afterAll(() => site?.close());

const scrape = async (operator: RunningOperator): Promise<readonly Series[]> =>
  seriesOf((await operator.health('/metrics')).text);

const LEADS = 'leader_election_master_status';

it('is reached at every address of this machine, of IPv6 where there is that, with empty hosts', async () => {
  const world = await site.aWorld('every-address');
  const operator = await world.startOperator({
    options: ['--health-host=', '--metrics-host=', '--metrics-port=0'],
  });
  const ports = await operator.untilLogged('it has started', ({ msg }) => msg === 'operator started');
  const hasIpv6 = networkInterfaces().lo?.some(({ family }) => family === 'IPv6') === true;
  for (const host of ['127.0.0.1', ...(hasIpv6 ? ['[::1]'] : [])]) {
    expect((await fetch(`http://${host}:${ports.healthPort}/healthz`)).status, host).toBe(200);
    expect((await fetch(`http://${host}:${ports.metricsPort}/metrics`)).status, host).toBe(200);
  }
});

it('tells of runs, requests, views, the queue and the store what was really done', async () => {
  const world = await site.aWorld('metrics');
  const operator = await world.startOperator({ elects: true });
  const failing = await world.create(
    aBatchTest({
      name: 'failing',
      variants: 2,
      parallelism: 2,
      pod: { ...ENDS_SOON, exitCode: 3 },
      spec: { retryPolicy: { limit: 1, outcomes: ['TestFailed'], backoffSeconds: 0, maxBackoffSeconds: 1 } },
    }),
  );
  const good = await world.create(
    aBatchTest({ name: 'good', variants: 3, repetitions: 2, parallelism: 2, pod: ENDS_SOON }),
  );
  const running = await world.create(
    aBatchTest({ name: 'running', variants: 3, parallelism: 2, pod: RUNS_ON }),
  );
  await world.untilCondition(failing, 'Failed');
  await world.untilCondition(good, 'Complete');
  const { namespace } = world;
  await expect
    .poll(
      async () =>
        seriesValue(await scrape(operator), 'batchtest_trials_current', { namespace, state: 'running' }),
      { timeout: 30_000 },
    )
    .toBe(2);

  const series = await scrape(operator);
  const count = (name: string, labels = {}) => seriesValue(series, name, { namespace, ...labels });
  expect(count('batchtest_attempts_total', { outcome: 'Succeeded' })).toBe(
    (await world.storedAttempts(good)).length,
  );
  expect(count('batchtest_attempts_total', { outcome: 'TestFailed' })).toBe(
    (await world.storedAttempts(failing)).length,
  );
  expect(count('batchtest_attempt_failures_total', { reason: 'NonZeroExitCode' })).toBe(4);
  expect(count('batchtest_retries_total')).toBe(2);
  expect(count('batchtest_trials_finished_total', { phase: 'Failed' })).toBe(2);
  expect(count('batchtest_runs_finished_total', { state: 'Complete' })).toBe(1);
  expect(count('batchtest_attempt_run_seconds_count')).toBe(10);
  expect(count('batchtest_runs_current', { state: 'Running' })).toBe(1);
  expect(count('batchtest_runs_current', { state: 'Failed' })).toBe(1);
  expect(count('batchtest_trials_current', { state: 'pending' })).toBe(1);
  expect(count('batchtest_slots')).toBe(2);
  expect(count('batchtest_slots_in_use')).toBe(2);
  const total = (name: string, labels = {}) => seriesValue(series, name, labels);
  // 2 slots, 6 trials of one run: 4 take the place of another.
  expect(total('batchtest_slot_refill_seconds_count')).toBeGreaterThanOrEqual(4);
  expect(total('batchtest_results_stored_total', { result: 'inserted' })).toBe(10);
  expect(total('batchtest_store_transaction_seconds_count', { op: 'open_run', outcome: 'committed' })).toBe(
    3,
  );
  expect(total('batchtest_results_unstored')).toBe(0);
  expect(total('rest_client_requests_total', { method: 'POST', code: '201' })).toBeGreaterThanOrEqual(12);
  expect(total('rest_client_request_duration_seconds_count', { verb: 'POST' })).toBeGreaterThanOrEqual(12);
  const reconciled = ['success', 'requeue_after'].map(
    (result) => total('controller_runtime_reconcile_total', { result }) ?? 0,
  );
  expect(Math.max(...reconciled)).toBeGreaterThan(0);
  expect(total('workqueue_adds_total')).toBeGreaterThan(0);
  expect(total(LEADS, { name: 'batchtest-operator' })).toBe(1);
  for (const resource of ['batchtests', 'jobs', 'pods'])
    expect(
      Date.now() / 1_000 - (total('batchtest_informer_last_event_timestamp_seconds', { resource }) ?? 0),
    ).toBeLessThan(120);
  expect(await promtool(['check', 'metrics'], `${(await operator.health('/metrics')).text}\n`)).toEqual({
    exitCode: 0,
    text: '',
  });

  await world.cluster.request('PATCH', world.path('running'), { spec: { cancel: true } });
  await world.untilCondition(running, 'Cancelled');
  await expect
    .poll(async () => seriesValue(await scrape(operator), 'batchtest_cancel_duration_seconds_count'), {
      timeout: 20_000,
    })
    .toBe(1);
  const after = await scrape(operator);
  expect(seriesValue(after, 'batchtest_trials_finished_total', { namespace, phase: 'Cancelled' })).toBe(3);
});

it('leaves the gauges of runs to the leader', async () => {
  const world = await site.aWorld('metrics-standby');
  const leader = await world.startOperator({ elects: true, identity: 'first' });
  await leader.untilReady();
  await expect.poll(async () => seriesValue(await scrape(leader), LEADS), { timeout: 30_000 }).toBe(1);
  const standby = await world.startOperator({ elects: true, identity: 'second' });
  await standby.untilReady();
  await world.create(aBatchTest({ parallelism: 1, pod: RUNS_ON }));
  await expect
    .poll(async () => seriesValue(await scrape(leader), 'batchtest_slots_in_use'), { timeout: 30_000 })
    .toBe(1);
  const series = await scrape(standby);
  expect(seriesValue(series, LEADS)).toBe(0);
  expect(series.filter(({ name }) => /^batchtest_(slots|trials_current|runs_current)/.test(name))).toEqual(
    [],
  );
  expect(
    seriesValue(series, 'batchtest_informer_last_event_timestamp_seconds', { resource: 'pods' }),
  ).toBeGreaterThan(0);
});

it('says that it does not lead when it can see nothing', async () => {
  const world = await site.aWorld('metrics-unseen');
  const unseen = 'operator-may-see-nothing-here';
  const operator = await world.startOperator({
    args: ['--namespace', unseen, '--lease-namespace', world.namespace],
  });
  await operator.untilLogged('it says what it may not see', ({ waiting }) => waiting !== undefined);
  expect((await operator.health('/readyz')).status).toBe(503);
  expect(seriesValue(await scrape(operator), LEADS, { name: 'batchtest-operator' })).toBe(0);
});

it('answers a scrape while the result store and the API server are away, and tells of both', async () => {
  const world = await site.aWorld('metrics-away');
  const store = await aGateToTheStore(world);
  const cluster = await aGateToTheCluster(world);
  await Promise.all([store.gate.open(), cluster.gate.open()]);
  const operator = await world.startOperator({
    databaseUrl: store.url,
    kubeconfigPath: cluster.kubeconfigPath,
  });
  onTestFinished(() => operator.kill());
  await operator.untilReady();
  await store.gate.shut();
  await world.create(aBatchTest({ parallelism: 1, pod: ENDS_SOON }));
  const refused = async () =>
    (await scrape(operator))
      .filter(({ name }) => name === 'batchtest_store_unavailable_total')
      .reduce((sum, { value }) => sum + value, 0);
  await expect.poll(refused, { timeout: 30_000 }).toBeGreaterThan(0);
  await cluster.gate.shut();
  const failed = async () =>
    seriesValue(await scrape(operator), 'batchtest_informer_restarts_total', {
      resource: 'pods',
      reason: 'ConnectionFailed',
    });
  await expect.poll(failed, { timeout: 30_000 }).toBeGreaterThan(0);
  const unanswered = async () =>
    seriesValue(await scrape(operator), 'rest_client_requests_total', { method: 'GET', code: '<error>' });
  await expect.poll(unanswered, { timeout: 30_000 }).toBeGreaterThan(0);
  // Not at once: the status that tells of it is tried several times.
  const errors = async () => seriesValue(await scrape(operator), 'controller_runtime_reconcile_errors_total');
  await expect.poll(errors, { timeout: 60_000 }).toBeGreaterThan(0);
});

it('serves metrics on a port of their own, and then not with the health', async () => {
  const world = await site.aWorld('metrics-port');
  const operator = await world.startOperator({ options: ['--metrics-port', '0'] });
  const { metricsPort } = await operator.untilLogged(
    'it has started',
    ({ msg }) => msg === 'operator started',
  );
  const answer = await fetch(`http://127.0.0.1:${metricsPort}/metrics`);
  expect([answer.status, answer.headers.get('content-type')]).toEqual([
    200,
    'text/plain; version=0.0.4; charset=utf-8',
  ]);
  expect(seriesValue(seriesOf(await answer.text()), 'batchtest_build_info')).toBe(1);
  expect((await fetch(`http://127.0.0.1:${metricsPort}/healthz`)).status).toBe(404);
  expect(await operator.health('/metrics')).toEqual({
    status: 404,
    text: 'not found; there are /healthz and /readyz',
  });
});
