import { describe, expect, it } from 'vitest';
import { runMeasured } from '../../test/builders/measured-run.ts';
import { exited, exitedWell, lost, type ModelAttempt } from '../../test/builders/model-engine.ts';
import { aRun } from '../../test/builders/run.ts';
import { type Series, seriesOf, seriesValue } from '../../test/tools/exposition.ts';
import { promtool } from '../../test/tools/promtool.ts';
import type { ArtifactsRefusal } from '../engine/local/artifact-collection.ts';
import { ResultStoreUnavailableError } from '../results/result-store.ts';
import { FAILURE_REASONS } from './attempt-reasons.ts';
import { createMetrics, type Metrics } from './metrics.ts';

const RETRIED = {
  retryPolicy: { limit: 1, outcomes: ['Infrastructure' as const], backoffSeconds: 0, maxBackoffSeconds: 1 },
};

/** Of every ten trials one fails, and one is lost once and tried again. */
const mixed = ({ repetition, attempt }: ModelAttempt) =>
  repetition % 10 === 0 ? exited(3) : repetition % 10 === 1 && attempt === 1 ? lost('Evicted') : exitedWell();

const numbers = (count: number): string[] => Array.from({ length: count }, (_, index) => `n${index}`);

/** As many variants as both numbers multiply to. */
const aMeasuredRun = (rows: number, columns: number, repetitions: number) =>
  aRun({
    namespace: 'team-a',
    variants: [],
    matrix: {
      parameters: [
        { name: 'ROW', values: numbers(rows) },
        { name: 'COLUMN', values: numbers(columns) },
      ],
    },
    repetitions,
    parallelism: 100,
    spec: { ...RETRIED, podCleanupPolicy: 'Always' },
  });

async function metricsAfter(rows: number, columns: number): Promise<Metrics> {
  const metrics = createMetrics();
  await runMeasured(aMeasuredRun(rows, columns, 10), metrics, mixed);
  return metrics;
}

/** The series after a run of each variant once, of which some fail and some are lost at first. */
async function seriesAfter(rows: number, columns: number): Promise<readonly Series[]> {
  const metrics = createMetrics();
  await runMeasured(aMeasuredRun(rows, columns, 1), metrics, ({ variantId, attempt }) =>
    variantId.startsWith('0')
      ? exited(3)
      : variantId.startsWith('1') && attempt === 1
        ? lost()
        : exitedWell(),
  );
  return seriesOf(await metrics.text());
}

