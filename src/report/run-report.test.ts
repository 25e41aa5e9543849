import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { anAttempt, aStoredRun } from '../../test/builders/stored-run.ts';
import { reportJson } from './report-json.ts';
import { reportYaml } from './report-yaml.ts';
import { FAILURES_LIMIT, runReport } from './run-report.ts';

describe('the report of a run', () => {
  it('has the documented shape as JSON', () => {
    const stored = aStoredRun({
      variants: [
        {
          name: 'lru',
          parameters: { CACHE: 'lru' },
          trials: [{ p95_ms: 50 }, { failed: 'TestFailed', logs: '/runs/lru' }],
        },
        { name: 'arc', parameters: { CACHE: 'arc' }, trials: [{ p95_ms: 40 }, { p95_ms: 42 }] },
      ],
    });
    expect(JSON.parse(reportJson(runReport(stored)))).toEqual({
      run: {
        uid: '0f9c1a2b-7d1e-4d3a-9b60-2f5a3a9c1d11',
        name: 'checkout-cache',
        namespace: null,
        workflowId: 'checkout',
        engine: 'local',
        state: 'Failed',
        reason: 'VariantsFailed',
        message: 'variants failed',
        startedAt: '2026-11-24T10:00:00.123Z',
        finishedAt: '2026-11-24T10:04:12.123Z',
        interrupted: false,
        trials: { total: 4, pending: 0, succeeded: 3, failed: 1, cancelled: 0, skipped: 0, reused: 0 },
      },
      best: { name: 'arc', score: 1, ties: [], evidence: 'OnlyCandidate' },
      comparison: { baseline: null, confidence: 0.95, tieBreak: [] },
      previousRun: null,
      gates: [],
      gate: null,
      objective: [{ metric: 'p95_ms', goal: 'minimize', weight: 1, target: null }],
      matrix: [
        {
          variant: 'arc',
          variantId: '0000000000000001',
          parameters: { CACHE: 'arc' },
          trials: { total: 2, pending: 0, succeeded: 2, failed: 0, cancelled: 0, skipped: 0 },
          metrics: {
            p95_ms: {
              ...{ n: 2, mean: 41, stddev: Math.SQRT2, min: 40, max: 42, median: 41 },
              ...{ p5: expect.closeTo(40.1, 9), p25: 40.5, p75: 41.5, p95: expect.closeTo(41.9, 9) },
              meanInterval: { low: expect.closeTo(28.2938, 4), high: expect.closeTo(53.7062, 4) },
              vsBaseline: null,
              vsPreviousRun: null,
            },
          },
          score: 1,
          rank: 1,
          stoppedAtLook: null,
          pareto: true,
        },
        {
          variant: 'lru',
          variantId: '0000000000000000',
          parameters: { CACHE: 'lru' },
          trials: { total: 2, pending: 0, succeeded: 1, failed: 1, cancelled: 0, skipped: 0 },
          metrics: {
            p95_ms: {
              ...{ n: 1, mean: 50, stddev: null, min: 50, max: 50, median: 50 },
              ...{ p5: 50, p25: 50, p75: 50, p95: 50 },
              meanInterval: null,
              vsBaseline: null,
              vsPreviousRun: null,
            },
          },
          score: null,
          rank: null,
          stoppedAtLook: null,
          pareto: false,
        },
      ],
      failures: [
        {
          variant: 'lru',
          repetition: 1,
          attempt: 1,
          outcome: 'TestFailed',
          reason: 'NonZeroExitCode',
          message: 'exit code 1',
          logs: '/runs/lru',
        },
      ],
      failureCount: 1,
      verification: {
        artifacts: { tracked: 0, pending: 0, verified: 0, mismatched: 0, missing: 0 },
        results: { pending: 0, verified: 0, mismatched: 0, missing: 0 },
        problems: [],
      },
    });
  });

  it('names every variant that is as good as the best', () => {
    const variants = ['a', 'b', 'c'].map((name, index) => ({
      name,
      trials: [{ p95_ms: index < 2 ? 1 : 9 }],
    }));
    expect(runReport(aStoredRun({ variants })).best).toEqual({
      name: 'a',
      score: 1,
      ties: ['b'],
      evidence: 'TooFewSamples',
    });
  });

  it('names no best variant when none succeeded in all that was run of it', () => {
    const report = runReport(
      aStoredRun({ variants: [{ name: 'a', trials: [{ p95_ms: 1 }, { failed: 'TimedOut' }] }] }),
    );
    expect(report.best).toBeNull();
  });

  it('tells of a failed trial by its last attempt, and nothing of attempts that were made good', () => {
    const stored = aStoredRun({
      variants: [{ name: 'a', trials: [{ p95_ms: 1 }, { failed: 'TestFailed' }] }],
    });
    const attempts = [
      anAttempt({ attempt: 2, outcome: 'TimedOut', reason: 'DeadlineExceeded', message: 'too late' }),
      anAttempt({ attempt: 1, outcome: 'Infrastructure', reason: 'Evicted', message: 'gone' }),
    ];
    const report = runReport({
      ...stored,
      trialDetails: stored.trialDetails.map((trial) => ({
        ...trial,
        attempts: trial.phase === 'Failed' ? attempts : [...attempts.slice(1), ...trial.attempts],
      })),
    });
    expect(report.failures).toMatchObject([{ repetition: 1, attempt: 2, outcome: 'TimedOut', logs: null }]);
  });

  it('tells of a bounded number of failures, of many variants rather than of one', () => {
    const trials = Array.from({ length: 40 }, () => ({ failed: 'TestFailed' as const }));
    const report = runReport(
      aStoredRun({ variants: Array.from({ length: 30 }, (_, index) => ({ name: `v${index}`, trials })) }),
    );
    expect(report.failureCount).toBe(1_200);
    expect(report.failures).toHaveLength(FAILURES_LIMIT);
    expect(new Set(report.failures.map(({ variant }) => variant)).size).toBe(30);
  });
});

describe('the formats of a report', () => {
  const hostile = aStoredRun({
    variants: [
      {
        name: 'null',
        parameters: {
          CONTROL: '\x1b[2J\x9b31m\x07',
          DIRECTION: '\u202eabc\u{e0041}',
          YAML: '&a *b !c: "#',
          EMPTY: '',
        },
        trials: [
          { p95_ms: -0 },
          { failed: 'TestFailed', message: 'line 1\n  line 2\r\n\x1b[31mline 3\u2028\n', logs: '012' },
        ],
      },
    ],
  });
  const report = runReport(hostile);

  it('mean the same value in YAML and in JSON', () => {
    expect(parse(reportYaml(report))).toEqual(JSON.parse(reportJson(report)));
  });

  it.each([
    ['JSON', reportJson(report)],
    ['YAML', reportYaml(report)],
  ])('move no cursor and turn no text in %s', (_, text) => {
    expect(text).not.toMatch(/[^\P{C}\n]/u);
    expect(text.endsWith('\n')).toBe(true);
  });

  it('keep messages of several lines readable in YAML', () => {
    const text = reportYaml(
      runReport(
        aStoredRun({ variants: [{ name: 'a', trials: [{ failed: 'TestFailed', message: 'one\ntwo' }] }] }),
      ),
    );
    expect(text).toContain('message: |-\n      one\n      two\n');
  });
});
