import { describe, expect, it } from 'vitest';
import { aBatchTest } from '../../test/builders/batch-test.ts';
import { reportHtml } from '../report/report-html.ts';
import { reportJunit } from '../report/report-junit.ts';
import { reportMarkdown } from '../report/report-markdown.ts';
import { reportTable } from '../report/report-table.ts';
import { unreadRunReport } from './unread-run-report.ts';

/** The report of a complete run of which its object tells this gate. */
const unreadReport = (gate?: 'Passed' | 'Failed') =>
  unreadRunReport({
    uid: '6f1c8a52-0000-4000-8000-000000000001',
    manifest: aBatchTest(),
    namespace: 'team-a',
    end: { state: 'Complete', reason: 'AllTrialsSucceeded', message: 'all 2 trials succeeded' },
    createdAt: '2026-11-24T10:00:00Z',
    status: {
      trials: { total: 2, pending: 0, running: 0, succeeded: 2, failed: 0, cancelled: 0 },
      ...(gate === undefined ? {} : { gate }),
    },
    problem: { kind: 'NotThere', message: 'the run is not in the given database' },
  });

describe('a run whose results cannot be read', () => {
  const failed = unreadReport('Failed');

  it.each([
    ['Failed', 1, 1],
    ['Passed', 1, 0],
    [undefined, 0, 0],
  ] as const)('is JUnit XML with a test case of its gates, which have %s', (gate, tests, failures) => {
    const xml = reportJunit({ report: unreadReport(gate), trials: [] });
    expect(xml).toContain(` tests="${tests}" failures="${failures}" `);
    expect(xml.match(/<failure/g) ?? []).toHaveLength(failures);
    expect(xml.match(/<testcase classname="checkout-cache" name="gates" /g) ?? []).toHaveLength(tests);
  });

  it.each([
    [
      'table',
      reportTable(failed, { columns: 120, colour: false }),
      '✘ gates: failed: what came of each limit is in the results',
    ],
    ['Markdown', reportMarkdown(failed), '- gates: **failed**: what came of each limit is in the results'],
    [
      'HTML',
      reportHtml({ report: failed, trials: [] }),
      '✘ failed</span>: what came of each limit is in the results',
    ],
  ])('has a gate that failed in its %s', (_, text, line) => {
    expect(text).toContain(line);
  });

  it.each([
    ['table', reportTable(unreadReport(), { columns: 120, colour: false })],
    ['Markdown', reportMarkdown(unreadReport())],
  ])('says nothing of gates in its %s where it has none', (_, text) => {
    expect(text).not.toContain('gate');
  });
});