describe('the metrics of a run', () => {
  it('count each attempt, retry, trial and run once, and time every part of the way', async () => {
    const metrics = await metricsAfter(3, 1);
    const series = seriesOf(await metrics.text());
    const team = { namespace: 'team-a' };
    const count = (name: string, labels = {}) => seriesValue(series, name, { ...team, ...labels });
    expect({
      succeeded: count('batchtest_attempts_total', { outcome: 'Succeeded' }),
      failed: count('batchtest_attempts_total', { outcome: 'TestFailed' }),
      lost: count('batchtest_attempts_total', { outcome: 'Infrastructure' }),
      timedOut: count('batchtest_attempts_total', { outcome: 'TimedOut' }),
      evicted: count('batchtest_attempt_failures_total', { outcome: 'Infrastructure', reason: 'Evicted' }),
      exitCodes: count('batchtest_attempt_failures_total', {
        outcome: 'TestFailed',
        reason: 'NonZeroExitCode',
      }),
      retries: count('batchtest_retries_total'),
      trialsSucceeded: count('batchtest_trials_finished_total', { phase: 'Succeeded' }),
      trialsFailed: count('batchtest_trials_finished_total', { phase: 'Failed' }),
      runs: count('batchtest_runs_finished_total', { state: 'Failed' }),
    }).toEqual({
      succeeded: 27,
      failed: 3,
      lost: 3,
      timedOut: 0,
      evicted: 3,
      exitCodes: 3,
      retries: 3,
      trialsSucceeded: 27,
      trialsFailed: 3,
      runs: 1,
    });
    expect({
      queue: count('batchtest_trial_queue_seconds_count'),
      start: count('batchtest_attempt_start_seconds_count'),
      run: count('batchtest_attempt_run_seconds_count'),
      store: count('batchtest_attempt_store_seconds_count'),
    }).toEqual({ queue: 30, start: 33, run: 33, store: 33 });
    expect(seriesValue(series, 'batchtest_results_stored_total', { result: 'inserted' })).toBe(33);
    expect(
      seriesValue(series, 'batchtest_store_transaction_seconds_count', {
        op: 'finish_run',
        outcome: 'committed',
      }),
    ).toBe(1);
    expect(seriesValue(series, 'controller_runtime_reconcile_total', { result: 'error' })).toBe(0);
    expect(seriesValue(series, 'workqueue_depth')).toBe(0);
  });

  it('have as many series for 10,000 variants as for 100', async () => {
    const few = await seriesAfter(10, 10);
    const many = await seriesAfter(100, 100);
    const own = (series: typeof few) => series.filter(({ name }) => !/^(process|nodejs)_/.test(name));
    const attempts = (series: typeof few) =>
      series
        .filter(({ name }) => name === 'batchtest_attempts_total')
        .reduce((sum, { value }) => sum + value, 0);
    expect(attempts(few)).toBeGreaterThanOrEqual(100);
    expect(attempts(many)).toBeGreaterThanOrEqual(10_000);
    expect(own(many)).toHaveLength(own(few).length);
    expect(own(few).length).toBeGreaterThan(100);
  }, 120_000);

  it('tell of the outbox only while somebody looks', async () => {
    const metrics = createMetrics();
    metrics.outbox.outboxHolds({ pending: 3, dead: 1 });
    const dead = async () =>
      seriesValue(seriesOf(await metrics.text()), 'batchtest_outbox_messages', { state: 'Dead' });
    expect(await dead()).toBe(1);
    metrics.outbox.outboxHolds(undefined);
    expect(await dead()).toBeUndefined();
  });

  it('name no variant and no run, and have no word that its list lacks', async () => {
    const metrics = await metricsAfter(3, 1);
    const lists = new Map(metrics.descriptions.map(({ name, labels }) => [name, labels]));
    const text = await metrics.text();
    expect(text).not.toMatch(/"n\d+|checkout-cache|6f1c8a52/);
    for (const { name, labels } of seriesOf(text)) {
      const known = lists.get(name) ?? lists.get(name.replace(/_(bucket|sum|count)$/, ''));
      expect(known, name).toBeDefined();
      for (const [label, word] of Object.entries(labels)) {
        if (label === 'le' && name.endsWith('_bucket')) continue;
        const words = known?.[label];
        expect(words, `${name} ${label}`).toBeDefined();
        if (typeof words !== 'string') expect(words, `${name} ${label}`).toContain(word);
      }
    }
  });

  it('have a word of their own for each way in which artifacts are not taken', () => {
    const refusals: Record<ArtifactsRefusal, true> = {
      ArtifactsTooMany: true,
      ArtifactsTooLarge: true,
      ArtifactNameNotText: true,
      ArtifactsUnreadable: true,
    };
    expect(FAILURE_REASONS).toEqual(expect.arrayContaining(Object.keys(refusals)));
  });

  it('put a word that is in no list under Other', async () => {
    const metrics = createMetrics();
    await runMeasured(aRun({ variants: 1 }), metrics, () => lost('InventedByAWebhook'));
    const series = seriesOf(await metrics.text());
    expect(seriesValue(series, 'batchtest_attempt_failures_total', { reason: 'Other' })).toBe(2);
  });
});

describe('gauges', () => {
  it('are of the moment at which they are asked for, and go when nobody leads any more', async () => {
    const metrics = createMetrics(() => 100_000);
    const run = aRun({ namespace: 'team-a' });
    const attempt = { variantId: 'a', repetition: 0, attempt: 1, name: 'x' };
    const snapshot = {
      run,
      pending: 7,
      parallelism: 4,
      isHeld: false,
      lastProgressAt: 40_000,
      attempts: [
        { ...attempt, state: { kind: 'Waiting' as const, since: 70_000, reason: 'Unschedulable' } },
        { ...attempt, state: { kind: 'Running' as const, since: 50_000 } },
        { ...attempt, state: { kind: 'Ended' as const, at: 80_000, termination: exitedWell() } },
      ],
    };
    const stop = metrics.runs.follow({
      runs: () => [snapshot, { ...snapshot, isHeld: true, pending: 5, attempts: [] }],
      unopened: () => 3,
    });
    const series = seriesOf(await metrics.text());
    const current = (state: string) =>
      seriesValue(series, 'batchtest_trials_current', { namespace: 'team-a', state });
    expect(['pending', 'held', 'starting', 'running', 'stopping', 'storing'].map(current)).toEqual([
      7, 5, 1, 1, 0, 1,
    ]);
    expect(seriesValue(series, 'batchtest_slots')).toBe(4);
    expect(seriesValue(series, 'batchtest_slots_in_use')).toBe(2);
    expect(seriesValue(series, 'batchtest_results_unstored')).toBe(1);
    expect(seriesValue(series, 'batchtest_oldest_unstored_seconds')).toBe(20);
    expect(seriesValue(series, 'batchtest_runs_begun', { state: 'opened' })).toBe(2);
    expect(seriesValue(series, 'batchtest_runs_begun', { state: 'unopened' })).toBe(3);
    expect(seriesValue(series, 'batchtest_oldest_waiting_seconds', { reason: 'Unschedulable' })).toBe(30);
    expect(seriesValue(series, 'batchtest_attempts_waiting', { reason: 'Unschedulable' })).toBe(1);
    expect(seriesValue(series, 'batchtest_longest_without_progress_seconds')).toBe(60);
    stop();
    const stopAtEnd = metrics.runs.follow({
      runs: () => [{ ...snapshot, parallelism: 100, pending: 0 }],
      unopened: () => 0,
    });
    expect(seriesValue(seriesOf(await metrics.text()), 'batchtest_slots')).toBe(2);
    stopAtEnd();
    const after = seriesOf(await metrics.text());
    expect(seriesValue(after, 'batchtest_slots')).toBeUndefined();
    expect(seriesValue(after, 'batchtest_results_unstored')).toBe(0);
    // Nobody leads, so nobody knows: an alert tells that from 0.
    expect(seriesValue(after, 'batchtest_runs_begun')).toBeUndefined();
  });
});

const NONE = { pending: 0, verified: 0, mismatched: 0, missing: 0 };

describe('a store', () => {
  it('is counted by what became of each result, and by why it could not be used', async () => {
    const metrics = createMetrics();
    const store = metrics.store.measured({
      openRun: () => Promise.reject(new Error('a defect')),
      loadRunToConclude: async () => undefined,
      recordAttempt: () => Promise.reject(new ResultStoreUnavailableError('DiskFull', 'full')),
      finishRun: async () => 'Finished',
      readPushed: async () => [],
      skipTrials: async () => ({ kind: 'Skipped' }),
      verification: { counts: async () => ({ artifacts: NONE, results: NONE }) },
    });
    const run = aRun();
    await expect(store.openRun(run)).rejects.toThrow('a defect');
    await expect(store.recordAttempt(Object.create(null))).rejects.toThrow('full');
    await store.finishRun(run.uid, 1, { state: 'Complete', reason: 'AllTrialsSucceeded', message: '' });
    metrics.store.observer.contended('40P01');
    metrics.store.observer.opened(() => ({ busy: 2, idle: 1, waiting: 0 }));
    const series = seriesOf(await metrics.text());
    const took = (op: string, outcome: string) =>
      seriesValue(series, 'batchtest_store_transaction_seconds_count', { op, outcome });
    expect(took('open_run', 'error')).toBe(1);
    expect(took('record_attempt', 'unavailable')).toBe(1);
    expect(took('finish_run', 'committed')).toBe(1);
    expect(seriesValue(series, 'batchtest_results_stored_total', { result: 'failed' })).toBe(1);
    expect(seriesValue(series, 'batchtest_store_unavailable_total', { reason: 'DiskFull' })).toBe(1);
    expect(seriesValue(series, 'batchtest_store_retries_total', { sqlstate: '40P01' })).toBe(1);
    expect(seriesValue(series, 'batchtest_pg_pool_connections', { state: 'busy' })).toBe(2);
  });
});

describe('what is scraped', () => {
  it('passes promtool check metrics, at the start and after a run', async () => {
    expect(await promtool(['check', 'metrics'], await createMetrics().text())).toEqual({
      exitCode: 0,
      text: '',
    });
    expect(await promtool(['check', 'metrics'], await (await metricsAfter(2, 1)).text())).toEqual({
      exitCode: 0,
      text: '',
    });
  }, 120_000);

  it('describes each metric once, with labels and a help text', () => {
    const { descriptions } = createMetrics();
    const names = descriptions.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    for (const { name, help } of descriptions) expect(help, name).not.toBe('');
  });
});
