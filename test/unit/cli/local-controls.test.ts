/** The fields of docs/reference/run-control.md as a local run honours them. */
import { readdirSync } from 'node:fs';
import { describe, expect, it, vi } from 'vitest';
import { aBench } from './recorded-program.ts';

vi.setConfig({ testTimeout: 120_000 });

const QUIET_JSON = ['run', '-', '--quiet', '-o', 'json'];

describe('a local run', () => {
  it('is ended with the first failed variant by maxFailedVariants 0, and exits 1', async () => {
    const bench = aBench();
    const { exitCode, stdout, stderr } = await bench.run(
      QUIET_JSON,
      bench.manifest({ bad: 'bad', waits: 'waits' }, { maxFailedVariants: 0, repetitions: 2 }),
    );
    expect(exitCode, stderr).toBe(1);
    const { run } = JSON.parse(stdout);
    expect(run).toMatchObject({ state: 'Failed', reason: 'TooManyFailedVariants' });
    expect(run.trials).toMatchObject({ succeeded: 0, pending: 0 });
    expect(run.trials.cancelled).toBeGreaterThanOrEqual(2);
    expect(run.message).toContain('1 variant failed, more than spec.maxFailedVariants (0) allows');
  });

  it('goes on to its end when as many variants failed as maxFailedVariants allows', async () => {
    const bench = aBench();
    const { exitCode, stdout, stderr } = await bench.run(
      QUIET_JSON,
      bench.manifest({ bad: 'bad', fine: 'good' }, { maxFailedVariants: 1, parallelism: 1 }),
    );
    expect(exitCode, stderr).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({
      run: { state: 'Failed', reason: 'VariantsFailed', trials: { succeeded: 1, failed: 1, cancelled: 0 } },
    });
  });

  it('is ended by activeDeadlineSeconds with exit code 4, and keeps what it has', async () => {
    const bench = aBench();
    const { exitCode, stdout, stderr } = await bench.run(
      QUIET_JSON,
      bench.manifest({ fine: 'good', waits: 'waits' }, { activeDeadlineSeconds: 3 }),
    );
    expect(exitCode, stderr).toBe(4);
    expect(JSON.parse(stdout)).toMatchObject({
      run: { state: 'Failed', reason: 'DeadlineExceeded', trials: { succeeded: 1, cancelled: 1 } },
      best: { name: 'fine' },
    });
    expect(bench.terminated()).toEqual(['waits']);
  });

  it('does not run the rest of a variant whose exit code fails it as a whole (failurePolicy FailVariant)', async () => {
    const bench = aBench();
    const failurePolicy = {
      rules: [{ action: 'FailVariant', onExitCodes: { operator: 'In', values: [3] } }],
    };
    const { exitCode, stdout, stderr } = await bench.run(
      QUIET_JSON,
      bench.manifest({ bad: 'bad', fine: 'good' }, { failurePolicy, repetitions: 3, parallelism: 1 }),
    );
    expect(exitCode, stderr).toBe(1);
    expect(bench.startCounts()).toEqual({ bad: 1, fine: 3 });
    expect(JSON.parse(stdout)).toMatchObject({
      run: { state: 'Failed', reason: 'VariantsFailed', trials: { total: 6, succeeded: 3, pending: 0 } },
      best: { name: 'fine' },
    });
  });

  it('tries a failed test again when retryPolicy.outcomes says so, and not otherwise', async () => {
    const bench = aBench();
    const retryPolicy = { limit: 1, backoffSeconds: 0, maxBackoffSeconds: 0, outcomes: ['TestFailed'] };
    const { exitCode, stdout, stderr } = await bench.run(
      QUIET_JSON,
      bench.manifest({ flaky: 'fails once' }, { retryPolicy }),
    );
    expect(exitCode, stderr).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ run: { state: 'Complete' }, best: { name: 'flaky' } });
    expect(bench.startCounts()).toEqual({ flaky: 2 });

    const other = aBench();
    const once = await other.run(QUIET_JSON, other.manifest({ flaky: 'fails once' }));
    expect(once.exitCode, once.stderr).toBe(1);
    expect(other.startCounts()).toEqual({ flaky: 1 });
  });

  it('that is cancelled from the start ends as Cancelled without starting anything', async () => {
    const bench = aBench();
    const { exitCode, stdout, stderr } = await bench.run(
      QUIET_JSON,
      bench.manifest({ fine: 'good' }, { cancel: true }),
    );
    expect(exitCode, stderr).toBe(4);
    expect(JSON.parse(stdout)).toMatchObject({
      run: { state: 'Cancelled', reason: 'CancelRequested', trials: { total: 1, cancelled: 1 } },
      best: null,
    });
    expect(bench.starts()).toEqual([]);
  });

  it('that is suspended is refused: nobody could resume it', async () => {
    const bench = aBench();
    const { exitCode, stdout, stderr } = await bench.run(
      QUIET_JSON,
      bench.manifest({ fine: 'good' }, { suspend: true }),
    );
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
    expect(stderr).toBe('spec.suspend cannot be true locally: nobody could resume the run\n');
    expect(readdirSync(bench.folder)).toEqual([]);
  });

  it('that is paused from the start is refused: nobody could raise its parallelism', async () => {
    const bench = aBench();
    const { exitCode, stdout, stderr } = await bench.run(
      QUIET_JSON,
      bench.manifest({ fine: 'good' }, { parallelism: 0 }),
    );
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
    expect(stderr).toBe(
      'spec.parallelism cannot be 0 locally: nobody could raise it, and nothing would start\n',
    );
    expect(readdirSync(bench.folder)).toEqual([]);
  });

  it('warns of ttlSecondsAfterFinished, which has no effect', async () => {
    const bench = aBench();
    const { exitCode, stderr } = await bench.run(
      QUIET_JSON,
      bench.manifest({ fine: 'good' }, { ttlSecondsAfterFinished: 0 }),
    );
    expect(exitCode).toBe(0);
    expect(stderr).toContain('warning: spec.ttlSecondsAfterFinished has no effect locally');
    expect(await bench.document('list')).toMatchObject({ runs: [{ state: 'Complete' }] });
  });
});
