import { describe, expect, it } from 'vitest';
import { aStoredRun } from '../../test/builders/stored-run.ts';
import { runComparison } from '../report/run-comparison.ts';
import { trialReport } from '../report/trial-report.ts';
import { UsageError } from './failure.ts';
import { processContext } from './process-context.ts';
import { renderedComparison, renderedReport } from './rendered-report.ts';

const STORED = aStoredRun({ variants: [{ name: 'lru', trials: [{ p95_ms: 1 }, { p95_ms: 2 }] }] });
const CONTEXT = { ...processContext(), environment: {} };

describe('a report in the format that was asked for', () => {
  it.each([
    ['table', /^checkout-cache · Complete/],
    ['json', /^\{\n {2}"run"/],
    ['yaml', /^run:\n/],
    ['csv', /^rank,variant,/],
    ['markdown', /^### `checkout-cache`/],
    ['junit', /^<\?xml version="1\.0"/],
    ['html', /^<!doctype html>/],
  ] as const)('is in %s', (output, beginning) => {
    expect(renderedReport(trialReport(STORED), { output }, CONTEXT)).toMatch(beginning);
  });
});

describe('one run against another in the format that was asked for', () => {
  const { report } = trialReport(STORED);
  const comparison = runComparison(report, report);

  it.each([
    ['table', /^checkout-cache · run 0f9c1a2b/],
    ['json', /"against": \{/],
    ['yaml', /^against:/m],
    ['markdown', /^### `checkout-cache`: run/],
  ] as const)('is in %s', (output, beginning) => {
    expect(renderedComparison(comparison, { output }, CONTEXT)).toMatch(beginning);
  });

  it.each(['csv', 'junit', 'html'] as const)('is not in %s, which shows one run', (output) => {
    expect(() => renderedComparison(comparison, { output }, CONTEXT)).toThrow(UsageError);
  });
});
