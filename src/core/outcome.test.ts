import { describe, expect, it } from 'vitest';
import { aBatchTest } from '../../test/builders/batch-test.ts';
import { exited } from '../../test/builders/model-engine.ts';
import type { Termination } from './attempt.ts';
import { judgeAttempt } from './outcome.ts';

const { objective } = aBatchTest({
  metrics: [
    { name: 'p95_ms', goal: 'minimize' },
    { name: 'throughput', goal: 'maximize' },
  ],
}).spec;
const judge = (termination: Termination, endedAt = 10_000) => judgeAttempt(termination, endedAt, objective);
const GOOD = '{"metrics":{"p95_ms":1,"throughput":2}}';

describe('an attempt that exits with 0', () => {
  it('succeeds with the metrics that it reports, and the duration that was measured', () => {
    const judgement = judge({ ...exited(0, GOOD), startedAt: 7_500 } as Termination);
    expect(judgement).toMatchObject({ outcome: 'Succeeded', reason: 'Completed', message: '', exitCode: 0 });
    expect(judgement.result?.metrics).toEqual(
      new Map([
        ['p95_ms', 1],
        ['throughput', 2],
        ['duration_seconds', 2.5],
      ]),
    );
  });

  it.each([
    { what: 'leaves nothing', message: '\n', reason: 'NoResult', says: /wrote no result/ },
    { what: 'leaves something else', message: 'oops', reason: 'ResultUnusable', says: /not valid JSON/ },
    {
      what: 'leaves as much of a longer one as a kubelet takes',
      message: '{"outputs":{"a":"'.padEnd(4_096, 'x'),
      reason: 'ResultUnusable',
      says: /reaches the limit of 4096 bytes and was probably cut off there/,
    },
    {
      what: 'leaves as much of a longer one as its pod may tell',
      message: '{"outputs":{"a":"'.padEnd(3_072, 'x'),
      messageLimitBytes: 3_072,
      reason: 'ResultUnusable',
      says: /reaches the limit of 3072 bytes and was probably cut off there/,
    },
    {
      what: 'leaves out a metric',
      message: '{"metrics":{"p95_ms":1}}',
      reason: 'MetricMissing',
      says: "the result lacks the objective's metric throughput",
    },
    {
      what: 'leaves out all metrics',
      message: '{}',
      reason: 'MetricMissing',
      says: "the result lacks the objective's metrics p95_ms, throughput",
    },
    {
      what: 'reports a metric that is not finite',
      message: '{"metrics":{"p95_ms":1e999,"throughput":2}}',
      reason: 'ResultUnusable',
      says: 'metric "p95_ms" is not a finite number',
    },
  ])('has no valid result when it $what', ({ what: _, reason, says, ...left }) => {
    expect(judge({ kind: 'Exited', exitCode: 0, ...left })).toEqual({
      outcome: 'ResultInvalid',
      reason,
      message: typeof says === 'string' ? says : expect.stringMatching(says),
      exitCode: 0,
      result: undefined,
    });
  });

  it('has no valid result when it was too long, even if what is left of it can be read', () => {
    const termination: Termination = { kind: 'Exited', exitCode: 0, message: GOOD, truncated: true };
    expect(judge(termination)).toMatchObject({
      outcome: 'ResultInvalid',
      reason: 'ResultTooLarge',
      message: 'the result is longer than the limit of 4096 bytes',
    });
  });

  it('has a duration of 0 when the clock was set back meanwhile', () => {
    const termination: Termination = { kind: 'Exited', exitCode: 0, message: GOOD, startedAt: 20_000 };
    expect(judge(termination, 10_000).result?.metrics.get('duration_seconds')).toBe(0);
  });

  it('has no duration when nobody knows when it started', () => {
    expect(judge(exited(0, GOOD)).result?.metrics.has('duration_seconds')).toBe(false);
  });

  it('may be judged by its duration', () => {
    const byDuration = aBatchTest({ metrics: [{ name: 'duration_seconds', goal: 'minimize' }] }).spec
      .objective;
    const termination: Termination = { kind: 'Exited', exitCode: 0, message: '{}', startedAt: 0 };
    expect(judgeAttempt(termination, 1_500, byDuration)).toMatchObject({ outcome: 'Succeeded' });
    expect(judgeAttempt(exited(0, '{}'), 1_500, byDuration)).toMatchObject({ reason: 'MetricMissing' });
  });
});

describe('an attempt that exits with 0 when it is told to stop', () => {
  const disrupted = (message: string) =>
    judge({ ...exited(0, message), disruption: { reason: 'PodDeleted', message: 'deleted' } } as Termination);

  it.each(['', '{"metrics":', '{"metrics":{"p95_ms":1}}'])(
    'is not held to the result %j, which cannot be used',
    (message) => {
      expect(disrupted(message)).toMatchObject({
        outcome: 'Infrastructure',
        reason: 'PodDeleted',
        message: 'deleted',
      });
    },
  );

  it('succeeds when its result is complete', () => {
    expect(disrupted(GOOD)).toMatchObject({ outcome: 'Succeeded' });
  });
});

describe('an attempt that exits with another code', () => {
  it.each([
    { exitCode: 1, reason: 'NonZeroExitCode', message: 'exit code 1' },
    { exitCode: 127, reason: 'NonZeroExitCode', message: 'exit code 127' },
    { exitCode: 128, reason: 'NonZeroExitCode', message: 'exit code 128' },
    { exitCode: 134, reason: 'Signalled', message: 'exit code 134 (SIGABRT)' },
    { exitCode: 137, reason: 'Signalled', message: 'exit code 137 (SIGKILL)' },
    { exitCode: 139, reason: 'Signalled', message: 'exit code 139 (SIGSEGV)' },
    { exitCode: 143, reason: 'Signalled', message: 'exit code 143 (SIGTERM)' },
    { exitCode: 255, reason: 'NonZeroExitCode', message: 'exit code 255' },
    { exitCode: -1, reason: 'NonZeroExitCode', message: 'exit code -1' },
  ])('$exitCode has failed: $reason', ({ exitCode, reason, message }) => {
    expect(judge(exited(exitCode))).toEqual({
      outcome: 'TestFailed',
      reason,
      message,
      exitCode,
      result: undefined,
    });
  });

  it('has failed for want of memory when its engine says so', () => {
    expect(judge({ kind: 'Exited', exitCode: 137, reason: 'OOMKilled', message: '' })).toMatchObject({
      outcome: 'TestFailed',
      reason: 'OOMKilled',
      message: 'ran out of memory and was killed (exit code 137)',
    });
  });

  it('has failed even if it left a result, and what it left is told', () => {
    expect(judge(exited(3, GOOD))).toMatchObject({
      outcome: 'TestFailed',
      message: `exit code 3: ${GOOD}`,
      result: undefined,
    });
  });
});

describe('an attempt that did not exit', () => {
  it('was failed by the infrastructure when it was lost', () => {
    expect(judge({ kind: 'Lost', reason: 'Evicted', message: 'low on memory' })).toEqual({
      outcome: 'Infrastructure',
      reason: 'Evicted',
      message: 'low on memory',
      exitCode: undefined,
      result: undefined,
    });
  });

  it('timed out when somebody else enforced its deadline', () => {
    expect(judge({ kind: 'DeadlineExceeded', message: 'active longer than 600 s' })).toMatchObject({
      outcome: 'TimedOut',
      reason: 'DeadlineExceeded',
      message: 'active longer than 600 s',
    });
  });
});
